"""A generator asked for proposals: in batched calls, within caps, its replies kept for a while, everything counted."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphmem.answer.base import Generator, Prompt
from graphmem.answer.bounded import Written, bounded
from graphmem.construct.prompting import FULL, Manner, prompt_for
from graphmem.construct.spending import Caps, Spent, reached
from graphmem.schema import Id, Note, Passage

#: Replies kept, each of a few thousand characters: a batch that is computed again after a conflict costs no call.
KEPT_REPLIES = 256
#: Jobs whose spending is known; a process runs one or two.
KEPT_JOBS = 16
#: After so many calls in a row that hung or failed the generator is left alone for a while: a call that hangs keeps a
#: thread, and an endpoint that is down costs a deadline each time.
MAX_HUNG = 2
MAX_FAILED = 5
REST_S = 300.0
MAX_FAILURE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, as far as it came, and why it stopped early. `is_asked`: whether a call was made, now or when
    the reply was kept; `failure` then says why not."""

    text: str = ""
    failure: str = ""
    offers: tuple[Note, ...] = ()
    is_asked: bool = True


@dataclass(slots=True)
class _Mood:
    """How the last calls went."""

    hung: int = 0
    failed: int = 0
    rests_until: float = 0.0

    def after(self, out: Written) -> None:
        self.hung = self.hung + 1 if out.is_late and not out.pieces else 0
        self.failed = self.failed + 1 if out.failure and not out.pieces else 0
        if self.hung >= MAX_HUNG or self.failed >= MAX_FAILED:
            self.rests_until = time.monotonic() + REST_S


@dataclass(slots=True)
class Proposer:
    """A generator behind the seam. It may fail, hang, flood or answer nonsense: that ends up in a Reply.

    Replies are kept in memory alone, under a key over space, wording, model and passages, and go with `forget`: a file
    of them would outlive what is erased. Safe to share between threads as far as its generator is."""

    generator: Generator
    caps: Caps = field(default_factory=Caps)
    manner: Manner = FULL
    _kept: OrderedDict[bytes, Reply] = field(default_factory=OrderedDict)
    _spent: OrderedDict[Id, Spent] = field(default_factory=OrderedDict)
    _untold: dict[Id | None, Spent] = field(default_factory=dict)
    _mood: _Mood = field(default_factory=_Mood)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return self.generator.name

    def ask(self, key: bytes, spent: Spent, passages: Sequence[Passage], offers: Sequence[Note]) -> tuple[Reply, Spent]:
        """The reply about the passages of one call, and what it took. `spent`: what the job has by now."""
        cached = self._key(key, passages)
        with self._lock:
            kept = self._kept.get(cached)
        if kept is not None:
            return kept, Spent()
        prompt = prompt_for(passages, offers, self.manner)
        chars = sum(len(text) for _, text in prompt)
        with self._lock:
            resting = "it failed or hung too often" if time.monotonic() < self._mood.rests_until else ""
        forbidden = reached(self.caps, spent, chars) or resting
        if forbidden:
            return Reply(failure=forbidden, is_asked=False), Spent()
        reply, took = self._call(prompt, len(passages), min(self.caps.call_seconds, self.caps.seconds - spent.seconds))
        reply = Reply(reply.text, reply.failure, tuple(offers))
        with self._lock:
            if not reply.failure:
                self._kept[cached] = reply
                while len(self._kept) > KEPT_REPLIES:
                    self._kept.popitem(last=False)
        return reply, Spent(1, chars, len(reply.text), took)

    def _call(self, prompt: Prompt, passages: int, deadline_s: float) -> tuple[Reply, float]:
        most = self.manner.reply_chars * passages
        out, began = Written(), time.perf_counter()
        out.pieces.extend(bounded(self.generator, prompt, out, deadline_s, most))
        with self._lock:
            self._mood.after(out)
        text = "".join(out.pieces)[:most]
        return Reply(text, out.failure[:MAX_FAILURE_CHARS]), time.perf_counter() - began

    def _key(self, key: bytes, passages: Sequence[Passage]) -> bytes:
        prompt = prompt_for(passages, (), self.manner)
        parts = [self.manner.name, self.name, *(text for _, text in prompt)]
        return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), key=key[:64], digest_size=32).digest()

    # -- what jobs have spent

    def spent(self, job: Id) -> Spent:
        """What a job has taken so far."""
        with self._lock:
            return self._spent.get(job, Spent())

    def count(self, job: Id | None, spent: Spent) -> None:
        with self._lock:
            self._untold[job] = self._untold.get(job, Spent()) + spent
            if job is not None:
                self._spent[job] = self._spent.pop(job, Spent()) + spent
                while len(self._spent) > KEPT_JOBS:
                    self._spent.popitem(last=False)

    def told(self, job: Id | None) -> Spent:
        """What a job has taken since this was last asked, for its report: batches that are computed again included."""
        with self._lock:
            return self._untold.pop(job, Spent())

    def forget(self) -> None:
        """Drops the replies that are kept: they quote passages that may be forgotten."""
        with self._lock:
            self._kept.clear()
