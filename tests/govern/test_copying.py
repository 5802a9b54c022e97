"""A space copied from store to store: same ids, digests and history; resumed after a kill; made again for more."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from graphmem.errors import NotFound, StoreError
from graphmem.govern.copying import Progress, copy
from graphmem.schema import Batch, Item, ItemState, JobState, NodeKind, Refusal, Space
from graphmem.stores.base import Store
from graphmem.stores.neo4j import Neo4jStore
from graphmem.stores.sqlite import SqliteStore
from tests.neo4j.fixtures import SERVERS, ServerOf
from tests.neo4j.server import Server
from tests.stores.building import Chat, Turn, sentences, vector
from tests.stores.test_contract_random import Player

SEEDS = 40 if os.environ.get("SIZE") == "full" else 6
Opener = Callable[[str, str], Store]


#: From which store to which. On the way are all of them: 5.26 to 2026.09 is in tests/neo4j/test_command_line.py.
PAIRS = [("sqlite", "sqlite"), *(("sqlite", f"neo4j {SERVERS[-1]}"), (f"neo4j {SERVERS[0]}", "sqlite"))]

#: Random plays: many between files, a few with a server, which takes seconds for what a file does in a tenth.
PLAYED = [(pair, seed) for pair in PAIRS for seed in range(SEEDS if pair == PAIRS[0] else max(1, SEEDS // 6))]


@pytest.fixture(params=PAIRS, ids=" to ".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    named: tuple[str, str] = request.param
    return named


@pytest.fixture
def opened(tmp_path: Path, neo4j_server_of: ServerOf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens an empty store: "sqlite", or "neo4j" and the line of the server."""
    with ExitStack() as ends:

        def of(name: str, file: str) -> Store:
            kind, _, line = name.partition(" ")
            store = SqliteStore(tmp_path / file) if kind == "sqlite" else emptied(neo4j_server_of(line), monkeypatch)
            ends.callback(store.close)
            return store

        yield of


def emptied(server: Server, monkeypatch: pytest.MonkeyPatch) -> Neo4jStore:
    server.empty()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Neo4jStore(server.uri)


@pytest.fixture
def source(pair: tuple[str, str], opened: Opener) -> Store:
    return opened(pair[0], "source.db")


@pytest.fixture
def target(pair: tuple[str, str], opened: Opener) -> Store:
    return opened(pair[1], "target.db")


def write(store: Store, space: Space, *texts: str, name: str = "chat", **fields: object) -> list[Turn]:
    chat = Chat(space, name)
    turns = [chat.turn(n, text, "Ada", "Lake", at_us=n) for n, text in enumerate(texts)]
    store.write(space, chat.batch(*turns, **fields))  # type: ignore[arg-type]
    return turns


def same(source: Store, target: Store, name: str = "default") -> None:
    """Both stores hold the same, soundly."""
    theirs, ours = source.space(name, create=False), target.space(name, create=False)
    assert (ours.key, ours.embedder) == (theirs.key, theirs.embedder)
    with source.reader(theirs) as a, target.reader(ours) as b:
        assert b.check() == []
        assert (b.digest(), b.evidence_digest(), b.seq) == (a.digest(), a.evidence_digest(), a.seq)
        assert b.counts() == a.counts()
        told = [[(c.seq, c.job, c.actor, c.at_us, c.cause) for c in reader.commits(limit=10_000)] for reader in (a, b)]
        assert told[0] == told[1]
        assert b.jobs() == a.jobs()
        for job in a.jobs():
            assert (b.items(job.id), b.refusals(job.id)) == (a.items(job.id), a.refusals(job.id))


def test_a_copy_has_the_same_digests_vectors_and_order(source: Store, target: Store) -> None:
    space = source.space("default")
    turns = write(source, space, *sentences(30))
    (report,) = copy(source, target)
    assert (report.commits, report.nodes, report.same) == (1, len({n.id for t in turns for n in t.nodes}) + 2, True)
    same(source, target)
    with source.reader(space) as a, target.reader(target.space("default")) as b:
        ids = [turn.note.id for turn in turns]
        assert b.numbers(ids).tolist() == a.numbers(ids).tolist()
        assert b.get(ids) == a.get(ids)
        query = vector(turns[3].note.text).astype("float32")
        found = [reader.dense(query, 10, [NodeKind.NOTE]) for reader in (a, b)]
        assert found[0].numbers.tolist() == found[1].numbers.tolist()
        assert found[0].scores.tolist() == found[1].scores.tolist()
        tokens = [reader.tokens(reader.numbers([turns[3].passage.id])) for reader in (a, b)]
        assert tokens[0][1].tolist() == tokens[1][1].tolist()
        assert b.aliases([turns[0].entities[0].id]) == a.aliases([turns[0].entities[0].id])


