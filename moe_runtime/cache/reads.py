"""The threads that read. Which expert goes where is decided elsewhere; here requests are only carried out, in order,
the wanted before the merely expected. Several threads share one request, a part each: what is waited for comes sooner
than if each thread had a request of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from graphmem.moe_runtime.cache.policy import Expert


class Source(Protocol):
    """`load` fills a part of a slot and returns that part's share of the checksum; `confirm` raises when the sum is not
    the expert's. Both are called by reader threads."""

    def load(self, slot: int, key: Expert, part: int, parts: int, /) -> int: ...
    def confirm(self, slot: int, key: Expert, check: int, /) -> None: ...


class Read:
    """One request: an expert into a slot. `wait` returns when it is done; `error` then says what went wrong."""

    __slots__ = ("_done", "begun", "check", "error", "key", "left", "slot")

    def __init__(self, key: Expert, slot: int, parts: int) -> None:
        self.key, self.slot = key, slot
        self.begun = self.check = 0
        self.left = parts
        self.error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def is_done(self) -> bool:
        return not self._done.locked()

    def finish(self) -> None:
        self._done.release()

    def wait(self) -> None:
        with self._done:
            pass


class ReadQueue:
    """`threads` readers over requests of `parts` parts. Every method may be called from any thread; `close` waits for
    the reads under way."""

    def __init__(self, source: Source, threads: int, parts: int) -> None:
        self.parts = parts
        self._source = source
        self._urgent: deque[Read] = deque()
        self._ahead: deque[Read] = deque()
        self._condition = threading.Condition(threading.Lock())
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"expert-reader-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, reads: list[Read], urgent: bool) -> None:
        with self._condition:
            (self._urgent if urgent else self._ahead).extend(reads)
            self._condition.notify(len(reads) * self.parts)

    def cancel(self, read: Read) -> bool:
        """True when the read had not begun and never will."""
        with self._condition:
            if read.begun:
                return False
            (self._ahead if read in self._ahead else self._urgent).remove(read)
            return True

    def hurry(self, read: Read) -> bool:
        """Moves an expected read among the wanted ones; True when it had not begun."""
        with self._condition:
            if read in self._ahead:
                self._ahead.remove(read)
                self._urgent.append(read)
            return not read.begun

    def help(self, read: Read) -> None:
        """Carries out the parts that no reader has taken: who waits anyway need not wait for a thread to wake as well
        (0.3 ms of 2.3 on a busy machine)."""
        while (taken := self._part_of(read)) is not None:
            self._carry_out(read, taken)

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._urgent.clear()
            self._ahead.clear()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()
        del self._source

    def _next(self) -> tuple[Read, int] | None:
        with self._condition:
            while not (self._urgent or self._ahead or self._closed):
                self._condition.wait()
            if self._closed:
                return None
            read = (self._urgent or self._ahead)[0]
            return read, self._begin_part(read)

    def _part_of(self, read: Read) -> int | None:
        with self._condition:
            return self._begin_part(read) if read.begun < self.parts and not self._closed else None

    def _begin_part(self, read: Read) -> int:
        part = read.begun
        read.begun += 1
        if read.begun == self.parts:
            (self._ahead if read in self._ahead else self._urgent).remove(read)
        return part

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            self._carry_out(*taken)

    def _carry_out(self, read: Read, part: int) -> None:
        check, error = 0, None
        try:
            check = self._source.load(read.slot, read.key, part, self.parts)
        except Exception as problem:
            error = problem
        with self._condition:
            read.check += check
            read.error = read.error or error
            read.left -= 1
            is_last = read.left == 0
        if is_last:
            self._complete(read)

    def _complete(self, read: Read) -> None:
        try:
            if read.error is None:
                self._source.confirm(read.slot, read.key, read.check)
        except Exception as problem:
            read.error = problem
        read.finish()
