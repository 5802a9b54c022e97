"""How a model is converted: all that decides the result, without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

#: Raised when the same plan gives another result.
RECIPE = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """`shared` is the share of neurons that every token uses; of the others `active` of `experts` groups are used.
    `written` texts of `written_tokens` are sampled from the dense model; of all text `read_rows` rows fit the closed
    forms, `weigh_rows` of them tell what errors cost, and `distil_rows` are trained on, each of `length` tokens."""

    shared: float = 0.5
    experts: int = 32
    active: float = 17.0
    written: int = 320
    written_tokens: int = 160
    read_rows: int = 72
    weigh_rows: int = 10
    distil_rows: int = 280
    length: int = 256
    seed: int = 0

    def digest(self, source: str) -> str:
        told = json.dumps([asdict(self), source, RECIPE], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]


#: About a minute instead of some: less text, and nothing is trained.
QUICK = Plan(written=32, written_tokens=64, read_rows=24, weigh_rows=6, distil_rows=0)
