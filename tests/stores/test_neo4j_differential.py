"""One behaviour: the same operations on SQLite and on Neo4j give the same digests, journals, searches and recalls."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from graphmem.analysis import terms
from graphmem.embed import QueryVectors
from graphmem.errors import Conflict, GraphmemError, InputError
from graphmem.recall import BALANCED, recall
from graphmem.schema import Batch, Change, EdgeType, Id, NodeKind, Space
from graphmem.stores.base import Reader, Wanted
from graphmem.stores.neo4j import Neo4jStore
from graphmem.stores.sqlite import SqliteStore
from tests.neo4j.server import Server
from tests.stores.building import vector
from tests.stores.test_contract_random import NAMES, Player

EXAMPLES, STEPS = (60, 30) if os.environ.get("SIZE") == "full" else (4, 12)
QUESTIONS = (
    "Where is the gate of the garden?",
    "What does Ada tell of the Lake?",
    "river lamp bread",
    "Who said Roof?",
)


class Words:
    """An embedder by the words' own vectors: the same question, the same vectors."""

    name, dimension = "words", 384

    def query(self, text: str) -> QueryVectors:
        tokens = np.stack([vector(word) for word in text.split()]).astype(np.float32)
        return QueryVectors(vector(text).astype(np.float32), tokens)


class Both:
    """Two stores as one: what one does the other must do, or refuse for the same reason. Reads are the first's."""

    def __init__(self, one: SqliteStore, other: Neo4jStore, name: str) -> None:
        self.one, self.other = one, other
        key = random.Random(name).randbytes(16)
        self.spaces = one.space(name, key=key), other.space(name, key=key)

    def _do(self, what: Callable[[Any, Space], Any]) -> Any:
        results = []
        for store, space in zip((self.one, self.other), self.spaces, strict=True):
            try:
                results.append(what(store, space))
            except GraphmemError as error:
                results.append(error)
        first, second = results
        if isinstance(first, GraphmemError):
            assert (type(second), second.message) == (type(first), first.message)
            raise first
        assert not isinstance(second, GraphmemError), second
        return first, second

    def write(self, space: Space, batch: Batch) -> None:  # noqa: ARG002 each store has its own
        commits = self._do(lambda store, at: store.write(at, batch))
        told = [commit and (commit.seq, commit.changes, commit.cause) for commit in commits]
        assert told[0] == told[1]

    def forget(self, space: Space, ids: Sequence[Id]) -> None:  # noqa: ARG002
        reports = self._do(lambda store, at: store.forget(at, ids))
        assert reports[0].counts == reports[1].counts

    def undo(self, job: Id) -> None:
        self._do(lambda store, at: store.undo(at, job))

    def reader(self, space: Space) -> AbstractContextManager[Reader]:  # noqa: ARG002
        return self.one.reader(self.spaces[0])

    def same(self, what: Callable[[Reader], object]) -> None:
        with self.one.reader(self.spaces[0]) as one, self.other.reader(self.spaces[1]) as other:
            assert what(other) == what(one)


def rows_of(reader: Reader) -> object:
    told = [(change.id, change.op, image(change)) for change in reader.changes(reader.seq)] if reader.seq else []
    return reader.digest(), reader.evidence_digest(), reader.counts(), sorted(told, key=str), reader.check()


def image(change: Change) -> object:
    """The image before, with names alone of its aliases: where each was first seen is the store's own number."""
    before = dict(change.before or {})
    before["aliases"] = [folded for folded, *_ in before.get("aliases", ())]  # type: ignore[attr-defined]
    return before if change.before is not None else None


def searches_of(reader: Reader) -> object:
    query = vector("anything").astype(np.float32)
    text, all_text = reader.text(terms("gate river lamp gate"), 5), reader.text(terms("gate"), None)
    near = reader.dense(query, 20, [NodeKind.NOTE, NodeKind.PASSAGE])
    times = reader.times(0, 40_000_000_000, 10)
    found = reader.search(Wanted(terms("garden lamp"), query, 5, 5, (0, 40_000_000_000), 5))
    named = reader.named(["ada", "lake", "nobody"], limit=8)
    parts = (text, all_text, near, times, found.text, found.notes)
    arrays = [part.numbers.tolist() for part in parts] + [np.round(part.scores, 5).tolist() for part in parts]
    return arrays, found.note_owner.tolist(), found.timed.tolist(), named.number.tolist(), named.speaks.tolist()


