"""What the cache did, counted by the thread that runs the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """`hit`: in memory when wanted; `late`: being read ahead when wanted; `miss`: read because wanted. `ahead`: reads
    begun before they were wanted, of which `used` were wanted later and `wasted` left unused. Times in seconds."""

    hit: int = 0
    late: int = 0
    miss: int = 0
    ahead: int = 0
    used: int = 0
    wasted: int = 0
    evicted: int = 0
    read_bytes: int = 0
    wasted_bytes: int = 0
    wait_s: float = 0.0
    predicted: int = 0
    predicted_right: int = 0
    passes: int = 0

    def copy(self) -> Counters:
        return Counters(**asdict(self))

    def since(self, before: Counters) -> Counters:
        now, then = asdict(self), asdict(before)
        return Counters(**{name: now[name] - then[name] for name in now})

    @property
    def wanted(self) -> int:
        return self.hit + self.late + self.miss
