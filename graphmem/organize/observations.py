"""observations: what the evidence says of an entity by now, in its own words (Hindsight's entity summaries).

An `observation` note per entity that at least LEAST notes speak of: the most central of those that hold now, joined.
Parents are the notes it quotes. Made again when the entity's evidence changes; only entities touched since the last
run are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphmem.organize.evidence import entities_to_see, entity_pages, evidence_of
from graphmem.organize.gist import best_first, by_centrality, distinct
from graphmem.organize.organizer import Piece, View, next_version
from graphmem.schema import Edge, EdgeType, Entity, Note, NoteKind, note_id
from graphmem.stores.base import Reader

LEAST = 3
#: Sentences of an observation, and characters of its text.
SENTENCES = 4
MAX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Observations:
    name: str = "observations"

    def pieces(self, view: View) -> Iterator[Piece]:
        """One transaction a page of entities."""
        with view.reader() as reader:
            wanted = entities_to_see(reader, view.since)
            pages = [[entity.id for entity in page] for page in entity_pages(reader, wanted)]
        for ids in pages:
            with view.reader() as reader:
                found = [node for node in reader.get(ids).values() if isinstance(node, Entity)]
                piece = together([self.observed(reader, view, entity) for entity in found])
            if piece:
                yield piece

    def observed(self, reader: Reader, view: View, entity: Entity) -> Piece:
        id = note_id(view.space.key, NoteKind.OBSERVATION, [], entity.id)
        stored = reader.get([id]).get(id)
        evidence = evidence_of(reader, entity, view.now_us)
        if len(evidence) < LEAST:
            return Piece(delete=((id, stored.version),)) if stored is not None else Piece()
        chosen = central(reader, evidence)
        note = Note(
            id,
            NoteKind.OBSERVATION,
            told(entity, chosen),
            parents=tuple(note.id for note in chosen),
            context=f"{len(evidence)} notes about {entity.name}",
            tags=("observation",),
            made_by=self.name,
            subject=entity.id,
        )
        made = next_version(note, stored)
        if made is None:
            return Piece()
        return Piece((made,), (Edge(id, EdgeType.ABOUT, entity.id),), told=(made.text[:120],))


def central(reader: Reader, evidence: Sequence[Note]) -> list[Note]:
    """The notes nearest to the middle of all, those first that can be understood alone, none that another says already;
    O(n x SENTENCES)."""
    vectors = np.asarray(reader.vectors(reader.numbers([note.id for note in evidence])), np.float32)
    order = best_first(evidence, by_centrality(vectors, [note.id for note in evidence]))
    return [evidence[row] for row in distinct(vectors, order, SENTENCES)]


def told(entity: Entity, notes: Sequence[Note]) -> str:
    text = f"{entity.name}: {' '.join(note.text for note in notes)}"
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1].rsplit(' ', 1)[0]}\u2026"


def together(pieces: Sequence[Piece]) -> Piece:
    return Piece(
        tuple(node for piece in pieces for node in piece.nodes),
        tuple(edge for piece in pieces for edge in piece.edges),
        delete=tuple(gone for piece in pieces for gone in piece.delete),
        told=tuple(line for piece in pieces for line in piece.told),
    )
