"""Observations and beliefs: inference beside the evidence, with parents, moved by evidence, made once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.memory import Memory
from graphmem.organize.beliefs import Beliefs, probability, states_opinion
from graphmem.organize.observations import LEAST, MAX_CHARS, Observations
from graphmem.organize.organizer import Organizer
from graphmem.schema import NodeKind, Note, NoteKind

BOTH = Organizer("BOTH", (Observations(), Beliefs()))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db")) as memory:
        memory.remember("I love hiking in the mountains.", speaker="Ada", at="2026-01-05")
        memory.remember("I work at a bakery in the harbour.", speaker="Ada", at="2026-01-06")
        memory.remember("My brother plays the cello in an orchestra.", speaker="Ada", at="2026-01-07")
        yield memory


def derived(memory: Memory, kind: NoteKind) -> list[Note]:
    with memory.reader() as reader:
        notes = reader.page(NodeKind.NOTE, limit=1_000)
    return [note for note in notes if isinstance(note, Note) and note.kind is kind and not note.spans]


def test_hindsight_an_observation_sums_up_an_entity_from_its_evidence(memory: Memory) -> None:
    evidence = memory.evidence_digest()
    memory.organize(organizer=BOTH)
    (ada,) = derived(memory, NoteKind.OBSERVATION)
    assert ada.text.startswith("Ada: ")
    assert len(ada.text) <= MAX_CHARS
    assert len(ada.parents) >= LEAST
    assert memory.evidence_digest() == evidence
    assert memory.check() == []


def test_an_observation_is_refreshed_when_its_evidence_changes_and_only_then(memory: Memory) -> None:
    memory.organize(organizer=BOTH)
    digest = memory.digest()
    assert memory.organize(organizer=BOTH).changes == 0
    assert memory.digest() == digest
    memory.remember("I bake bread at the bakery each morning.", speaker="Ada", at="2026-02-01")
    memory.organize(organizer=BOTH)
    (ada,) = derived(memory, NoteKind.OBSERVATION)
    assert ada.version > 1


def test_hindsight_a_belief_moves_with_evidence_and_history_tells_why(memory: Memory) -> None:
    memory.organize(organizer=BOTH)
    (belief,) = derived(memory, NoteKind.BELIEF)
    assert belief.confidence_q8 == 192
    memory.remember("I really love hiking in the mountains at dawn.", speaker="Ada", at="2026-02-01")
    memory.organize(organizer=BOTH)
    (belief,) = derived(memory, NoteKind.BELIEF)
    assert belief.confidence_q8 == round(256 * 0.9)
    memory.remember("I don't like hiking in the mountains any more.", speaker="Ada", at="2026-03-01")
    memory.organize(organizer=BOTH)
    (belief,) = derived(memory, NoteKind.BELIEF)
    assert belief.confidence_q8 == pytest.approx(192, abs=1)
    assert "any more" in belief.context
    assert len(memory.history(belief.id)) == 3
    assert len(belief.parents) == 3


def test_one_plain_statement_gives_three_quarters() -> None:
    assert probability(math.log(3)) == pytest.approx(0.75)


def test_an_answer_tells_inference_apart_from_evidence(memory: Memory) -> None:
    memory.organize(organizer=BOTH)
    answer = memory.answer("Does Ada love hiking in the mountains?")
    assert answer.inferred
    assert all(not hit.note.spans and hit.note.parents for hit in answer.inferred)
    assert all(citation.note is None or citation.note.spans for citation in answer.citations)


def test_what_a_belief_stands_on_takes_it_along(memory: Memory) -> None:
    memory.organize(organizer=BOTH)
    (belief,) = derived(memory, NoteKind.BELIEF)
    memory.forget(belief.parents[0])
    memory.organize(organizer=BOTH)
    assert all("hiking" not in note.text for note in derived(memory, NoteKind.BELIEF))


@pytest.mark.parametrize(
    ("text", "is_opinion"),
    [
        ("I like tea more than coffee.", True),
        ("I never drink coffee.", True),
        ("Oskar looked like a proud father.", False),
        ("It was just like the sea.", False),
        ("I have never been to Skerrow.", False),
        ("I've never loved coffee.", True),
    ],
)
def test_a_likeness_and_what_was_never_done_are_no_opinions(text: str, is_opinion: bool) -> None:
    assert states_opinion(text) is is_opinion


def test_an_observation_tells_first_what_can_be_understood_alone(memory: Memory) -> None:
    memory.remember("Bread and clay. It could not be better at my bakery.", speaker="Ada", at="2026-01-08")
    memory.remember("And the one in the middle of my bakery is mine.", speaker="Ada", at="2026-01-09")
    memory.organize(organizer=BOTH)
    (ada,) = derived(memory, NoteKind.OBSERVATION)
    first = ada.text.removeprefix("Ada: ")
    assert first.startswith(("I love hiking", "I work at a bakery", "My brother plays"))
    leaning = [first.find(text) for text in ("Bread and clay", "And the one")]
    assert all(at < 0 or at > first.find("orchestra") for at in leaning)
