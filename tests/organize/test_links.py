"""A-MEM: new notes are linked to old ones with kind, weight and reason, and the old ones evolve by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.memory import Memory
from graphmem.organize import Organizer
from graphmem.organize.kinship import KINDS, MAX_THREAD, Placed, cause, evolved, similar, thread_of
from graphmem.organize.links import ROOM, Links
from graphmem.schema import EdgeType, Note, NoteKind, Span, identity
from graphmem.stores.base import Store

LINKS = Organizer("LINKS", (Links(),))
NONE = Organizer("NONE", ())
TALK = (
    ("Ada", "one", "I signed up for a pottery class yesterday, the clay is wonderful."),
    ("Ben", "one", "Great! How was the pottery class?"),
    ("Ada", "one", "The pottery class was calm, I made a clay bowl."),
    ("Ada", "one", "That's why I want to buy a kiln."),
    ("Ada", "two", "My pottery class made clay bowls again, mine is blue."),
    ("Ben", "two", "Rain is expected for the whole weekend in Lisbon."),
    ("Ada", "three", "I sold a clay bowl from my pottery class."),
)


def told(memory: Memory, organizer: Organizer = LINKS) -> None:
    pipeline = memory._pipeline
    memory.__dict__["_pipeline"] = type(pipeline)(
        pipeline.store, pipeline.space, pipeline.embedder, pipeline.constructor, organizer
    )
    for turn, (speaker, session, text) in enumerate(TALK):
        memory.remember(text, speaker=speaker, session=session, at=f"2026-05-{turn + 1:02}", ref=str(turn))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db")) as memory:
        yield memory


def notes(memory: Memory) -> dict[str, Note]:
    with memory.reader() as reader:
        page = reader.page(graphmem.schema.NodeKind.NOTE, limit=1_000)
    return {note.text: note for note in page if isinstance(note, Note)}


def links(memory: Memory) -> dict[tuple[str, str], tuple[EdgeType, int, str]]:
    known = {note.id: text for text, note in notes(memory).items()}
    with memory.reader() as reader:
        edges = reader.edges(list(known), KINDS, limit=10_000)
    return {(known[edge.src], known[edge.dst]): (edge.type, edge.weight_q8, edge.reason) for edge in edges}


def test_amem_a_new_note_is_linked_to_old_ones_with_kind_weight_and_reason(memory: Memory) -> None:
    told(memory)
    made = links(memory)
    kind, weight, reason = made[TALK[2][2], TALK[0][2]]
    assert kind is EdgeType.ELABORATES
    assert 102 <= weight <= 256
    assert reason.startswith("adds to \u201cI signed up for a pottery class")
    assert "pottery" in reason and "cosine" in reason
    kind, _, reason = made[TALK[4][2], TALK[0][2]] if (TALK[4][2], TALK[0][2]) in made else made[TALK[4][2], TALK[2][2]]
    assert kind is EdgeType.SIMILAR
    assert reason.startswith("both tell of")
    assert not any(TALK[5][2] in pair for pair in made)
    assert memory.check() == []


def test_amem_a_cause_is_linked_when_the_words_name_it(memory: Memory) -> None:
    told(memory)
    kind, _, reason = links(memory)[TALK[2][2], TALK[3][2]]
    assert (kind, reason) == (EdgeType.CAUSES, "\u201cThat's why\u201d names it the cause")


def test_amem_an_old_note_evolves_with_its_earlier_version_and_the_cause_in_its_history(memory: Memory) -> None:
    told(memory)
    grown = [note for note in notes(memory).values() if thread_of(note)]
    assert grown
    for note in grown:
        assert set(thread_of(note)) <= set(note.keywords)
        changes = memory.history(note.id)
        assert next(commit.cause for commit, _ in changes) == "remember"
        assert changes[-1][1].before is not None
        assert note.version == len(changes)
        assert len(thread_of(note)) <= MAX_THREAD


def test_amem_links_survive_a_restart_and_leave_the_evidence_as_it_was(tmp_path: Path) -> None:
    with graphmem.open(str(tmp_path / "plain.db")) as memory:
        told(memory, NONE)
        evidence = memory.evidence_digest()
        done = memory.organize(organizer=LINKS)
        assert memory.evidence_digest() == evidence
        assert done.steps["links"].links > 0
        made = links(memory)
        assert {commit.cause for note in notes(memory).values() for commit, _ in memory.history(note.id)} <= {
            "remember",
            "organize:links",
        }
    with graphmem.open(str(tmp_path / "plain.db")) as memory:
        assert links(memory) == made


def test_amem_a_job_after_linking_at_write_changes_nothing(memory: Memory) -> None:
    told(memory)
    digest = memory.digest()
    assert memory.organize(organizer=LINKS).changes == 0
    assert memory.digest() == digest


def test_amem_the_job_makes_the_links_that_writing_makes_and_a_second_one_none(tmp_path: Path) -> None:
    with graphmem.open(str(tmp_path / "a.db")) as at_write, graphmem.open(str(tmp_path / "b.db")) as as_job:
        told(at_write)
        told(as_job, NONE)
        as_job.organize(organizer=LINKS)
        assert links(as_job) == links(at_write)
        digest = as_job.digest()
        assert as_job.organize(organizer=LINKS).changes == 0
        assert as_job.digest() == digest


def test_a_turn_told_again_beside_a_new_one_keeps_what_evolved(memory: Memory) -> None:
    told(memory)
    before = {text: note.version for text, note in notes(memory).items()}
    memory.remember(TALK[0][2], speaker="Ada", session="one", at="2026-05-01", ref="0")
    assert {text: note.version for text, note in notes(memory).items()} == before


def test_amem_a_note_takes_links_until_it_has_room_no_more(memory: Memory) -> None:
    told(memory, NONE)
    for turn in range(3 * ROOM):
        memory.remember(
            f"Ada's pottery class number {turn} was about clay bowls.",
            speaker="Ada",
            session=f"s{turn}",
            ref=f"r{turn}",
        )
    memory.organize(organizer=LINKS)
    with memory.reader() as reader:
        numbers = reader.numbers([note.id for note in notes(memory).values()])
        degree = reader.neighbours(numbers, KINDS).degree[:, list(KINDS)].sum(axis=1)
    assert degree.max() <= 2 * ROOM


def test_remember_does_not_fail_when_a_linked_note_is_forgotten_meanwhile(memory: Memory) -> None:
    told(memory)
    store: Store = memory.store
    write, forgot = store.write, list[str]()

    def racing(space: object, batch: object) -> object:
        if not forgot:
            forgot.append(memory.recall("What did Ada sell?").passages[0].passage.id)
            memory.forget(*forgot)
        return write(space, batch)  # type: ignore[arg-type]

    store.write = racing  # type: ignore[method-assign, assignment]
    memory.remember("I sold one more clay bowl from my pottery class.", speaker="Ada", session="four", at="2026-06-01")
    store.write = write  # type: ignore[method-assign]
    assert "I sold one more clay bowl from my pottery class." in notes(memory)
    assert memory.check() == []


def placed(text: str, *, keywords: tuple[str, ...] = (), ordinal: int = 0, place: int = 0, talk: int = 1) -> Placed:
    note = Note(identity(b"k", text), NoteKind.FACT, text, (Span("p", 0, len(text), text),), keywords=keywords)
    return Placed(note, talk, ordinal, place).worded(set())


def test_amem_a_linked_keyword_is_taken_over_once_two_share_it() -> None:
    old = placed("I made a bowl.", keywords=("bowl",)).note
    one, two = (placed(f"Clay {n}.", keywords=("clay", f"word{n}")).note for n in range(2))
    assert evolved(old, [one]) is None
    grown = evolved(old, [one, two])
    assert grown is not None
    assert grown.keywords == ("bowl", "clay")
    assert grown.context == "; thread: clay (shared by linked notes)"
    assert evolved(grown, [one, two]) is None


def test_praise_and_thanks_are_linked_to_nothing() -> None:
    assert similar(placed("Wow, that is great!"), placed("Wow, this is great!", talk=2), 0.95) is None


def test_a_cause_stands_right_behind_its_effect() -> None:
    old, late = placed("I was tired.", ordinal=1), placed("That's why I left.", ordinal=5)
    assert cause(late, old, 0.1) is None
    because = placed("Because the train was late.", ordinal=2)
    link = cause(because, old, 0.1)
    assert link is not None
    assert (link.src, link.dst) == (because.note.id, old.note.id)
