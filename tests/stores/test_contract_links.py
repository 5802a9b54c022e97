"""Activation over links and from derived notes: it reaches what was told first, and the paths say how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from graphmem.organize import Organizer, Piece, View
from graphmem.organize.links import Links
from graphmem.recall import BALANCED, Plan
from graphmem.recall.understand import understand
from graphmem.schema import Link, NodeKind, Note, NoteKind, RankedPassage, Recall, identity
from graphmem.schema.kinds import EdgeType
from graphmem.stores.base import Store
from graphmem.stores.neo4j import Neo4jStore

OPENED = "I began to make bowls last week."
ADDED = "Glazing the vases takes a whole day in summer."
TURNS = (OPENED, "Nice weather here.", "How is your sister doing?", "She is fine.", ADDED)
PLAIN = replace(BALANCED, near_gain=0.0, bridge_gain=0.0, section=0.0)


@dataclass(frozen=True, slots=True)
class Given:
    """One link, or one scene over two notes."""

    kind: EdgeType | None
    name: str = "given"

    def pieces(self, view: View) -> Iterator[Piece]:
        with view.reader() as reader:
            notes = {note.text: note for note in reader.page(NodeKind.NOTE, limit=100) if isinstance(note, Note)}
        old, new = notes[OPENED].id, notes[ADDED].id
        if self.kind is not None:
            yield Piece(edges=(Link(new, self.kind, old, 256, "it was given").edge(),))
            return
        scene = Note(identity(view.space.key, "note", "scene"), NoteKind.SCENE, "Glazing vases", parents=(old, new))
        yield Piece((scene,))


@pytest.fixture
def memory(store: Store) -> Memory:
    memory = Memory(store, embedder=HashEmbedder())
    for turn, text in enumerate(TURNS):
        memory.remember(text, speaker="Ada", session="one", at=f"2026-05-{turn + 1:02}", ref=str(turn))
    return memory


def asked(memory: Memory, plan: Plan = PLAIN) -> Recall:
    return memory.recall("How long does glazing vases take?", plan=plan)


def score(found: Recall, text: str) -> float:
    ranked: RankedPassage = next(ranked for ranked in found.passages if ranked.passage.text == text)
    return ranked.score


def test_amem_a_note_that_another_adds_to_is_reached_over_the_link(memory: Memory) -> None:
    before = score(asked(memory), OPENED)
    memory.organize(organizer=Organizer("GIVEN", (Given(EdgeType.ELABORATES),)))
    found = asked(memory)
    assert score(found, OPENED) > before
    hit = next(hit for hit in found.hits if hit.passage is not None and hit.passage.text == OPENED)
    (path,) = [path for path in hit.paths if any(step.kind == "ELABORATES" for step in path.steps)]
    assert [step.kind for step in path.steps] == ["seed", "ELABORATES", "FROM"]
    assert hit.passage is not None
    assert path.steps[-1].dst == hit.passage.id
    assert sum(path.weight for path in hit.paths) == pytest.approx(hit.score)
    assert score(asked(memory, replace(PLAIN, link_gain=0.0)), OPENED) == pytest.approx(before)


def test_a_likeness_between_notes_carries_what_the_plan_gives_it(memory: Memory) -> None:
    before = score(asked(memory), OPENED)
    memory.organize(organizer=Organizer("GIVEN", (Given(EdgeType.SIMILAR),)))
    assert score(asked(memory), OPENED) == pytest.approx(before)
    assert score(asked(memory, replace(PLAIN, similar=1.0)), OPENED) > before


def test_a_scene_that_is_found_recalls_the_facts_that_it_was_made_from(memory: Memory) -> None:
    before = score(asked(memory), OPENED)
    memory.organize(organizer=Organizer("SCENE", (Given(None),)))
    found = asked(memory)
    assert [hit.note.kind for hit in found.derived] == [NoteKind.SCENE]
    assert score(found, OPENED) > before
    hit = next(hit for hit in found.hits if hit.passage is not None and hit.passage.text == OPENED)
    assert any([step.kind for step in path.steps] == ["seed", "DERIVED", "FROM"] for path in hit.paths)


def test_a_question_for_a_guess_follows_no_links(memory: Memory) -> None:
    memory.organize(organizer=Organizer("GIVEN", (Given(EdgeType.ELABORATES),)))
    found = memory.recall("How long would glazing vases likely take?", plan=PLAIN)
    assert not any(step.kind == "ELABORATES" for hit in found.hits for path in hit.paths for step in path.steps)
    assert understand("What might Ada like?").asks_guess
    assert not understand("What does Ada like?").asks_guess


def test_amem_links_are_made_alike_on_every_store(memory: Memory) -> None:
    evidence = memory.evidence_digest()
    memory.organize(organizer=Organizer("LINKS", (Links(),)))
    digest = memory.digest()
    memory.remember("Glazing the vases took a whole day again.", speaker="Ada", session="one", at="2026-06-01", ref="n")
    with memory.reader() as reader:
        note = next(n for n in reader.page(NodeKind.NOTE, limit=100) if isinstance(n, Note) and "again" in n.text)
        edges = reader.edges([note.id], (EdgeType.ELABORATES,), out_only=True)
    assert [edge.type for edge in edges] == [EdgeType.ELABORATES]
    assert memory.digest() != digest
    assert memory.organize(organizer=Organizer("LINKS", (Links(),))).changes == 0
    assert memory.evidence_digest() != evidence
    assert memory.check() == []


def test_links_are_read_along_with_a_hop_that_recall_makes_anyway(memory: Memory) -> None:
    if not isinstance(memory.store, Neo4jStore):
        pytest.skip("an embedded store has no round trips")
    memory.remember("Ben told Ada about glazing vases in Lisbon.", speaker="Ben", session="two", at="2026-06-02")
    memory.remember("Ada saw Ben in Lisbon, glazing vases.", speaker="Ben", session="three", at="2026-06-03")
    memory.organize(organizer=Organizer("GIVEN", (Given(EdgeType.ELABORATES),)))
    trips = []
    for plan in (BALANCED, replace(BALANCED, link_gain=0.0)):
        asked(memory, plan)
        before = memory.store.round_trips
        asked(memory, plan)
        trips.append(memory.store.round_trips - before)
    assert trips[0] == trips[1] <= 6


@dataclass(frozen=True, slots=True)
class Grouped:
    """One scene of two turns, about neither by its own words."""

    texts: tuple[str, ...] = (OPENED, ADDED)
    name: str = "grouped"

    def pieces(self, view: View) -> Iterator[Piece]:
        with view.reader() as reader:
            notes = {note.text: note.id for note in reader.page(NodeKind.NOTE, limit=100) if isinstance(note, Note)}
        parts = tuple(notes[text] for text in self.texts)
        yield Piece(
            (Note(identity(view.space.key, "note", "scene"), NoteKind.SCENE, "Zzyzx quux", parents=parts),),
        )


def test_bimem_what_was_found_leads_up_to_the_scene_that_it_is_part_of(memory: Memory) -> None:
    memory.organize(organizer=Organizer("GROUPED", (Grouped(),)))
    found = memory.recall("How long does glazing vases and bowls take?", plan=PLAIN)
    (scene,) = [hit for hit in found.derived if hit.note.kind is NoteKind.SCENE]
    assert [[step.kind for step in path.steps] for path in scene.paths] == [["seed", "~DERIVED"]] * 2
    assert {path.steps[0].dst for path in scene.paths} == set(scene.note.parents)
    assert sum(path.weight for path in scene.paths) == pytest.approx(scene.score)
    assert not memory.recall("How is your sister doing?", plan=replace(PLAIN, seeds=2)).derived
