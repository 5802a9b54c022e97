"""The profile of a model: consistency by segment length and cache size, the budget to use, and whether it pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphmem.moe_runtime.profile.consistency import (
    Trace,
    lru_hit_rate,
    reuse,
    segment_cache_hit_rate,
    segment_routing_performance,
)
from graphmem.moe_runtime.profile.trace import experts_modules, traced

#: Lengths of segments, and sizes of the cache in multiples of the experts that one token uses.
LENGTHS = (4, 8, 16, 32, 64, 128)
MULTIPLES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
#: The segment length at which caches are judged: about what a cache keeps of the past when it holds twice what a token
#: uses. A cache is enough from this share of the largest useful one's hit rate on.
JUDGED_LENGTH = 16
ENOUGH = 0.9
#: Offloading suits a model when a cache of at most this share of the experts is enough, and experts are at least this
#: share of the weights.
MOST_CACHED = 0.5
LEAST_EXPERTS = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """A cache of `cached` experts a layer, `budget_bytes` in all. Rates are means over layers."""

    multiple: float
    cached: int
    share: float
    budget_bytes: int
    sch: float
    lru: float


@dataclass(frozen=True, slots=True)
class Profile:
    """`active` is the mean over layers. `srp` and `chance` by segment length; `chance` is the SRP of routing at random.
    `reuse` is that of the previous token's experts."""

    tokens: int
    layers: int
    experts: int
    active: float
    expert_bytes: int
    expert_share: float
    reuse: float
    srp: dict[int, float]
    chance: dict[int, float]
    rows: tuple[Row, ...]
    recommended: Row
    suits: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def profiled(model: Any, ids: Sequence[int], *, seed: int = 0) -> Profile:
    """Reads a text (token ids) with the model and judges its routing."""
    module = experts_modules(model)[0]
    traces = traced(model, list(ids))
    expert_bytes = sum(p[0].numel() * p.element_size() for _, p in module.named_parameters(recurse=False))
    in_experts = sum(p.numel() for one in experts_modules(model) for p in one.parameters(recurse=False))
    others = sum(p.numel() for p in model.parameters()) - in_experts
    return judged(traces, int(module.num_experts), expert_bytes, in_experts / (in_experts + others), seed)


def judged(traces: Sequence[Trace], experts: int, expert_bytes: int, expert_share: float, seed: int) -> Profile:
    tokens, active = len(traces[0]), float(np.mean([trace.shape[1] for trace in traces]))
    lengths = [length for length in LENGTHS if length <= tokens]
    draw = np.random.default_rng(seed)
    random = np.stack([draw.permutation(experts)[: round(active)] for _ in range(tokens)])
    rows = tuple(
        row_of(traces, experts, expert_bytes, multiple, round(multiple * active))
        for multiple in multiples(experts, active)
    )
    chosen = recommended(rows)
    suits, why = verdict(chosen, expert_share)
    return Profile(
        tokens=tokens,
        layers=len(traces),
        experts=experts,
        active=active,
        expert_bytes=expert_bytes,
        expert_share=expert_share,
        reuse=over_layers(traces, reuse),
        srp={n: over_layers(traces, srp_at(n, experts)) for n in lengths},
        chance={n: segment_routing_performance(random, n, experts) for n in lengths},
        rows=rows,
        recommended=chosen,
        suits=suits,
        why=why,
    )


def srp_at(length: int, experts: int) -> Callable[[Trace], float]:
    return lambda trace: segment_routing_performance(trace, length, experts)


def over_layers(traces: Sequence[Trace], measure: Callable[[Trace], float]) -> float:
    return float(np.mean([measure(trace) for trace in traces]))


def multiples(experts: int, active: float) -> list[float]:
    below = [multiple for multiple in MULTIPLES if multiple * active < experts]
    return [*below, experts / active]


def row_of(traces: Sequence[Trace], experts: int, expert_bytes: int, multiple: float, cached: int) -> Row:
    length = min(JUDGED_LENGTH, len(traces[0]))
    return Row(
        multiple=multiple,
        cached=cached,
        share=cached / experts,
        budget_bytes=cached * expert_bytes * len(traces),
        sch=over_layers(traces, lambda trace: segment_cache_hit_rate(trace, length, experts, cached)),
        lru=over_layers(traces, lambda trace: lru_hit_rate(trace, cached)),
    )


def recommended(rows: Sequence[Row]) -> Row:
    """The smallest cache whose LRU hit rate is nearly that of the largest."""
    return next(row for row in rows if row.lru >= ENOUGH * rows[-1].lru)


def verdict(chosen: Row, expert_share: float) -> tuple[bool, str]:
    if expert_share < LEAST_EXPERTS:
        return False, f"experts are only {expert_share:.0%} of the weights: the rest stays in memory whatever is cached"
    if chosen.share > MOST_CACHED:
        return False, f"it takes {chosen.share:.0%} of the experts to serve {chosen.lru:.0%} of the uses"
    return True, f"{chosen.share:.0%} of the experts serve {chosen.lru:.0%} of the uses"
