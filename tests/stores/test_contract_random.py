"""Random operations in random order: the store is sound after each, and a job undone leaves what was there before."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace

import pytest

from graphmem.errors import Conflict, InputError
from graphmem.schema import LINK_KINDS, Batch, Edge, Hyperedge, Id, NodeKind, Note, NoteKind, Space, note_id
from graphmem.stores.base import Store
from tests.stores.building import Chat, Turn, sentences

SEEDS = 60 if os.environ.get("SIZE") == "full" else 6
NAMES = "Lake Roof Gate Tower Mill Bridge".split()


@dataclass
class Player:
    """Plays one operation at a time, each allowed to be refused, none to leave the store unsound."""

    store: Store
    space: Space
    rng: random.Random
    turns: list[Turn] = field(default_factory=list)
    said: int = 0

    def say(self, job: Id | None) -> None:
        chat, count = Chat(self.space, f"chat {self.rng.randrange(2)}"), self.rng.randint(1, 4)
        texts = sentences(count, self.rng.randrange(1_000))
        turns = [
            chat.turn(self.said + n, text, self.rng.choice(["Ada", "Ben"]), *self.rng.sample(NAMES, 2))
            for n, text in enumerate(texts)
        ]
        self.said += count
        self.store.write(self.space, chat.batch(*turns, job=job))
        self.turns += turns

    def update(self, job: Id | None) -> None:
        note = self.note()
        words = tuple(self.rng.sample(NAMES, self.rng.randrange(3)))
        self.store.write(
            self.space, Batch(job=job, nodes=(replace(note, keywords=words, context=words[0] if words else ""),))
        )

    def link(self, job: Id | None) -> None:
        a, b = self.note(), self.note()
        if a.id != b.id:
            edge = Edge(a.id, self.rng.choice(LINK_KINDS), b.id, self.rng.randrange(257), "because")
            self.store.write(self.space, Batch(job=job, edges=(edge,)))

    def summarise(self, job: Id | None) -> None:
        parents = tuple(dict.fromkeys(self.note().id for _ in range(3)))
        id = note_id(self.space.key, "summary", [], ":".join(parents))
        note = Note(id, NoteKind.SUMMARY, "All of it.", parents=parents)
        self.store.write(self.space, Batch(job=job, nodes=(note,)))

    def delete(self, job: Id | None) -> None:
        kind = self.rng.choice([NodeKind.NOTE, NodeKind.ENTITY, NodeKind.HYPEREDGE])
        with self.store.reader(self.space) as reader:
            nodes = reader.page(kind, limit=500)
        gone = [self.rng.choice(nodes)] if nodes else []
        if kind == NodeKind.ENTITY and gone:  # with the relations that it is a member of
            gone += [node for node in self.relations() if any(m.node == gone[0].id for m in node.members)]
        self.store.write(self.space, Batch(job=job, delete=tuple((node.id, node.version) for node in gone)))

    def relations(self) -> list[Hyperedge]:
        with self.store.reader(self.space) as reader:
            return [node for node in reader.page(NodeKind.HYPEREDGE, limit=500) if isinstance(node, Hyperedge)]

    def retire(self, job: Id | None) -> None:
        note = self.note()
        ids = (note.id, *(span.passage for span in note.spans))
        self.store.write(self.space, Batch(job=job, retire=ids))

    def forget(self, job: Id | None) -> None:  # noqa: ARG002 an erasure belongs to no job
        with self.store.reader(self.space) as reader:
            nodes = reader.page(self.rng.choice(list(NodeKind)), limit=50)
        if nodes:
            self.store.forget(self.space, [self.rng.choice(nodes).id])

    def note(self) -> Note:
        with self.store.reader(self.space) as reader:
            notes = reader.page(NodeKind.NOTE, limit=500)
        if not notes:
            raise InputError("there is no note yet")
        note = self.rng.choice(notes)
        assert isinstance(note, Note)
        return note

    def digest(self) -> str:
        with self.store.reader(self.space) as reader:
            assert reader.check() == []
            return reader.digest()

    def play(self, operation: str, job: Id | None = None) -> None:
        before = self.digest()
        try:
            getattr(self, operation)(job)
        except (InputError, Conflict):
            assert self.digest() == before


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_order_of_operations_leaves_the_store_sound(store: Store, space: Space, seed: int) -> None:
    player = Player(store, space, random.Random(seed))
    operations = "say say update link link summarise delete retire forget".split()
    for _ in range(25):
        player.play(player.rng.choice(operations))
    before = player.digest()
    store.rebuild(space)
    assert player.digest() == before


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_job_is_undone_to_what_was_there_before(store: Store, space: Space, seed: int) -> None:
    player = Player(store, space, random.Random(100 + seed))
    for operation in "say say link summarise update".split():
        player.play(operation)
    before = player.digest()
    job = store.open_job(space, {})
    for _ in range(12):
        player.play(player.rng.choice("say update link link summarise delete retire".split()), job.id)
    store.undo(space, job.id)
    assert player.digest() == before
    for operation in "say update link forget".split():
        player.play(operation)
    assert player.digest()