def graph_of(reader: Reader) -> object:
    numbers = np.unique(reader.dense(vector("x").astype(np.float32), 30, [NodeKind.NOTE, NodeKind.PASSAGE]).numbers)
    numbers = np.concatenate([numbers, np.unique(reader.entities(["ada", "lake", "gate"]).number)])
    hops = reader.neighbours(numbers, [])
    edges = sorted(zip(hops.row, hops.number, hops.type, hops.forward, hops.weight, strict=True))
    heads = reader.heads(numbers)
    columns = [getattr(heads, name).tolist() for name in heads.__slots__]
    notes = [part.tolist() for part in reader.notes_of(numbers)]
    return [tuple(map(float, edge)) for edge in edges], hops.degree.tolist(), columns, notes


class Same(RuleBasedStateMachine):
    server: Server

    @initialize(seed=st.integers(0, 1_000_000))
    def begin(self, seed: int) -> None:
        self.folder = TemporaryDirectory()
        one = SqliteStore(Path(self.folder.name) / "a.db")
        self.both = Both(one, Neo4jStore(self.server.uri), f"same {uuid4().hex}")
        self.player = Player(self.both, self.both.spaces[0], random.Random(seed))  # type: ignore[arg-type]
        self.job: Id | None = None

    def play(self, operation: str) -> None:
        with suppress(InputError, Conflict):
            getattr(self.player, operation)(self.job)

    @rule(operation=st.sampled_from("say say say update link summarise delete retire".split()))
    def change(self, operation: str) -> None:
        self.play(operation)

    @precondition(lambda self: self.job is None)
    @rule()
    def forget(self) -> None:
        self.play("forget")

    @precondition(lambda self: self.job is None)
    @rule()
    def open_job(self) -> None:
        job = self.both.one.open_job(self.both.spaces[0], {"kind": "test"})
        self.both.other.put_jobs(self.both.spaces[1], [job])
        self.job = job.id

    @precondition(lambda self: self.job is not None)
    @rule(back=st.booleans())
    def close_job(self, back: bool) -> None:
        if back and self.job is not None:
            with suppress(Conflict):
                self.both.undo(self.job)
        self.job = None

    @rule()
    def rebuild(self) -> None:
        self.both._do(lambda store, space: store.rebuild(space))

    @rule(question=st.sampled_from(QUESTIONS), name=st.sampled_from(NAMES))
    def recall(self, question: str, name: str) -> None:
        asked = question.replace("Lake", name)
        found = [
            recall(store, space, asked, Words(), plan=BALANCED, limit=5)  # type: ignore[arg-type]
            for store, space in zip((self.both.one, self.both.other), self.both.spaces, strict=True)
        ]
        ids = [[ranked.passage.id for ranked in each.passages] for each in found]
        scores = [[ranked.score for ranked in each.passages] for each in found]
        assert ids[0] == ids[1]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)
        assert [hit.note.id for hit in found[0].hits] == [hit.note.id for hit in found[1].hits]

    @invariant()
    def the_same(self) -> None:
        if hasattr(self, "both"):
            self.both.same(rows_of)
            self.both.same(searches_of)
            self.both.same(graph_of)

    def teardown(self) -> None:
        if hasattr(self, "both"):
            self.both.other.forget_space(self.both.spaces[1])
            self.both.other.close()
            self.both.one.close()
            self.folder.cleanup()


def test_the_same_operations_give_the_same_memory(neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in neo4j_server.environment.items():
        monkeypatch.setenv(name, value)
    machine = type("Machine", (Same,), {"server": neo4j_server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=os.environ.get("SIZE") != "full",
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if os.environ.get("SIZE") == "full" else (Phase.generate,),
        ),
    )


def test_an_edge_type_has_its_relationship() -> None:
    from graphmem.stores.neo4j.model import RELATION, TYPE_OF

    assert {TYPE_OF[RELATION[type]] for type in EdgeType} == set(EdgeType)
