"""Who writes next: a bounded queue, a bounded number of texts at once, one thread that steps them in turn.

The model is only ever called from that one thread. What a text may come to hold in keys and values is reserved before
it starts, so that memory is bounded by `kv_tokens`, and given back when it ends, fails or is cancelled.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from graphmem.moe_runtime.errors import InputError, MoeError
from graphmem.moe_runtime.serve.sequence import Request, Writing

LOG = logging.getLogger("graphmem.moe_runtime")


class Served(Protocol):
    """What the server needs of an engine."""

    @property
    def model(self) -> Any: ...

    @property
    def tokenizer(self) -> Any: ...

    def stats(self) -> Any: ...


class QueueFull(MoeError):
    """Too many are waiting; the same call may succeed later."""

    exit_code = 4
    retryable = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that was written. With `finish` ("stop", "length", "cancelled", "error") nothing more comes."""

    text: str
    finish: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """`active` texts at once, `waiting` behind them, `kv_tokens` of keys and values in all, `context` in one text."""

    active: int = 4
    waiting: int = 32
    kv_tokens: int = 16_384
    context: int = 4_096


@dataclass(slots=True)
class Counts:
    finished: int = 0
    cancelled: int = 0
    failed: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    written_tokens: int = 0
    busy_s: float = 0.0


class Ticket:
    """A place in the queue. `tell` is called from the scheduler's thread with each Piece, the last one included."""

    def __init__(self, request: Request, tell: Callable[[Piece], None]) -> None:
        self.request, self.tell = request, tell
        self.cancelled = False
        self.writing: Writing | None = None


class Scheduler:
    """Close it to stop its thread; whoever still waits is told "cancelled"."""

    def __init__(self, engine: Served, limits: Limits | None = None) -> None:
        self.engine, self.limits, self.counts = engine, limits or Limits(), Counts()
        self.ends = end_tokens(engine)
        self._waiting: deque[Ticket] = deque()
        self._active: deque[Ticket] = deque()
        self._kv = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="moe-scheduler", daemon=True)
        self._thread.start()

    def submit(self, request: Request, tell: Callable[[Piece], None]) -> Ticket:
        """Raises QueueFull when too many wait, InputError for a request that no limit will ever let in."""
        room = min(self.limits.context, self.limits.kv_tokens)
        if not request.prompt or request.max_new_tokens < 1:
            raise InputError("the prompt is empty, or no token is asked for", hint="send a message")
        if request.kv_tokens > room:
            raise InputError(
                f"{len(request.prompt)} prompt tokens and {request.max_new_tokens} new ones are more than {room}",
                hint="send less, or ask for fewer tokens",
            )
        ticket = Ticket(request, tell)
        with self._changed:
            if self._closing or len(self._waiting) >= self.limits.waiting:
                self.counts.refused += 1
                raise QueueFull(f"{len(self._waiting)} requests wait already", hint="try again in a moment")
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """At the latest after the step that runs. Cancelling what has ended changes nothing."""
        with self._changed:
            ticket.cancelled = True
            self._changed.notify()

    def load(self) -> dict[str, int]:
        """What is in use right now."""
        with self._changed:
            return {"active": len(self._active), "waiting": len(self._waiting), "kv_tokens": self._kv}

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting or self._active)
                if self._closing:
                    break
                self._admit()
                ticket = self._active[0] if self._active else None
                self._active.rotate(-1)
            if ticket is not None:
                self._advance(ticket)
        for ticket in (*self._active, *self._waiting):
            self._leave(ticket, Piece("", "cancelled"))

    def _admit(self) -> None:
        """Cancelled ones leave the queue; others become active in order while there is room."""
        for ticket in [one for one in self._waiting if one.cancelled]:
            self._waiting.remove(ticket)
            self._end(ticket, Piece("", "cancelled"))
        while self._waiting and len(self._active) < self.limits.active:
            if self._kv + self._waiting[0].request.kv_tokens > self.limits.kv_tokens:
                return
            ticket = self._waiting.popleft()
            ticket.writing = Writing(ticket.request, self.engine.tokenizer, self.ends)
            self._kv += ticket.request.kv_tokens
            self._active.append(ticket)

    def _advance(self, ticket: Ticket) -> None:
        if ticket.cancelled:
            self._leave(ticket, Piece("", "cancelled"))
            return
        assert ticket.writing is not None
        began = time.perf_counter()
        try:
            text = ticket.writing.step(self.engine.model)
        except Exception as error:
            LOG.exception("a step failed")
            told = str(error) if isinstance(error, MoeError) else "something unexpected happened"
            self._leave(ticket, Piece("", "error", told))
            return
        finally:
            self.counts.busy_s += time.perf_counter() - began
        if ticket.writing.finish:
            self._leave(ticket, Piece(text, ticket.writing.finish))
        elif text:
            self._tell(ticket, Piece(text))

    def _leave(self, ticket: Ticket, last: Piece) -> None:
        with self._changed:
            if ticket in self._active:
                self._active.remove(ticket)
                self._kv -= ticket.request.kv_tokens
            elif ticket in self._waiting:
                self._waiting.remove(ticket)
            self._end(ticket, last)

    def _end(self, ticket: Ticket, last: Piece) -> None:
        if last.finish == "cancelled":
            self.counts.cancelled += 1
        elif last.finish == "error":
            self.counts.failed += 1
        else:
            self.counts.finished += 1
        if ticket.writing is not None:
            self.counts.prompt_tokens += len(ticket.request.prompt)
            self.counts.written_tokens += len(ticket.writing.written)
        self._tell(ticket, last)

    def _tell(self, ticket: Ticket, piece: Piece) -> None:
        try:
            ticket.tell(piece)
        except Exception:  # whoever asked is gone; the others must not suffer
            LOG.debug("nobody listens any more", exc_info=True)
            ticket.cancelled = True


def end_tokens(engine: Served) -> frozenset[int]:
    """The tokens that end a text: the tokenizer's, and those that the model's generation settings name."""
    settings = getattr(engine.model, "generation_config", None)
    named = getattr(settings, "eos_token_id", None)
    ends = set(named if isinstance(named, list) else [named]) | {engine.tokenizer.eos_token_id}
    return frozenset(end for end in ends if end is not None)
