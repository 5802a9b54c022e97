"""One summary a session, made of its own notes; made anew only where the session changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.memory import Memory
from graphmem.organize import Organizer
from graphmem.organize.summaries import Summaries
from graphmem.schema import NodeKind, Note, NoteKind

SUMMARIES = Organizer("SUMMARIES", (Summaries(least=4, notes=3, chars=200),))
SESSIONS = {
    "spring": (
        "I planted tomatoes and beans in the garden behind the house.",
        "That's great!",
        "The tomatoes in the garden need water every single evening.",
        "Did you see the news?",
        "My garden has beans, tomatoes and two apple trees now.",
    ),
    "autumn": (
        "We hiked to the glacier above the village on Saturday.",
        "The hike to the glacier took us seven hours.",
        "Wow!",
        "On the way back from the glacier we saw an ibex.",
    ),
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db")) as memory:
        for session, turns in SESSIONS.items():
            for text in turns:
                memory.remember(text, speaker="Ada", at="2026-05-12", session=session)
        yield memory


def summaries(memory: Memory) -> dict[str, Note]:
    with memory.reader() as reader:
        notes = [n for n in reader.page(NodeKind.NOTE, limit=1_000) if isinstance(n, Note)]
    return {note.context: note for note in notes if note.kind is NoteKind.SUMMARY}


def test_hymem_each_session_gets_a_bounded_summary_of_its_central_notes(memory: Memory) -> None:
    evidence = memory.evidence_digest()
    done = memory.organize(organizer=SUMMARIES)
    made = summaries(memory)
    assert done.steps["summaries"].notes == 2
    assert sorted(made) == ["autumn", "spring"]
    for session, note in made.items():
        with memory.reader() as reader:
            parents = {node.text for node in reader.get(note.parents).values() if isinstance(node, Note)}
        assert parents < set(SESSIONS[session])
        assert len(note.text) <= 200
        assert "great" not in note.text
    assert (memory.evidence_digest(), memory.check()) == (evidence, [])


def test_a_second_run_changes_nothing_and_a_changed_session_is_made_anew(memory: Memory) -> None:
    memory.organize(organizer=SUMMARIES)
    before, digest = summaries(memory), memory.digest()
    assert memory.organize(organizer=SUMMARIES).changes == 0
    assert memory.digest() == digest
    for text in ("The apple trees in the garden carry fruit.", "Tomatoes, beans and apples: the garden is full."):
        memory.remember(text, speaker="Ada", at="2026-05-13", session="spring")
    assert memory.organize(organizer=SUMMARIES).steps["summaries"].changed <= 1
    after = summaries(memory)
    assert after["spring"].id == before["spring"].id
    assert after["autumn"] == before["autumn"]


def test_a_summary_goes_with_its_evidence_and_is_made_again(memory: Memory) -> None:
    memory.organize(organizer=SUMMARIES)
    with memory.reader() as reader:
        parents = reader.get(summaries(memory)["autumn"].parents[:1])
    (parent,) = parents.values()
    assert isinstance(parent, Note)
    memory.forget(parent.spans[0].passage)
    assert "autumn" not in summaries(memory)
    memory.organize(organizer=Organizer("SUMMARIES", (Summaries(least=2, notes=3, chars=200),)))
    assert parent.text not in summaries(memory)["autumn"].text
