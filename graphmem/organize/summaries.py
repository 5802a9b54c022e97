"""Summaries: the coarse grain of two (HyMem). One extractive note for each session, made of its most central notes.

Central are notes that are near to many others of their session (LexRank, Erkan & Radev 2004, as the mean cosine) and
say something; each choice also counts against what is near to it, so that a summary does not say one thing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphmem.analysis import terms
from graphmem.organize.changed import journal
from graphmem.organize.gist import stands_alone
from graphmem.organize.organizer import Piece, View, next_version
from graphmem.schema import EdgeType, Id, NodeKind, Note, NoteKind, Passage, Section, note_id
from graphmem.stores.base import Reader

PAGE = 100
#: Passages and notes of one session that are looked at, the first ones; work is O(notes^2 x dimension).
MAX_PASSAGES = 1_000
MAX_NOTES = 1_000
#: Content words from which on a sentence says something; "That's great!" is near to everything.
FULL_TERMS = 8
REDUNDANCY = 0.5


@dataclass(frozen=True, slots=True)
class Spoken:
    """A note of a session with the passage it stands in, its place there and its vector."""

    note: Note
    passage: Passage
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Summaries:
    """A `summary` note a session, of at most `notes` notes and `chars` characters; its subject is the session's id, so
    it stays the same note when the session grows. A session of fewer than `least` notes is its own summary."""

    name: str = "summaries"
    notes: int = 6
    chars: int = 600
    least: int = 10

    def pieces(self, view: View) -> Iterator[Piece]:
        """One piece a session that has changed. Sessions untouched since the last run are passed over unread."""
        with view.reader() as reader:
            touched = touched_sections(reader, view.since) if view.since else set()
        after: Id | None = None
        while True:
            with view.reader() as reader:
                page = reader.page(NodeKind.SECTION, after=after, limit=PAGE)
                ids = [note_id(view.space.key, NoteKind.SUMMARY, (), section.id) for section in page]
                made = reader.get(ids)
            for section, id in zip(page, ids, strict=True):
                if isinstance(section, Section) and not (view.since and id in made and section.id not in touched):
                    with view.reader() as reader:
                        piece = self._piece(reader, section, id)
                    if piece:
                        yield piece
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _piece(self, reader: Reader, section: Section, id: Id) -> Piece:
        spoken = notes_of(reader, section.id)
        chosen = self._chosen(spoken) if len(spoken) >= self.least else []
        if not chosen:
            return Piece()
        summary = Note(
            id,
            NoteKind.SUMMARY,
            "\n".join(line(one) for one in chosen),
            parents=tuple(sorted(one.note.id for one in chosen)),
            context=section.name,
            subject=section.id,
        )
        made = next_version(summary, reader.get([id]).get(id))
        return Piece((made,), told=(f"{section.name}: {made.text[:80]}",)) if made is not None else Piece()

    def _chosen(self, spoken: Sequence[Spoken]) -> list[Spoken]:
        """By falling worth, as far as they fit; told in the order they were said."""
        taken: list[int] = []
        used = 0
        for at in ranked(spoken):
            cost = len(line(spoken[at])) + 1
            if len(taken) < self.notes and used + cost <= self.chars:
                taken.append(at)
                used += cost
        return [spoken[at] for at in sorted(taken)]


def touched_sections(reader: Reader, since: int) -> set[Id]:
    """Sections that passages were added to, or notes changed in, after a commit."""
    found: set[Id] = set()
    for _, changes in journal(reader, since):
        nodes = reader.get([change.id for change in changes])
        found |= {node.section for node in nodes.values() if isinstance(node, Passage) and node.section}
        spans = [node.spans[0].passage for node in nodes.values() if isinstance(node, Note) and node.spans]
        passages = reader.get(list(dict.fromkeys(spans))).values()
        found |= {node.section for node in passages if isinstance(node, Passage) and node.section}
    return found


def notes_of(reader: Reader, section: Id) -> list[Spoken]:
    """The notes from text of a session, in the order they were said."""
    edges = reader.edges([section], (EdgeType.PART,), limit=MAX_PASSAGES)
    nodes = reader.get([edge.src for edge in edges if edge.dst == section])
    passages = sorted((n for n in nodes.values() if isinstance(n, Passage)), key=lambda passage: passage.ordinal)
    rows, numbers = reader.notes_of(reader.numbers([passage.id for passage in passages]))
    rows, numbers = rows[:MAX_NOTES], numbers[:MAX_NOTES]
    notes, vectors = reader.nodes(numbers), reader.vectors(numbers)
    spoken = [
        Spoken(note, passages[row], vector)
        for row, note, vector in zip(rows.tolist(), notes, vectors, strict=True)
        if isinstance(note, Note) and note.spans
    ]
    return sorted(spoken, key=lambda one: (one.passage.ordinal, one.note.spans[0].start))


def ranked(spoken: Sequence[Spoken]) -> Iterator[int]:
    """Rows by falling worth: centrality x what it says, less its likeness to what was taken. Ties by place."""
    vectors = np.stack([one.vector for one in spoken]).astype(np.float32)
    alike = np.clip(vectors @ vectors.T, 0.0, 1.0)
    np.fill_diagonal(alike, 0.0)
    says = np.array([min(1.0, len(terms(one.note.text)) / FULL_TERMS) for one in spoken])
    alone = np.array([stands_alone(one.note) for one in spoken])
    worth = np.where(alone, 1.0, 0.5) * says * alike.sum(axis=1) / max(1, len(spoken) - 1)
    left = np.ones(len(spoken), bool)
    nearest = np.zeros(len(spoken))
    scale = float(worth.max()) or 1.0
    for _ in range(len(spoken)):
        value = np.round(worth / scale - REDUNDANCY * nearest, 5)
        at = int(np.argmax(np.where(left, value, -np.inf)))
        left[at] = False
        nearest = np.maximum(nearest, alike[at])
        yield at


def line(one: Spoken) -> str:
    """The note with who said it, on one line."""
    text = " ".join(one.note.text.split())
    return f"{one.passage.speaker}: {text}" if one.passage.speaker else text
