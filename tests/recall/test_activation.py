"""Spreading activation keeps its promises on any graph."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.recall.activation import Activation, Numbers, Shares, Tracer, spread


@dataclass
class Matrix:
    """Expands over a dense matrix of shares: node i passes share[i, j] on to node j."""

    share: np.ndarray
    largest_frontier: int = 0

    def __call__(self, frontier: Numbers, hop: int) -> Shares:
        self.largest_frontier = max(self.largest_frontier, len(frontier))
        row, number = np.nonzero(self.share[frontier])
        return Shares(row, number, self.share[frontier][row, number], np.full(len(row), hop + 1))


@st.composite
def graphs(draw: st.DrawFn, rows_sum_to_one: bool = True) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(2, 12))
    weight = st.floats(0, 1, allow_subnormal=False)
    share = np.array(draw(st.lists(weight, min_size=size * size, max_size=size * size))).reshape(size, size)
    share[share < 0.3] = 0.0
    if rows_sum_to_one:
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    seeds = np.array(draw(st.lists(st.floats(0, 5, allow_subnormal=False), min_size=size, max_size=size)))
    return share, seeds


def dense_reference(share: np.ndarray, seeds: np.ndarray, hops: int, decay: float) -> np.ndarray:
    total, level = np.zeros(len(seeds)), seeds
    for _ in range(hops):
        level = decay * (level @ share)
        total = total + level
    return total


def run(share: np.ndarray, seeds: np.ndarray, hops: int = 3, decay: float = 0.9, **bounds: float) -> Activation:
    return spread(np.arange(len(seeds)), seeds, Matrix(share), hops=hops, decay=decay, **bounds)  # type: ignore[arg-type]


@given(graphs(rows_sum_to_one=False), st.floats(0, 1))
def test_a_hop_gives_out_at_most_decay_times_what_it_got(graph: tuple[np.ndarray, np.ndarray], decay: float) -> None:
    share, seeds = graph
    had = seeds.sum()
    for flow in run(share, seeds, decay=decay).flows:
        assert flow.amount.sum() <= decay * had + 1e-9
        assert (flow.amount >= 0).all()
        had = flow.amount.sum()


@given(graphs(), st.integers(1, 4), st.floats(0, 1))
def test_without_threshold_and_cap_it_is_the_matrix_sum(
    graph: tuple[np.ndarray, np.ndarray], hops: int, decay: float
) -> None:
    share, seeds = graph
    found = run(share, seeds, hops, decay)
    assert np.allclose(found.of(np.arange(len(seeds))), dense_reference(share, seeds, hops, decay), atol=1e-9)


@given(graphs(), st.integers(0, 11), st.floats(0, 3), st.sampled_from([0.0, 1e-3, 0.1]))
def test_raising_a_seed_lowers_nobody(
    graph: tuple[np.ndarray, np.ndarray], which: int, more: float, threshold: float
) -> None:
    share, seeds = graph
    raised = seeds.copy()
    raised[which % len(seeds)] += more
    nodes = np.arange(len(seeds))
    before = run(share, seeds, threshold=threshold).of(nodes)
    assert (run(share, raised, threshold=threshold).of(nodes) >= before - 1e-9).all()


@given(graphs())
def test_the_chains_of_a_node_sum_to_its_activation(graph: tuple[np.ndarray, np.ndarray]) -> None:
    share, seeds = graph
    found = run(share[:5, :5], seeds[:5])
    tracer = Tracer(found, dict(enumerate(seeds[:5].tolist())))
    for number, value in zip(found.numbers.tolist(), found.values.tolist(), strict=True):
        chains = list(tracer.chains(number))
        assert sum(chain.amount for chain in chains) == pytest.approx(value, abs=1e-9)
        for chain in chains:
            assert chain.amount == pytest.approx(seeds[chain.nodes[0]] * float(np.prod(chain.factors)), abs=1e-9)


def test_a_cap_keeps_the_strongest_and_says_so() -> None:
    share = np.eye(6)[[1, 2, 3, 4, 5, 0]]
    expand = Matrix(share)
    found = spread(np.arange(6), np.arange(6.0), expand, hops=1, decay=1.0, expanded=2)
    assert found.cut
    assert found.expanded == expand.largest_frontier == 2
    assert found.of(np.arange(6)).tolist() == [5.0, 0, 0, 0, 0, 4.0]


def test_a_star_of_a_million_leaves_costs_as_much_as_its_limit() -> None:
    leaves, limit = 1_000_000, 128

    def expand(frontier: Numbers, _hop: int) -> Shares:
        hub = np.flatnonzero(frontier == 0)
        back = np.flatnonzero(frontier != 0)
        row = np.concatenate([np.repeat(hub, limit), back])
        number = np.concatenate([np.tile(np.arange(1, limit + 1), len(hub)), np.zeros(len(back), np.int64)])
        share = np.concatenate([np.full(limit * len(hub), 1 / leaves), np.ones(len(back))])
        return Shares(row, number, share, np.ones(len(row), np.int64), cut=len(hub) > 0)

    began = time.perf_counter()
    found = spread(np.array([0]), np.array([1.0]), expand, hops=3, decay=0.9, threshold=1e-12, expanded=256)
    assert found.edges <= 3 * (limit + 256)
    assert found.cut
    assert time.perf_counter() - began < 1.0


def test_a_flow_below_the_threshold_stops() -> None:
    chain = np.diag(np.ones(4), 1)
    assert run(chain, np.array([1.0, 0, 0, 0, 0]), 4, 0.1, threshold=0.005).numbers.tolist() == [1, 2]


@pytest.mark.parametrize(("decay", "seed"), [(1.1, 1.0), (-0.1, 1.0), (0.5, -1.0)])
def test_what_would_break_the_promises_is_refused(decay: float, seed: float) -> None:
    with pytest.raises(ValueError, match=r"outside|below"):
        run(np.eye(1), np.array([seed]), decay=decay)


def test_no_seeds_give_nothing() -> None:
    found = run(np.eye(3), np.zeros(3))
    assert not len(found.numbers)
    assert found.of(np.array([1, 2])).tolist() == [0, 0]
