"""A generator's text within bounds: a deadline, a length, and whatever it raises noted instead of raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread

from graphmem.answer.base import Generator, Prompt


@dataclass(slots=True)
class Written:
    """What a generator gave so far, and why it stopped early ("" when it did not). `is_late`: it may still hang."""

    pieces: list[str] = field(default_factory=list)
    failure: str = ""
    is_late: bool = False


def bounded(generator: Generator, prompt: Prompt, out: Written, deadline_s: float, most_chars: int) -> Iterator[str]:
    """The generator's pieces until the deadline, the length cap or its failure, which is noted in `out`.

    It runs in a thread of its own, because a stream that hangs cannot be stopped from outside: the thread is told to
    stop at its next piece, and does not keep the process alive.
    """
    ends = time.monotonic() + deadline_s
    queue: Queue[tuple[str, object]] = Queue(maxsize=256)
    stop = Event()
    run = pump(generator, prompt, deadline_s, queue, stop)
    Thread(target=run, name="graphmem-generator", daemon=True).start()
    length = 0
    try:
        while True:
            try:
                kind, piece = queue.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                out.is_late = True
                out.failure = f"{generator.name} was not done within {deadline_s:g} s"
                return
            if not isinstance(piece, str):
                out.failure = f"{generator.name} wrote {type(piece).__name__}, not text"
                return
            if kind != "piece":
                out.failure = piece
                return
            length += len(piece)
            yield piece
            if length > most_chars:
                out.failure = f"{generator.name} wrote more than {most_chars} characters"
                return
    finally:
        stop.set()


def pump(
    generator: Generator, prompt: Prompt, deadline_s: float, queue: Queue[tuple[str, object]], stop: Event
) -> Callable[[], None]:
    """Puts ("piece", text) for each piece, then ("end", why it failed or "")."""

    def put(item: tuple[str, object]) -> None:
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
        except (
            BaseException
        ) as error:  # noted: a generator may raise anything, SystemExit too, and ends its thread alone
            why = _said(error)
        put(("end", why))

    return run


def _said(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception as second:
        return f"{type(error).__name__} (its message cannot be read: {type(second).__name__})"
