"""Codes that a process keeps of a Neo4j space, kept up by what the journal tells: against a graph in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.errors import StoreBusy
from graphmem.stores.neo4j import code_cache as module
from graphmem.stores.neo4j.code_cache import CodeCache, Place, Table, chosen
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.held import SINCE
from graphmem.stores.scan import encode

SPACE, KIND, DIMENSION = 3, 4, 64
PLACE = Place(SPACE, KIND, DIMENSION)
BASE = SPACE << 40
HEAD = bytes(31)


class Graph:
    """Nodes of a space and which of them each commit changed: it answers the two questions that the cache asks."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.changed: list[set[int]] = []
        self.next = 1
        self.pages = 0
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def commit(self, new: int, again: set[int] = frozenset(), gone: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """`new` nodes come, some get (or get back) a vector, some go."""
        rng = np.random.default_rng([self.next, len(self.changed)])
        made = set(range(self.next, self.next + new))
        self.next += new
        for number in made | again:
            self.rows[number] = rng.standard_normal(DIMENSION).astype(np.float16).tobytes()
        for number in gone:
            self.rows.pop(number, None)
        self.changed.append(made | again | gone)

    @property
    def counter(self) -> Counter:
        return Counter(SPACE, len(self.changed), self.next, b"", 0, {})

    def read(self, statement: str, asked: Mapping[str, Any]) -> list[list[Any]]:
        if statement == SINCE:
            told = set[int]().union(*self.changed[asked["after"] : asked["seq"]])
            return [[[[BASE + n, self.rows.get(n), HEAD if n in self.rows else None] for n in told]]]
        assert self.gate.wait(10)
        if self.fails:
            raise StoreBusy("no")
        self.pages += 1
        page = [n for n in sorted(self.rows) if asked["after"] < BASE + n < asked["end"]][: asked["page"]]
        return [[[BASE + n for n in page], [self.rows[n] for n in page]]]

    def table(self, cache: CodeCache) -> Table | None:
        return cache.table(self.read, PLACE, self.counter, len(self.rows))

    def warm(self, cache: CodeCache) -> Table:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if (table := self.table(cache)) is not None:
                return table
            time.sleep(0.005)
        raise AssertionError("nothing was loaded")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 8)
    monkeypatch.setattr(module, "PAGE", 4)


def assert_same(table: Table, graph: Graph) -> None:
    numbers = [int(n) for segment in table.segments for n in segment.numbers]
    assert numbers == sorted(graph.rows)
    assert all(0 < len(segment.numbers) <= module.SEGMENT for segment in table.segments)
    codes = [segment.words.T.copy().view(np.uint8) for segment in table.segments]
    rows = np.frombuffer(b"".join(graph.rows[n] for n in numbers), "<f2").reshape(-1, DIMENSION)
    assert not numbers or np.array_equal(np.concatenate(codes), encode(rows))


def test_the_first_question_loads_nothing_and_the_second_does_beside_it() -> None:
    graph = Graph()
    graph.commit(30)
    cache = CodeCache(graph.read)
    assert graph.table(cache) is None
    assert graph.pages == 0
    assert_same(graph.warm(cache), graph)
    cache.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.randoms(use_true_random=False)), max_size=8))
def test_a_table_follows_the_journal(steps: list[tuple[int, Any]]) -> None:
    graph = Graph()
    graph.commit(20)
    cache = CodeCache(graph.read)
    assert_same(graph.warm(cache), graph)
    pages = graph.pages
    for new, rng in steps:
        older = range(1, graph.next)
        gone = set(rng.sample(older, rng.randint(0, min(9, len(older)))))
        again = set(rng.sample(older, rng.randint(0, 3))) - gone
        graph.commit(new, again, gone)
        table = graph.table(cache)
        assert table is not None and table.seq == len(graph.changed)
        assert_same(table, graph)
    assert graph.pages == pages
    cache.close()


def test_all_may_go_and_come_again() -> None:
    graph = Graph()
    graph.commit(20)
    cache = CodeCache(graph.read)
    graph.warm(cache)
    graph.commit(0, gone=set(range(1, 21)))
    table = graph.table(cache)
    assert table is not None and not table.segments
    assert len(chosen([table], np.ones(DIMENSION, np.float32), 5, graph.next)) == 0
    graph.commit(3, again={7})
    table = graph.table(cache)
    assert table is not None
    assert_same(table, graph)
    cache.close()


