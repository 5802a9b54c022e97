"""How far a job is, how fast it goes, how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from graphmem.schema import Id


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands. Rates are those of this run; `seconds_left` is None until something was written."""

    job: Id
    item: str
    items_done: int
    items_total: int
    bytes_done: int
    bytes_total: int
    passages: int  # written in this run
    passages_per_s: float
    seconds_left: float | None


ProgressCallback = Callable[[Progress], None]


@dataclass(slots=True)
class Meter:
    """Counts what a run did and tells `callback`, after each batch and each item."""

    job: Id
    items_total: int
    bytes_total: int
    callback: ProgressCallback | None
    items_done: int = 0
    bytes_done: int = 0  # of items behind us
    bytes_written: float = 0.0  # of them, those that this run wrote: what the rate goes by
    passages: int = 0
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def batch(self, item: str, size_bytes: int, start: int, at: int, count: int) -> None:
        """`at` of `count` passages of an item are written, `start` of them before this run."""
        written = (at - start) / count
        self._tell(item, size_bytes * at / count, size_bytes * written, at - start)

    def item(self, item: str, size_bytes: int, written: int = 0, share: float = 0.0) -> None:
        """An item is behind us; this run wrote `written` passages of it, which is `share` of its bytes."""
        self.items_done += 1
        self.bytes_done += size_bytes
        self.bytes_written += size_bytes * share
        self.passages += written
        self._tell(item, 0, 0, 0)

    def _tell(self, item: str, bytes_in: float, bytes_written: float, passages: int) -> None:
        if self.callback is None:
            return
        seconds, done = self.seconds, round(self.bytes_done + bytes_in)
        written = self.bytes_written + bytes_written
        self.callback(
            Progress(
                job=self.job,
                item=item,
                items_done=self.items_done,
                items_total=self.items_total,
                bytes_done=done,
                bytes_total=self.bytes_total,
                passages=self.passages + passages,
                passages_per_s=(self.passages + passages) / seconds if seconds > 0 else 0.0,
                seconds_left=(self.bytes_total - done) * seconds / written if written else None,
            )
        )
