"""The threads that read. Which expert goes where is decided elsewhere; here requests are only carried out, in order,
the wanted before the merely expected.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter

from graphmem.moe_runtime.cache.policy import Expert
from graphmem.moe_runtime.errors import MoeError


class Read:
    """One request: an expert into a slot. `wait` returns when it is done and raises what went wrong."""

    __slots__ = ("_done", "error", "key", "slot", "started")

    def __init__(self, key: Expert, slot: int) -> None:
        self.key, self.slot = key, slot
        self.started = False
        self.error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def is_done(self) -> bool:
        return not self._done.locked()

    def finish(self, error: BaseException | None = None) -> None:
        self.error = error
        self._done.release()

    def wait(self) -> None:
        with self._done:
            pass


class ReadQueue:
    """`threads` readers over `load(slot, key)`. Every method may be called from any thread; `close` waits for the reads
    under way."""

    def __init__(self, load: Callable[[int, Expert], None], threads: int) -> None:
        self._load = load
        self._urgent: deque[Read] = deque()
        self._ahead: deque[Read] = deque()
        self._condition = threading.Condition(threading.Lock())
        self._closed = False
        self.busy_s = 0.0
        self._threads = [
            threading.Thread(target=self._work, name=f"expert-reader-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, reads: list[Read], urgent: bool) -> None:
        with self._condition:
            (self._urgent if urgent else self._ahead).extend(reads)
            self._condition.notify(len(reads))

    def cancel(self, read: Read) -> bool:
        """True when the read had not begun and never will."""
        with self._condition:
            if read.started:
                return False
            (self._ahead if read in self._ahead else self._urgent).remove(read)
            return True

    def hurry(self, read: Read) -> bool:
        """Moves an expected read among the wanted ones; True when it had not begun."""
        with self._condition:
            if read.started:
                return False
            self._ahead.remove(read)
            self._urgent.append(read)
            return True

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._urgent.clear()
            self._ahead.clear()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    def _next(self) -> Read | None:
        with self._condition:
            while not (self._urgent or self._ahead or self._closed):
                self._condition.wait()
            if self._closed:
                return None
            read = self._urgent.popleft() if self._urgent else self._ahead.popleft()
            read.started = True
            return read

    def _work(self) -> None:
        while (read := self._next()) is not None:
            began = perf_counter()
            try:
                self._load(read.slot, read.key)
            except MoeError as problem:
                read.finish(problem)
            except BaseException as problem:
                read.finish(problem)
                if not isinstance(problem, Exception):
                    raise
            else:
                read.finish()
            self.busy_s += perf_counter() - began
