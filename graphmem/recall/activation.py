"""Spreading activation on arrays: no store, no text.

    a_0 = seeds,  a_h[j] = decay * sum_i a_(h-1)[i] * share(i, j),  activation = sum over h >= 1 of a_h

`share(i, j)` is what an edge gets of what its node passes on: type weight x edge weight / fan-out, at most 1 a node
in all. So a hop's output sums to at most decay x its input, raising a seed lowers nobody (while no cap binds), and an
activation is the sum over paths of seed x product of decay x share (Collins & Loftus 1975; personalised PageRank
without its restart).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """The edges of a frontier, one row an edge: `row` indexes the frontier, `number` is the node at the other end,
    `share` >= 0 its part of what the node passes on, `kind` a code that names the edge in paths."""

    row: Numbers
    number: Numbers
    share: Floats
    kind: Numbers
    cut: bool = False


class Expand(Protocol):
    def __call__(self, frontier: Numbers, hop: int) -> Shares: ...


@dataclass(frozen=True, slots=True)
class Flow:
    """One hop: `amount` went from `source` to `target` over an edge of `kind`; `factor` = amount / a_(h-1)[source]."""

    source: Numbers
    target: Numbers
    kind: Numbers
    factor: Floats
    amount: Floats


@dataclass(frozen=True, slots=True)
class Activation:
    """What arrived: `numbers` ascending, `values` summed over hops (seeds left out), the flows it came by."""

    numbers: Numbers
    values: Floats
    flows: tuple[Flow, ...] = ()
    expanded: int = 0
    edges: int = 0
    cut: bool = False  # a cap kept some node from being expanded, or some edge from being read

    def of(self, numbers: Numbers) -> Floats:
        """Activation of given nodes, 0 where none arrived. O(n log m)."""
        if not len(self.numbers):
            return np.zeros(len(numbers))
        at = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[at] == numbers, self.values[at], 0.0)


NOTHING = Activation(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True, slots=True)
class Chain:
    """One path: nodes from the seed on, kinds and factors of its edges, and what it delivers."""

    nodes: tuple[int, ...]
    kinds: tuple[int, ...]
    factors: tuple[float, ...]
    amount: float


def spread(
    numbers: Numbers,
    values: Floats,
    expand: Expand,
    *,
    hops: int,
    decay: float,
    threshold: float = 0.0,
    expanded: int | None = None,
) -> Activation:
    """Lets activation flow from seeds (`values` >= 0) for at most `hops` hops.

    A hop expands the `expanded` strongest nodes (all when None), and drops flows below `threshold`. Work is
    O(expanded x edges that `expand` reads of a node) a hop, whatever the graph.
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay {decay} is outside 0..1")
    if len(values) and values.min() < 0:
        raise ValueError("a seed is below 0")
    frontier, level = merged(numbers, values)
    flows: list[Flow] = []
    cut, nodes, edges = False, 0, 0
    for hop in range(hops):
        alive = level > threshold
        frontier, level = frontier[alive], level[alive]
        if expanded is not None and len(frontier) > expanded:
            keep = np.sort(np.argsort(-level, kind="stable")[:expanded])
            frontier, level, cut = frontier[keep], level[keep], True
        if not len(frontier):
            break
        shares = expand(frontier, hop)
        nodes, edges, cut = nodes + len(frontier), edges + len(shares.row), cut or shares.cut
        flow = passed_on(frontier, level, shares, decay, threshold)
        flows.append(flow)
        frontier, level = merged(flow.target, flow.amount)
    if not flows:
        return NOTHING
    reached, total = merged(np.concatenate([f.target for f in flows]), np.concatenate([f.amount for f in flows]))
    return Activation(reached, total, tuple(flows), nodes, edges, cut)


def passed_on(frontier: Numbers, level: Floats, shares: Shares, decay: float, threshold: float) -> Flow:
    """One hop. Shares of a node that sum above 1 are scaled to 1, so that no expansion can make activation grow."""
    given = np.bincount(shares.row, weights=shares.share, minlength=len(frontier))
    factor = decay * shares.share / np.maximum(given, 1.0)[shares.row]
    amount = level[shares.row] * factor
    keep = (amount >= threshold) & (amount > 0)
    return Flow(frontier[shares.row[keep]], shares.number[keep], shares.kind[keep], factor[keep], amount[keep])


def merged(numbers: Numbers, values: Floats) -> tuple[Numbers, Floats]:
    """Distinct numbers ascending, with the sum of their values."""
    distinct, at = np.unique(numbers, return_inverse=True)
    return distinct.astype(np.int64), np.asarray(np.bincount(at, values, len(distinct)), np.float64)


@dataclass(slots=True)
class Tracer:
    """Takes an activation apart into its chains. `seeds` maps a seed's number to its value."""

    activation: Activation
    seeds: dict[int, float]
    _into: list[dict[int, list[int]]] = field(init=False)

    def __post_init__(self) -> None:
        self._into = []
        for flow in self.activation.flows:
            rows: dict[int, list[int]] = {}
            for row, target in enumerate(flow.target.tolist()):
                rows.setdefault(target, []).append(row)
            self._into.append(rows)

    def chains(self, number: int) -> Iterator[Chain]:
        """Every chain that ends at a node; their amounts sum to its activation. Output-sensitive."""
        for hop in range(len(self._into)):
            yield from self._ending(number, hop)

    def _ending(self, number: int, hop: int) -> Iterator[Chain]:
        flow = self.activation.flows[hop]
        for row in self._into[hop].get(number, ()):
            source, kind, factor = int(flow.source[row]), int(flow.kind[row]), float(flow.factor[row])
            if hop == 0:
                yield Chain((source, number), (kind,), (factor,), self.seeds[source] * factor)
                continue
            for chain in self._ending(source, hop - 1):
                yield Chain(
                    (*chain.nodes, number), (*chain.kinds, kind), (*chain.factors, factor), chain.amount * factor
                )
