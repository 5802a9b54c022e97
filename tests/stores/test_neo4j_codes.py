"""Codes of larger spaces on a server: they find what scoring everything finds, whatever is written meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from neo4j import Query
from neo4j.exceptions import Neo4jError

from graphmem.memory import Memory
from graphmem.recall import recall
from graphmem.schema import Batch, NodeKind, Space
from graphmem.stores.base import Floats, Wanted
from graphmem.stores.neo4j import Neo4jStore, code_cache
from graphmem.stores.neo4j import reader as reader_module
from tests.neo4j.server import Server
from tests.stores.building import Chat, Turn, sentences, vector
from tests.stores.test_neo4j_differential import QUESTIONS, Words

TEXTS = sentences(60)
QUERY = vector("anything").astype(np.float32)


@pytest.fixture
def store(neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neo4jStore]:
    """A store whose every space is large."""
    for name, value in neo4j_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reader_module, "EXACT_LIMIT", 0)
    monkeypatch.setattr(code_cache, "PAGE", 16)
    opened = Neo4jStore(neo4j_server.uri)
    yield opened
    opened.close()


@pytest.fixture
def space(store: Neo4jStore) -> Iterator[Space]:
    made = store.space(f"codes {uuid4().hex}")
    yield made
    store.forget_space(made)


def turns(chat: Chat, first: int, count: int) -> list[Turn]:
    return [chat.turn(n, TEXTS[n], f"Speaker {n % 3}") for n in range(first, first + count)]


def warm(store: Neo4jStore, space: Space) -> None:
    end = time.monotonic() + 20
    while store._codes._held.get(space.number, NodeKind.NOTE) is None:
        assert time.monotonic() < end, "no codes were loaded"
        with store.reader(space) as reader:
            reader.dense(QUERY, 1, [NodeKind.NOTE])
        time.sleep(0.01)


def found(store: Neo4jStore, space: Space, query: Floats = QUERY) -> list[int]:
    with store.reader(space) as reader:
        near = reader.dense(query, 10, [NodeKind.NOTE])
        assert not near.exact
        searched = reader.search(Wanted(("gate",), query, 5, 10))
        assert searched.notes.numbers.tolist() == near.numbers.tolist()
    return near.numbers.tolist()


def true(store: Neo4jStore, space: Space, query: Floats = QUERY) -> list[int]:
    """The ten nearest of all live notes."""
    with store.reader(space) as reader:
        notes = reader.page(NodeKind.NOTE, limit=1000)
        numbers = np.sort(reader.numbers([note.id for note in notes]))
        scores = reader.cosine(query, numbers)
    return numbers[np.lexsort((numbers, -scores))[:10]].tolist()


def test_a_cold_store_asks_the_index_and_codes_find_the_same(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 40)))
    assert store._codes._held.get(space.number, NodeKind.NOTE) is None
    cold = found(store, space)
    warm(store, space)
    assert cold == found(store, space) == true(store, space)


def test_an_index_that_cannot_search_within_a_space_is_asked_over_all(
    store: Neo4jStore, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What 2026.09 says right after an erasure now and then; the server's own words are raised in its place."""
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 40)))
    cold = found(store, space)
    run = store._server._run

    def failing(mode: str, query: Query, parameters: dict[str, Any]) -> Any:
        if "SEARCH n IN" in str(query):
            raise Neo4jError._hydrate_neo4j(
                code="Neo.DatabaseError.Statement.ExecutionFailed", message="Index 33554431 out of bounds for length 1"
            )
        return run(mode, query, parameters)

    monkeypatch.setattr(code_cache, "LIMIT_BYTES", 0)
    monkeypatch.setattr(store._server, "_run", failing)
    assert found(store, space) == cold


def test_a_write_is_found_at_once_and_what_goes_is_not(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 20)))
    warm(store, space)
    new = chat.turn(30, TEXTS[30])
    job = store.open_job(space, {})
    store.write(space, chat.batch(new, job=job.id))
    first = found(store, space, vector(TEXTS[30]).astype(np.float32))[0]
    with store.reader(space) as reader:
        assert reader.numbers([new.note.id]).tolist() == [first]
    store.undo(space, job.id)
    assert first not in found(store, space, vector(TEXTS[30]).astype(np.float32))
    gone = turns(chat, 0, 20)[7]
    store.forget(space, [gone.passage.id])
    warm(store, space)
    assert found(store, space) == true(store, space)
    with store.reader(space) as reader:
        assert reader.check() == []


def test_retired_and_undone_notes_leave_and_return(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 20)))
    warm(store, space)
    query = vector(TEXTS[5]).astype(np.float32)
    before = found(store, space, query)
    job = store.open_job(space, {})
    store.write(space, Batch(job=job.id, retire=(turns(chat, 5, 1)[0].note.id,)))
    after = found(store, space, query)
    assert before[0] not in after and after == true(store, space, query)
    store.undo(space, job.id)
    assert found(store, space, query) == before


