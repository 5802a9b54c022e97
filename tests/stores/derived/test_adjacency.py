"""The adjacency against a plain list of edges."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.errors import StoreCorrupt, StoreError
from graphmem.stores.sqlite.adjacency import OPEN_LIMIT, Adjacency
from tests.stores.derived.conftest import opened

MENTIONS, NEXT, TITLE = 5, 4, 7
Edge = tuple[int, int, int]


def columns(edges: Iterable[Edge]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    array = np.array(list(edges), np.int64).reshape(-1, 3)
    return array[:, 0], array[:, 1], array[:, 2]


def add(adjacency: Adjacency, edges: dict[Edge, float], space: int = 1) -> None:
    adjacency.add(space, *columns(edges), np.array(list(edges.values())))


def sound(adjacency: Adjacency, edges: dict[Edge, float], space: int = 1) -> None:
    assert adjacency.check(space, *columns(edges), np.array(list(edges.values()))) == []


def around(adjacency: Adjacency, node: int, types: tuple[int, ...] = (), limit: int = OPEN_LIMIT) -> list[tuple]:
    got = adjacency.neighbours(1, np.array([node]), types, limit)
    return list(zip(got.number.tolist(), got.type.tolist(), got.forward.tolist(), got.weight.tolist(), strict=True))


def test_an_edge_is_seen_from_both_its_ends(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(3, 9, MENTIONS): 0.5})
    assert around(adjacency, 3) == [(9, MENTIONS, True, 0.5)]
    assert around(adjacency, 9) == [(3, MENTIONS, False, 0.5)]


def test_number_zero_and_weight_zero_are_values(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(0, 1, NEXT): 0.0})
    assert around(adjacency, 0) == [(1, NEXT, True, 0.0)]
    assert around(adjacency, 1) == [(0, NEXT, False, 0.0)]
    adjacency.update(1, *columns([(0, 1, NEXT)]), np.array([1.0]))
    adjacency.update(1, *columns([(0, 1, NEXT)]), np.array([0.0]))
    sound(adjacency, {(0, 1, NEXT): 0.0})


def test_a_number_beyond_four_bytes_is_refused(db: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match="node number"):
        add(Adjacency(db), {(1 << 32, 1, NEXT): 1.0})


def test_the_same_link_twice_is_one_link_with_the_higher_weight(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 0.5, (1, 3, NEXT): 0.5})
    add(adjacency, {(1, 2, NEXT): 0.75})
    adjacency.add(1, np.array([1, 1]), np.array([3, 3]), np.array([NEXT, NEXT]), np.array([0.25, 0.125]))
    sound(adjacency, {(1, 2, NEXT): 0.75, (1, 3, NEXT): 0.5})


def test_a_hub_beyond_many_chunks_loses_no_entry(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    edges: dict[Edge, float] = {}
    for first in range(1, 3000, 37):
        batch = {(n, 0, MENTIONS): 0.5 for n in range(first, min(first + 37, 3000))}
        add(adjacency, batch)
        edges |= batch
    assert adjacency.degree(1, np.array([0]))[0, MENTIONS] == 2999
    sound(adjacency, edges)
    got = adjacency.neighbours(1, np.array([0]), [MENTIONS])
    assert got.cut
    assert OPEN_LIMIT // 2 <= len(got.number) <= OPEN_LIMIT
    assert got.number.tolist() == list(range(3000 - len(got.number), 3000))


def test_a_hub_that_comes_in_one_batch_loses_no_entry(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    edges = {(n, 0, MENTIONS + n % 2): 0.5 for n in range(1, 20_000)}
    add(adjacency, edges)
    sound(adjacency, edges)
    assert adjacency.degree(1, np.array([0]))[0].sum() == 19_999


def test_a_hubs_rare_edges_stay_in_reach(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(0, 7, TITLE): 1.0, (0, 8, NEXT): 1.0})
    for first in range(10, 5000, 100):
        add(adjacency, {(n, 0, MENTIONS): 0.5 for n in range(first, first + 100)})
    got = adjacency.neighbours(1, np.array([0]), [TITLE, NEXT])
    assert got.number.tolist() == [7, 8]
    assert not got.cut


def test_a_limit_keeps_the_newest_after_the_type_filter(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(0, n, MENTIONS if n % 2 else NEXT): 1.0 for n in range(1, 41)})
    got = adjacency.neighbours(1, np.array([0, 5]), [MENTIONS], 3)
    assert got.number.tolist() == [35, 37, 39, 0]
    assert got.row.tolist() == [0, 0, 0, 1]
    assert got.cut
    assert got.degree[0, MENTIONS] == 20
    assert got.degree[0, NEXT] == 20
    assert not adjacency.neighbours(1, np.array([0, 5]), [MENTIONS], 20).cut


def test_a_frontier_may_repeat_and_hold_unknown_nodes(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 1.0, (2, 3, NEXT): 1.0})
    got = adjacency.neighbours(1, np.array([3, 99, 1, 3]))
    assert got.row.tolist() == [0, 2, 3]
    assert got.number.tolist() == [2, 2, 2]
    assert len(adjacency.neighbours(1, np.array([], np.int64)).row) == 0


def test_removing_from_a_hub_keeps_the_newest_in_reach(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    edges = {(n, 0, MENTIONS): 0.5 for n in range(1, 1500)}
    add(adjacency, edges)
    gone = [(n, 0, MENTIONS) for n in range(1100, 1500)] + [(3, 0, MENTIONS)]
    adjacency.remove(1, *columns(gone))
    for edge in gone:
        del edges[edge]
    sound(adjacency, edges)
    assert adjacency.neighbours(1, np.array([0])).number[-1] == 1099


def test_removing_what_is_not_there_says_so(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 1.0})
    with pytest.raises(StoreCorrupt, match="lacks an edge"):
        adjacency.remove(1, *columns([(1, 3, NEXT)]))


def test_a_removed_edge_leaves_no_entry_behind(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 1.0})
    adjacency.remove(1, *columns([(1, 2, NEXT)]))
    assert db.execute("SELECT count(*) FROM adjacency").fetchone() == (0,)


def test_spaces_do_not_see_each_other(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 1.0}, space=1)
    add(adjacency, {(1, 3, NEXT): 1.0}, space=2)
    adjacency.clear(2)
    sound(adjacency, {(1, 2, NEXT): 1.0}, space=1)
    sound(adjacency, {}, space=2)


def test_check_sees_a_lost_and_a_changed_entry(db: sqlite3.Connection) -> None:
    adjacency = Adjacency(db)
    add(adjacency, {(1, 2, NEXT): 1.0, (1, 3, NEXT): 1.0})
    assert adjacency.check(1, *columns([(1, 2, NEXT)]), np.array([1.0]))
    assert adjacency.check(1, *columns([(1, 2, NEXT), (1, 3, NEXT)]), np.array([1.0, 0.5]))
    db.execute("DELETE FROM adjacency WHERE node = ?", (1 << 40 | 2,))
    assert adjacency.check(1, *columns([(1, 2, NEXT), (1, 3, NEXT)]), np.array([1.0, 1.0]))


edge = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 3))
step = st.one_of(
    st.tuples(st.just("add"), st.lists(edge, max_size=12)),
    st.tuples(st.just("remove"), st.lists(edge, max_size=6)),
    st.tuples(st.just("update"), st.lists(edge, max_size=4)),
    st.tuples(st.just("swell"), st.integers(0, 1500)),
    st.tuples(st.just("thin"), st.integers(1, 5)),
    st.tuples(st.just("weigh"), st.integers(1, 5)),
)


@given(st.lists(step, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_the_adjacency_equals_the_edges_after_any_changes(steps: list, data: st.DataObject) -> None:
    db = opened()
    adjacency, truth, fresh = Adjacency(db), {}, 1000
    for what, values in steps:
        if what == "swell":
            new = {(0, fresh + i, 2): 0.5 for i in range(values)}
            fresh += values
            add(adjacency, new)
            truth |= new
            continue
        if what in ("thin", "weigh"):
            some = [e for e in truth if e[1] >= 1000][::values]
            if what == "thin":
                adjacency.remove(1, *columns(some))
                truth = {e: weight for e, weight in truth.items() if e not in set(some)}
            else:
                adjacency.update(1, *columns(some), np.full(len(some), values / 256))
                truth |= dict.fromkeys(some, values / 256)
            continue
        edges = sorted(set(values))
        if what == "add":
            new = {e: data.draw(st.integers(0, 256)) / 256 for e in edges if e not in truth}
            add(adjacency, new)
            truth |= new
            continue
        there = [e for e in edges if e in truth]
        if what == "remove":
            adjacency.remove(1, *columns(there))
            for e in there:
                del truth[e]
        else:
            new = {e: data.draw(st.integers(0, 256)) / 256 for e in there}
            adjacency.update(1, *columns(new), np.array(list(new.values())))
            truth |= new
    sound(adjacency, truth)
    got = adjacency.neighbours(1, np.arange(13))
    for node in range(1, 13):
        rows = got.row == node
        seen = Counter(zip(got.number[rows].tolist(), got.type[rows].tolist(), got.forward[rows].tolist(), strict=True))
        wanted = Counter((d, t, True) for s, d, t in truth if s == node)
        wanted += Counter((s, t, False) for s, d, t in truth if d == node)
        assert seen == wanted
    for t in (1, 2, 3):
        assert got.degree[0, t] == sum((s == 0) + (d == 0) for s, d, kind in truth if kind == t)
    db.close()
