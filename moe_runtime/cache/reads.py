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
    """`load` fills a part of a slot, `check` returns that part's share of the checksum, `confirm` raises when the sum
    is not the expert's. `load` may be called by any thread, the others by reader threads."""

    def load(self, slot: int, key: Expert, part: int, parts: int, /) -> None: ...
    def check(self, slot: int, key: Expert, part: int, parts: int, /) -> int: ...
    def confirm(self, slot: int, key: Expert, check: int, /) -> None: ...


class Read:
    """One request: an expert into a slot. `wait_loaded` returns when the bytes are there, `wait` when they have been
    checked as well; `error` then says what went wrong."""

    __slots__ = ("_done", "_loaded", "begun", "check", "error", "key", "slot", "to_check", "to_load")

    def __init__(self, key: Expert, slot: int, parts: int) -> None:
        self.key, self.slot = key, slot
        self.begun = self.check = 0
        self.to_load = self.to_check = parts
        self.error: BaseException | None = None
        self._loaded, self._done = threading.Lock(), threading.Lock()
        self._loaded.acquire()
        self._done.acquire()

    @property
    def is_loaded(self) -> bool:
        return not self._loaded.locked()

    @property
    def is_done(self) -> bool:
        return not self._done.locked()

    def arrive(self) -> None:
        self._loaded.release()

    def finish(self) -> None:
        self._done.release()

    def wait_loaded(self) -> None:
        with self._loaded:
            pass

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
        self._unchecked: deque[tuple[Read, int]] = deque()
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
        """Loads the parts that no reader has taken: who waits anyway need not wait for a thread to wake as well (0.3 ms
        of 2.3 on a busy machine). Checking them is left to the readers."""
        while (part := self._part_of(read)) is not None:
            self._load(read, part)
            with self._condition:
                self._unchecked.append((read, part))
                self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._urgent.clear()
            self._ahead.clear()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()
        del self._source

    def _next(self) -> tuple[Read, int, bool] | None:
        """A read, one of its parts, and whether that is loaded already."""
        with self._condition:
            while not (self._urgent or self._ahead or self._unchecked or self._closed):
                self._condition.wait()
            if self._unchecked:
                return *self._unchecked.popleft(), True
            if self._closed:
                return None
            read = (self._urgent or self._ahead)[0]
            return read, self._begin_part(read), False

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
            read, part, is_loaded = taken
            if not is_loaded:
                self._load(read, part)
            self._check(read, part)

    def _load(self, read: Read, part: int) -> None:
        error = None
        try:
            self._source.load(read.slot, read.key, part, self.parts)
        except Exception as problem:
            error = problem
        with self._condition:
            read.error = read.error or error
            read.to_load -= 1
            is_last = read.to_load == 0
        if is_last:
            read.arrive()

    def _check(self, read: Read, part: int) -> None:
        check, error = 0, None
        try:
            check = self._source.check(read.slot, read.key, part, self.parts) if read.error is None else 0
        except Exception as problem:
            error = problem
        with self._condition:
            read.check += check
            read.error = read.error or error
            read.to_check -= 1
            is_last = read.to_check == 0
        if is_last:
            self._complete(read)

    def _complete(self, read: Read) -> None:
        try:
            if read.error is None:
                self._source.confirm(read.slot, read.key, read.check)
        except Exception as problem:
            read.error = problem
        read.finish()