def test_a_copy_keeps_the_history_of_a_note(source: Store, target: Store) -> None:
    space = source.space("default")
    (turn,) = write(source, space, "The gate is blue.")
    for version, context in ((1, "first"), (2, "second")):
        source.write(space, Batch(cause="evolve", nodes=(replace(turn.note, context=context, version=version),)))
    copy(source, target)
    same(source, target)
    with source.reader(space) as a, target.reader(target.space("default")) as b:
        told = [[(c.seq, c.cause, x.op, x.before) for c, x in reader.history(turn.note.id)] for reader in (a, b)]
        assert told[0] == told[1]
        assert b.get([turn.note.id]) == a.get([turn.note.id])


def test_a_copied_job_keeps_its_state_items_and_refusals_and_can_be_undone(source: Store, target: Store) -> None:
    space = source.space("default")
    write(source, space, "The gate is blue.")
    before = copy(source, target)[0].digest
    job = source.open_job(space, {"kind": "ingest", "paths": ["a", "b"]})
    source.put_items(space, [Item(job.id, key, ItemState.DONE, 2) for key in "ab"])
    (turn,) = write(source, space, "The door is red.", name="second", job=job.id)
    source.write(space, Batch(job=job.id, refusals=(Refusal("link", turn.note.id, "not borne out"),)))
    source.close_job(space, job.id, JobState.DONE)
    for _ in range(2):
        copy(source, target)
        same(source, target)
    target.undo(target.space("default"), job.id)
    with target.reader(target.space("default")) as reader:
        assert reader.digest() == before


def test_a_retired_passage_copied_comes_back_whole_when_its_job_is_undone(source: Store, target: Store) -> None:
    space = source.space("default")
    (old,) = write(source, space, "The gate is blue.")
    job = source.open_job(space, {})
    source.write(space, Batch(job=job.id, retire=(old.passage.id, old.note.id)))
    copy(source, target)
    same(source, target)
    ours = target.space("default")
    target.undo(ours, job.id)
    with target.reader(ours) as reader:
        assert reader.check() == []
        found = reader.dense(vector(old.note.text).astype("float32"), 1, [NodeKind.NOTE])
        assert found.numbers.tolist() == reader.numbers([old.note.id]).tolist()


def test_a_name_first_seen_in_an_erased_passage_is_copied_with_the_one_that_spells_it_now(
    source: Store, target: Store
) -> None:
    space = source.space("default")
    first = write(source, space, "The Lake is cold.")
    write(source, space, "Nobody saw the Lake.", name="second")
    source.forget(space, [first[0].passage.id])
    copy(source, target)
    same(source, target)


@pytest.mark.parametrize(("pair", "seed"), PLAYED, ids=str)
def test_whatever_happened_to_a_space_its_copy_is_the_same(pair: tuple[str, str], seed: int, opened: Opener) -> None:
    """Writes, updates, links, deletes, retired, undone and forgotten things."""
    source, target = opened(pair[0], "source.db"), opened(pair[1], "target.db")
    space = source.space("default")
    player = Player(source, space, random.Random(seed))
    for _ in range(3):
        job = source.open_job(space, {})
        for _ in range(8):
            player.play(player.rng.choice("say say update link link summarise delete retire".split()), job.id)
        player.play(player.rng.choice("say forget update".split()))
        if player.rng.random() < 0.4:
            with suppress(StoreError):  # something later builds on it
                source.undo(space, job.id)
    copy(source, target)
    same(source, target)


def test_a_copy_made_again_brings_over_what_came_since(source: Store, target: Store) -> None:
    space = source.space("default")
    write(source, space, "The gate is blue.")
    assert copy(source, target)[0].commits == 1
    assert copy(source, target)[0].commits == 0
    write(source, space, "The door is red.", name="second")
    assert copy(source, target)[0].commits == 1
    same(source, target)


def test_all_spaces_are_copied_or_those_that_are_named(source: Store, target: Store) -> None:
    for name in ("ada", "ben", "cy"):
        write(source, source.space(name), f"{name} sings.")
    assert [report.space for report in copy(source, target, ["ben"])] == ["ben"]
    assert [space.name for space in target.spaces()] == ["ben"]
    copy(source, target)
    for name in ("ada", "ben", "cy"):
        same(source, target, name)
    with pytest.raises(NotFound):
        copy(source, target, ["dora"])


def test_an_empty_space_is_copied(source: Store, target: Store) -> None:
    source.name_embedder(source.space("default"), "minilm")
    copy(source, target)
    same(source, target)


def test_a_target_with_a_history_of_its_own_is_left_alone(source: Store, target: Store) -> None:
    write(source, source.space("default"), "The gate is blue.")
    other = target.space("default")
    write(target, other, "Mine.")
    with pytest.raises(StoreError, match="another key"):
        copy(source, target)
    again = target.space("second", key=source.space("default").key)
    write(source, source.space("second", key=again.key), "Theirs.")
    write(target, again, "Mine.")
    with pytest.raises(StoreError, match="history of its own"):
        copy(source, target, ["second"])


def test_progress_counts_commits_up_to_the_last(source: Store, target: Store) -> None:
    space = source.space("default")
    for n in range(5):
        write(source, space, f"Turn {n}.", name=f"chat {n}")
    told: list[Progress] = []
    copy(source, target, progress=told.append)
    assert [now.done for now in told] == [0, 1, 2, 3, 4, 5]
    assert {now.total for now in told} == {5}