def test_another_process_s_writes_are_seen(store: Neo4jStore, space: Space, neo4j_server: Server) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 20)))
    warm(store, space)
    other = Neo4jStore(neo4j_server.uri)
    try:
        other.write(space, chat.batch(*turns(chat, 20, 20)))
        assert found(store, space) == true(store, space)
        other.forget(space, [turns(chat, 3, 1)[0].passage.id])
        assert found(store, space) == true(store, space)
        assert found(other, space) == true(store, space)  # reopened, cold
    finally:
        other.close()


def test_an_older_reader_sees_no_newer_note(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 20)))
    warm(store, space)
    query = vector(TEXTS[25]).astype(np.float32)
    with store.reader(space) as older:
        before = older.dense(query, 10, [NodeKind.NOTE]).numbers.tolist()
        store.write(space, chat.batch(*turns(chat, 20, 10)))
        assert found(store, space, query) == true(store, space, query)
        assert older.dense(query, 10, [NodeKind.NOTE]).numbers.tolist() == before


def test_no_other_space_is_seen(store: Neo4jStore, space: Space) -> None:
    other = store.space(f"codes {uuid4().hex}")
    for where, first in ((space, 0), (other, 20)):
        chat = Chat(where)
        store.write(where, chat.batch(*turns(chat, first, 20)))
        warm(store, where)
    query = vector(TEXTS[25]).astype(np.float32)
    with store.reader(space) as reader:
        scores = reader.dense(query, 20, [NodeKind.NOTE]).scores
    assert len(scores) == 20 and scores[0] < 0.9
    assert found(store, other, query) == true(store, other, query)
    store.forget_space(other)
    assert store._codes._held.get(other.number, NodeKind.NOTE) is None


def test_questions_during_writes_find_what_was_acknowledged(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 20)))
    warm(store, space)
    acknowledged, wrong = [19], list[int]()

    def write() -> None:
        for n in range(20, 50):
            store.write(space, chat.batch(chat.turn(n, TEXTS[n]), durable=False))
            acknowledged.append(n)

    def ask() -> None:
        while acknowledged[-1] < 49:
            n = acknowledged[-1]
            with store.reader(space) as reader:
                near = reader.dense(vector(TEXTS[n]).astype(np.float32), 1, [NodeKind.NOTE])
                if near.scores[0] < 0.99:
                    wrong.append(n)

    workers = [threading.Thread(target=work) for work in (write, ask, ask)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == [] and acknowledged[-1] == 49
    assert found(store, space) == true(store, space)


def test_a_recall_takes_six_round_trips_also_after_a_write(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    store.write(space, chat.batch(*turns(chat, 0, 40)))
    warm(store, space)
    for n, question in enumerate(QUESTIONS):
        if n % 2:
            store.write(space, chat.batch(*turns(chat, 40 + n, 1)))
        before = store.round_trips
        result = recall(store, space, question, Words(), limit=5)  # type: ignore[arg-type]
        assert result.passages and "approximate: vector search was not exact" in result.degraded
        assert store.round_trips - before <= 6


def test_vectors_of_length_zero_break_no_search(store: Neo4jStore, space: Space) -> None:
    chat = Chat(space)
    batch = chat.batch(*turns(chat, 0, 20))
    assert batch.vectors is not None
    vectors = batch.vectors.copy()
    vectors[3] = 0
    store.write(space, replace(batch, vectors=vectors))
    warm(store, space)
    assert found(store, space)
    with store.reader(space) as reader:
        searched = reader.search(Wanted(("gate",), 0 * QUERY, 5, 10))
    assert len(searched.notes.numbers) == 0


def test_a_recall_that_weighs_what_holds_takes_six_round_trips(
    neo4j_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the bundled embedder, whose vectors the standing of statements is judged by."""
    for name, value in neo4j_server.environment.items():
        monkeypatch.setenv(name, value)
    opened = Neo4jStore(neo4j_server.uri)
    memory = Memory(opened, space=f"holds {uuid4().hex}")
    try:
        for month, town in ((1, "Lisbon"), (4, "Turin"), (9, "Zurich")):
            memory.remember(f"I live in {town} now.", speaker="Ada", at=f"2025-{month:02}-03")
            memory.remember("We had a lovely picnic by the river.", speaker="Ben", at=f"2025-{month:02}-04")
        asked = "Where does Ada live now?"
        trips = []
        for _ in range(2):
            before = opened.round_trips
            told = memory.recall(asked)
            trips.append(opened.round_trips - before)
        assert any(step.kind == "prior:standing" for hit in told.hits for path in hit.paths for step in path.steps)
        assert told.passages[0].passage.text == "I live in Zurich now."
        assert max(trips) <= 6
    finally:
        opened.forget_space(memory.space)
        opened.close()