def test_what_is_written_while_codes_are_loaded_is_in_them() -> None:
    graph = Graph()
    graph.commit(40)
    cache = CodeCache(graph.read)
    graph.table(cache)
    graph.gate.clear()
    assert graph.table(cache) is None  # the loader waits at the gate
    graph.commit(5, again={2}, gone={3, 30})
    graph.gate.set()
    assert_same(graph.warm(cache), graph)
    cache.close()


def test_what_is_forgotten_while_codes_are_loaded_is_not_kept() -> None:
    graph = Graph()
    graph.commit(40)
    cache = CodeCache(graph.read)
    graph.table(cache)
    graph.gate.clear()
    graph.table(cache)
    loading = cache._loading
    assert loading is not None and loading.thread is not None
    cache.drop(SPACE)
    graph.gate.set()
    loading.thread.join(10)
    assert cache._held.get(SPACE, KIND) is None
    assert_same(graph.warm(cache), graph)
    cache.close()


def test_a_table_that_is_far_behind_is_loaded_again_beside_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NEW", 10)
    graph = Graph()
    graph.commit(20)
    cache = CodeCache(graph.read)
    graph.warm(cache)
    pages = graph.pages
    graph.commit(11)
    assert graph.table(cache) is None
    assert_same(graph.warm(cache), graph)
    assert graph.pages > pages
    cache.close()


def test_a_space_that_does_not_fit_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 30 * 12 - 1)
    graph = Graph()
    graph.commit(30)
    cache = CodeCache(graph.read)
    assert [graph.table(cache) for _ in range(4)] == [None] * 4
    assert graph.pages == 0 and cache._loading is None
    cache.close()


def test_a_space_that_outgrows_the_limit_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 30 * 12)
    graph = Graph()
    graph.commit(30)
    cache = CodeCache(graph.read)
    graph.warm(cache)
    graph.commit(1)
    assert graph.table(cache) is None and cache._held.get(SPACE, KIND) is None
    graph.commit(0, gone={4})
    assert_same(graph.warm(cache), graph)
    cache.close()


def test_a_load_that_fails_is_tried_again_with_a_later_question() -> None:
    graph = Graph()
    graph.commit(30)
    graph.fails = True
    cache = CodeCache(graph.read)
    assert [graph.table(cache) for _ in range(3)] == [None] * 3
    graph.fails = False
    assert_same(graph.warm(cache), graph)
    cache.close()


def test_closing_ends_a_load() -> None:
    graph = Graph()
    graph.commit(400)
    cache = CodeCache(graph.read)
    graph.table(cache)
    graph.gate.clear()
    graph.table(cache)
    threading.Timer(0.05, graph.gate.set).start()
    cache.close()
    assert graph.pages < 100 and cache._loading is None
    assert graph.table(cache) is None and cache._loading is None


def test_only_numbers_from_before_the_reader_are_chosen_the_nearest_first() -> None:
    graph = Graph()
    graph.commit(30)
    cache = CodeCache(graph.read)
    table = graph.warm(cache)
    query = np.frombuffer(graph.rows[17], "<f2").astype(np.float32)
    assert chosen([table], query, 5, graph.next)[0] == 17
    assert sorted(chosen([table], query, 5, 10).tolist()) == list(range(1, 10))
    assert len(chosen([table], query, 5, 1)) == 0
    cache.close()


def test_a_vector_of_length_zero_is_never_chosen_and_chooses_nothing() -> None:
    graph = Graph()
    graph.commit(6)
    graph.rows[2] = bytes(2 * DIMENSION)
    cache = CodeCache(graph.read)
    table = graph.warm(cache)
    query = np.frombuffer(graph.rows[3], "<f2").astype(np.float32)
    assert sorted(chosen([table], query, 5, graph.next).tolist()) == [1, 3, 4, 5, 6]
    assert len(chosen([table], 0 * query, 5, graph.next)) == 0
    graph.rows[3] = bytes(2 * DIMENSION)
    graph.changed.append({3})
    table = graph.table(cache)
    assert table is not None
    assert sorted(chosen([table], query, 5, graph.next).tolist()) == [1, 4, 5, 6]
    graph.rows = dict.fromkeys(graph.rows, bytes(2 * DIMENSION))
    other = CodeCache(graph.read)
    assert graph.warm(other).segments == ()
    cache.close()
    other.close()
