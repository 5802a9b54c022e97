"""Local routing consistency (Liang et al. 2025, "Not All Models Suit Expert Offloading"), from one layer's trace.

A trace is [T, k]: the experts that each of T consecutive tokens was routed to. Integers in, numbers out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Trace = npt.NDArray[np.int64]


def segments(trace: Trace, length: int, experts: int) -> Iterator[npt.NDArray[np.int64]]:
    """How often each segment of `length` tokens uses each expert, most used first: [experts]."""
    for start in range(0, len(trace) - length + 1, length):
        counts = np.bincount(trace[start : start + length].ravel(), minlength=experts)
        yield np.sort(counts)[::-1]


def segment_routing_performance(trace: Trace, length: int, experts: int) -> float:
    """SRP: how well one fixed group of experts serves all tokens of a segment.

    The best F1 score of any group against the tokens' own choices, averaged over segments. Of all groups of one size
    that of the most used experts is the best, so sizes are all there is to try. 1: all tokens choose alike.
    """
    active = trace.shape[1]
    scores = [
        float(np.max(2 * np.cumsum(counts) / (length * (np.arange(1, experts + 1) + active))))
        for counts in segments(trace, length, experts)
    ]
    return float(np.mean(scores)) if scores else float("nan")


def segment_cache_hit_rate(trace: Trace, length: int, experts: int, cached: int) -> float:
    """SCH: the share of uses that `cached` experts serve when each segment has the best ones: the ceiling of a cache
    that is changed once a segment."""
    hits = [float(counts[:cached].sum()) / (length * trace.shape[1]) for counts in segments(trace, length, experts)]
    return float(np.mean(hits)) if hits else float("nan")


def lru_hit_rate(trace: Trace, cached: int) -> float:
    """The share of uses that a least-recently-used cache of `cached` experts serves, from cold."""
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for token in trace.tolist():
        for expert in token:
            if expert in cache:
                hits += 1
                cache.move_to_end(expert)
                continue
            if len(cache) >= cached:
                cache.popitem(last=False)
            cache[expert] = None
    return hits / max(1, trace.size)


def reuse(trace: Trace) -> float:
    """The share of a token's experts that the token before it used as well."""
    if len(trace) < 2:
        return float("nan")
    return float((trace[1:, :, None] == trace[:-1, None, :]).any(axis=2).mean())
