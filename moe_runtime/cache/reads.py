"""The threads that read. Which expert goes where is decided elsewhere; here requests are only carried out, in order,
the wanted before the merely expected.

For a single token one read after another: what is waited for first comes first (with two at a time it waits 9 ms
instead of 6). For a prompt, whose reads run ahead, all readers read. An expert comes in stretches, its first product's
weights before its second's. Checksums are compared by a thread of its own, beside reading and computing.

Nothing here takes a lock that the model's thread could wait for: a deque's operations are atomic. (The kernel's own
asynchronous reads were tried: handing them over takes 70 us of the model's thread, a thread 18, and 16 are wanted a
token.)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from graphmem.moe_runtime.cache.policy import Expert


class Source(Protocol):
    """What is read: an expert of a layer comes in one or two `stretches`. `load` fills a stretch of a slot and waits
    for it; `check` raises when the whole slot is not the expert. Both are called by the threads here."""

    def stretches(self, layer: int, /) -> int: ...
    def load(self, slot: int, key: Expert, stretch: int, /) -> None: ...
    def check(self, slot: int, key: Expert, /) -> None: ...


class Read:
    """One request: an expert into a slot. `wait_for` returns when a stretch is there, `wait` when everything has been
    checked as well; `error` then says what went wrong."""

    __slots__ = ("_came", "_done", "error", "key", "slot")

    def __init__(self, key: Expert, slot: int, stretches: int) -> None:
        self.key, self.slot = key, slot
        self.error: BaseException | None = None
        self._came = [_closed() for _ in range(stretches)]
        self._done = _closed()

    @property
    def stretches(self) -> range:
        return range(len(self._came))

    def has(self, stretch: int) -> bool:
        """Stretch -1 is the last one."""
        return not self._came[stretch].locked()

    @property
    def is_done(self) -> bool:
        return not self._done.locked()

    def arrive(self, stretch: int) -> None:
        self._came[stretch].release()

    def finish(self) -> None:
        self._done.release()

    def wait_for(self, stretch: int) -> None:
        with self._came[stretch]:
            pass

    def wait(self) -> None:
        with self._done:
            pass


class ReadQueue:
    """`threads` readers and one who checks. `submit`, `cancel`, `hurry` and `close` are for one thread at a time;
    `close` waits for the reads under way."""

    def __init__(self, source: Source, threads: int) -> None:
        self._source = source
        self._urgent: deque[Read] = deque()
        self._ahead: deque[Read] = deque()
        self._turns: list[SimpleQueue[bool]] = [SimpleQueue() for _ in range(threads)]  # False ends a reader
        self._unchecked: SimpleQueue[Read | None] = SimpleQueue()
        self._readers = [
            _started(self._read, f"expert-reader-{number}", turns) for number, turns in enumerate(self._turns)
        ]
        self._checker = _started(self._check, "expert-checker")

    def submit(self, key: Expert, slot: int, urgent: bool, wide: bool) -> Read:
        """`wide`: for every reader that has nothing to do."""
        read = Read(key, slot, self._source.stretches(key[0]))
        (self._urgent if urgent else self._ahead).append(read)
        for turns in self._turns if wide else self._turns[:1]:
            turns.put(True)
        return read

    def cancel(self, read: Read) -> bool:
        """True when the expected read had not begun and never will."""
        try:
            self._ahead.remove(read)
        except ValueError:
            return False
        return True

    def hurry(self, read: Read) -> bool:
        """Moves an expected read among the wanted ones; True when it had not begun."""
        if not self.cancel(read):
            return False
        self._urgent.append(read)
        self._turns[0].put(True)
        return True

    def close(self) -> None:
        self._urgent.clear()
        self._ahead.clear()
        for turns in self._turns:
            turns.put(False)
        for thread in self._readers:
            thread.join()
        self._unchecked.put(None)
        self._checker.join()
        del self._source

    def _read(self, turns: SimpleQueue[bool]) -> None:
        while turns.get():
            read = _popped(self._urgent) or _popped(self._ahead)
            if read is None:
                continue  # called off, or another reader has it
            for stretch in read.stretches:
                read.error = read.error or _attempt(self._source.load, read.slot, read.key, stretch)
                read.arrive(stretch)
            self._unchecked.put(read)

    def _check(self) -> None:
        while (read := self._unchecked.get()) is not None:
            read.error = read.error or _attempt(self._source.check, read.slot, read.key)
            read.finish()


def _popped(queue: deque[Read]) -> Read | None:
    try:
        return queue.popleft()
    except IndexError:
        return None


def _attempt(work: Callable[..., None], *given: object) -> BaseException | None:
    try:
        work(*given)
    except Exception as problem:
        return problem
    return None


def _closed() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _started(work: Callable[..., None], name: str, *given: object) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, args=given, daemon=True)
    thread.start()
    return thread
