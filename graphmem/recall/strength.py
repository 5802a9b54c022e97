"""How strong a memory still is: the forgetting curve (MemoryBank, Zhong et al. 2023, after Ebbinghaus 1885).

    R = exp(-t / S),   S = base x (1 + n) for n >= 0 uses,   S = base / (1 - n) where it was more often of no use

`t` is the time since the last use, since creation where there was none (or where uses and the times that it was of no
use cancel out). MemoryBank starts with S = 1 day, adds 1 at each recall and sets t back to 0; here only use does so
(cited by an answer, or feedback), for whatever is recalled would else keep itself alive. Nothing of this is stored,
and nothing is deleted by decay: a strength in 0..1 moves a score by its small weight at most, so that after years,
when all are near 0, evidence ranks by what it says alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.stores.base import NO_TIME, Numbers, Usage

Floats = npt.NDArray[np.float64]

DAY_US = 86_400_000_000


def strength(created_us: Numbers, usage: Usage, now_us: int, *, base_days: float) -> Floats:
    """R of each, 0..1; 0 where neither creation nor use is known, 1 for what lies in the future of `now_us`. O(n)."""
    last = np.where((usage.count > 0) & (usage.last_us != NO_TIME), usage.last_us, NO_TIME)
    since = np.maximum(created_us, last)
    known = since != NO_TIME
    days = np.maximum(now_us - np.where(known, since, now_us), 0) / DAY_US
    return np.asarray(np.where(known, np.exp(-days / stability(usage.count, base_days)), 0.0), np.float64)


def stability(count: npt.NDArray[Any], base_days: float) -> Floats:
    """S in days: how long it takes to fall to 1/e. Grows with use, shrinks with what was of no use, never 0."""
    net = np.asarray(count, np.float64)
    return base_days * np.where(net >= 0, 1.0 + np.maximum(net, 0.0), 1.0 / (1.0 + np.maximum(-net, 0.0)))


def clock(usage: Usage, now_us: int | None) -> int | None:
    """The time that strength is measured at: `now_us`, else the last use of any of these, else none. Without a time
    and without use nothing is known of forgetting, and nothing is weighed."""
    if now_us is not None:
        return now_us
    known = usage.last_us[usage.last_us != NO_TIME]
    return int(known.max()) if len(known) else None


def strength_fit(created_us: Numbers, usage: Usage, now_us: int | None, *, base_days: float) -> Floats:
    """What ranking weighs: the strength at the clock's time, 0 for all where there is no such time."""
    at_us = clock(usage, now_us)
    if at_us is None:
        return np.zeros(len(created_us))
    return strength(created_us, usage, at_us, base_days=base_days)
