"""respond: is the evidence there? -> write (a generator, checked) or extract (rules) -> the answer with citations."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread

from graphmem.answer.base import NOT_IN_MEMORY, Prompt
from graphmem.answer.base import Generator as TextGenerator
from graphmem.answer.citations import MARKER, MarkerFilter, citations_in
from graphmem.answer.extract import Extract, extract
from graphmem.answer.prompt import MAX_PASSAGES, prompt_for
from graphmem.schema import Answer, Recall

#: A generator that is given no deadline may still not hang for ever.
DEFAULT_DEADLINE_S = 120.0
#: Written text is cut here: an answer is a few sentences, and a model that loops would fill memory.
MAX_ANSWER_CHARS = 20_000

_BARE = re.compile(r"[\W_]+")


def respond(
    recall: Recall, *, generator: TextGenerator | None = None, deadline_s: float | None = None
) -> Generator[str, None, Answer]:
    """Yields the answer's text as it comes and returns the Answer. Closable at any point.

    Evidence that does not cover the question is "not in memory", said without calling the generator. A generator that
    fails, runs late or cites nothing is replaced by the extracted answer, and `degraded` says so; what it had streamed
    by then stays above a blank line. The deadline counts from the first piece asked for.
    """
    extracted = extract(recall)
    if extracted is None:
        yield NOT_IN_MEMORY
        return Answer(recall.question, NOT_IN_MEMORY, False, (), recall, degraded=recall.degraded)
    if generator is None:
        yield extracted.text
        return told(recall, extracted)
    limit_s = DEFAULT_DEADLINE_S if deadline_s is None else deadline_s
    return (yield from written(recall, extracted, generator, limit_s))


def told(recall: Recall, extracted: Extract, *why: str) -> Answer:
    return Answer(recall.question, extracted.text, True, extracted.citations, recall, degraded=(*recall.degraded, *why))


@dataclass(slots=True)
class Written:
    """What a generator gave so far, and why it stopped early ("" when it did not)."""

    pieces: list[str] = field(default_factory=list)
    failure: str = ""


def written(
    recall: Recall, extracted: Extract, generator: TextGenerator, deadline_s: float
) -> Generator[str, None, Answer]:
    passages = [ranked.passage for ranked in recall.passages[:MAX_PASSAGES]]
    markers, out = MarkerFilter(len(passages)), Written()
    pieces = bounded(generator, prompt_for(recall.question, passages), deadline_s, out)
    for piece in markers.feed(pieces):
        out.pieces.append(piece)
        yield piece
    text = "".join(out.pieces).strip()
    remarks = list(recall.degraded)
    if markers.dropped:
        numbers = ", ".join(map(str, sorted(set(markers.dropped))))
        remarks.append(f"{generator.name} cited evidence that is not there ({numbers}): markers removed")
    citations = () if out.failure else citations_in(text, recall, passages)
    if citations:
        return Answer(recall.question, text, True, citations, recall, generator.name, tuple(remarks))
    if not out.failure and is_refusal(text):
        return Answer(recall.question, NOT_IN_MEMORY, False, (), recall, generator.name, tuple(remarks))
    reason = out.failure or (f"{generator.name} cited no evidence" if text else f"{generator.name} wrote nothing")
    yield f"\n\n{extracted.text}" if text else extracted.text
    return told(recall, extracted, *remarks[len(recall.degraded) :], f"{reason}; the answer was extracted instead")


def is_refusal(text: str) -> bool:
    """Whether a text says nothing but that it is not in memory."""
    bare = _BARE.sub(" ", MARKER.sub("", text)).strip().casefold()
    return bare == _BARE.sub(" ", NOT_IN_MEMORY).strip().casefold()


def bounded(generator: TextGenerator, prompt: Prompt, deadline_s: float, out: Written) -> Iterator[str]:
    """The generator's pieces until the deadline, the length cap or its failure, which is noted in `out`.

    It runs in a thread of its own, because a stream that hangs cannot be stopped from outside: the thread is told to
    stop at its next piece, and does not keep the process alive.
    """
    ends = time.monotonic() + deadline_s
    queue: Queue[tuple[str, str]] = Queue(maxsize=256)
    stop = Event()
    run = pump(generator, prompt, deadline_s, queue, stop)
    Thread(target=run, name="graphmem-generator", daemon=True).start()
    length = 0
    try:
        while True:
            try:
                kind, piece = queue.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                out.failure = f"{generator.name} was not done within {deadline_s:g} s"
                return
            if kind != "piece":
                out.failure = piece
                return
            length += len(piece)
            yield piece
            if length > MAX_ANSWER_CHARS:
                out.failure = f"{generator.name} wrote more than {MAX_ANSWER_CHARS} characters"
                return
    finally:
        stop.set()


def pump(
    generator: TextGenerator, prompt: Prompt, deadline_s: float, queue: Queue[tuple[str, str]], stop: Event
) -> Callable[[], None]:
    """Puts ("piece", text) for each piece, then ("end", why it failed or "")."""

    def put(item: tuple[str, str]) -> None:
        while not stop.is_set():
            try:
                queue.put(item, timeout=0.2)
            except Full:
                continue
            return

    def run() -> None:
        why = ""
        try:
            for piece in generator.stream(prompt, deadline_s=deadline_s):
                if stop.is_set():
                    return
                put(("piece", piece))
        except Exception as error:  # told in `degraded`: a generator may raise anything
            why = str(error) or type(error).__name__
        put(("end", why))

    return run
