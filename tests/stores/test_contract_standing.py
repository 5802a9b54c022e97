"""What organising makes of statements that change, over every store: links, closed times, beliefs, observations."""

from __future__ import annotations

from graphmem.memory import Memory
from graphmem.schema import EdgeType, NodeKind, Note, NoteKind
from graphmem.stores.base import Store

TURNS = (
    ("2023-01-10T10:00", "I live in Lyon now, in a flat with a tiny balcony."),
    ("2023-03-11T10:00", "I love hiking in the mountains."),
    ("2023-06-20T10:00", "I have moved again, so I live in Geneva these days."),
    ("2023-08-02T10:00", "I sing in a choir on Tuesdays and I love it."),
)


def test_statements_are_repaired_summed_up_and_believed_in(store: Store) -> None:
    memory = Memory(store)
    for at, text in TURNS:
        memory.remember(text, speaker="Ada", at=at, session=at[:10])
    evidence = memory.evidence_digest()
    recalled = memory.recall("Where does Ada live now?", now="2024-01-01")
    assert "Geneva" in recalled.passages[0].passage.text
    assert memory.refresh() is not None
    memory.organize(now="2024-01-01")
    digest = memory.digest()
    assert memory.organize(now="2024-01-01").changes == 0
    assert (memory.digest(), memory.evidence_digest()) == (digest, evidence)
    with memory.reader() as reader:
        notes = [node for node in reader.page(NodeKind.NOTE, limit=100) if isinstance(node, Note)]
        links = reader.edges([note.id for note in notes], (EdgeType.SUPERSEDES, EdgeType.FOLLOWS))
    made = {note.kind for note in notes if not note.spans}
    assert made >= {NoteKind.OBSERVATION, NoteKind.BELIEF}
    assert links
    assert memory.check() == []
