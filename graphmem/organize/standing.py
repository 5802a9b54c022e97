"""standing: a later statement of the same matter closes the earlier one and links to it, with weight and reason.

Facts have a time in which they hold. Where a small model is sure that a later statement replaces an earlier one, the
earlier note gets `valid_to_us`, and the later one links to it as `supersedes`; where it is less sure it links as
`follows`, and nothing is closed. The earlier statement stays and is found as before (Hindsight; HiMem's
reconsolidation). Work a note: one search for NEAREST notes, at most MOST links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphmem.organize.organizer import New, Piece, View
from graphmem.schema import Edge, EdgeType, Id, Link, NodeKind, Note, NoteKind, Passage, q8
from graphmem.standing import APART_US, Asking, Stated, asked_words, replaces
from graphmem.standing.cues import whom_of, words_of
from graphmem.standing.model import EMBEDDER
from graphmem.stores.base import Reader

Floats = npt.NDArray[np.float32]

NEAREST = 8
#: Texts less alike than this are of no common matter to the model; most new turns read nothing further.
ALIKE = 0.3
MOST = 2
#: Notes of a batch that are looked at before it is written; a bulk write leaves the rest to the job.
AT_WRITE = 8
PAGE = 64
_STATING = (NoteKind.FACT, NoteKind.EXPERIENCE, NoteKind.BELIEF)


@dataclass(frozen=True, slots=True)
class Statement:
    """A note from a turn, with who said it when, and its unit vector."""

    note: Note
    speaker: str
    at_us: int
    vector: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """`sure` and `perhaps`: from how much of the model's word on. Two statements alone say little: on phrases of hands
    held out, 63 to 68 % of the pairs from .5 on and 64 to 80 % of those from .7 on are of one matter, and these are a
    fifth and a fifteenth of all that are. Most links come from what a question puts side by side (`refresh`)."""

    name: str = "standing"
    sure: float = 0.8
    perhaps: float = 0.5

    def pieces(self, view: View) -> Iterator[Piece]:
        """Every note once, by pages; each page one transaction."""
        if view.space.embedder != EMBEDDER:
            return
        after: Id | None = None
        while True:
            with view.reader() as reader:
                page = reader.page(NodeKind.NOTE, after=after, limit=PAGE)
                if not page:
                    return
                found = statements(reader, [note for note in page if isinstance(note, Note)])
                piece = self.linked(reader, found, {})
                piece = unwritten(reader, piece)
            after = page[-1].id
            if piece:
                yield piece

    def at_write(self, reader: Reader, new: New) -> Piece:
        """The batch's last notes against what is stored."""
        if reader.space.embedder != EMBEDDER:
            return Piece()
        said = {passage.id: passage for passage in new.passages}
        found = [
            Statement(note, passage.speaker, passage.at_us, np.asarray(new.vectors[note.id], np.float32))
            for note in new.notes
            if note.kind in _STATING and note.spans and note.id in new.vectors
            and (passage := said.get(note.spans[0].passage)) is not None
            and passage.speaker and passage.at_us is not None
        ]  # fmt: skip
        return self.linked(reader, found[-AT_WRITE:], new.changed)

    def linked(self, reader: Reader, later: Sequence[Statement], changed: Mapping[Id, Note]) -> Piece:
        edges, closed, told = list[Edge](), dict[Id, Note](), list[str]()
        for new in later:
            if new.note.text.rstrip().endswith("?"):
                continue
            for old, sure in replaced(reader, new, self.perhaps)[:MOST]:
                note = closed.get(old.note.id) or changed.get(old.note.id) or old.note
                edges.append(link(new, old, sure, closes=sure >= self.sure))
                if sure >= self.sure and closes(note, new.at_us):
                    closed[note.id] = replace(note, valid_to_us=new.at_us)
                told.append(f"{new.note.text[:60]!r} over {old.note.text[:60]!r} ({sure:.2f})")
        return Piece(tuple(closed.values()), tuple(edges), told=tuple(told))


def link(new: Statement, old: Statement, sure: float, *, closes: bool) -> Edge:
    kind = EdgeType.SUPERSEDES if closes else EdgeType.FOLLOWS
    who = f"{new.speaker} says" if new.speaker == old.speaker else f"{new.speaker} says of what {old.speaker} said"
    reason = f"{who} later how the same matter stands (cosine {float(new.vector @ old.vector):.2f})"
    return Link(new.note.id, kind, old.note.id, q8(sure), reason).edge()


def closes(note: Note, at_us: int) -> bool:
    """Whether `at_us` ends the time in which a note holds: the earliest later statement does."""
    begins_before = note.valid_from_us is None or note.valid_from_us < at_us
    return begins_before and (note.valid_to_us is None or note.valid_to_us > at_us)


def replaced(reader: Reader, new: Statement, least: float) -> list[tuple[Statement, float]]:
    """Earlier statements that this one replaces, surest first, and how surely. One search and one read."""
    near = reader.dense(new.vector, NEAREST, (NodeKind.NOTE,))
    alike = near.numbers[near.scores >= ALIKE]
    if not len(alike):
        return []
    notes = [note for note in reader.nodes(alike) if isinstance(note, Note) and note.id != new.note.id]
    before = [old for old in statements(reader, notes) if new.at_us - old.at_us >= APART_US]
    if not before:
        return []
    sure = replaces()(
        Asking(new.vector, words_of(new.note.text)),
        Stated(
            np.stack([old.vector for old in before]),
            np.stack([words_of(old.note.text) for old in before]),
            np.stack(
                [whom_of(old.note.text, asked_words(new.note.text), old.speaker == new.speaker) for old in before]
            ),
            np.array([old.vector @ new.vector for old in before], np.float32),
        ),
    ).tolist()
    found = sorted(zip(before, sure, strict=True), key=lambda one: (-one[1], -one[0].at_us, one[0].note.id))
    return [(old, one) for old, one in found if one >= least]


def statements(reader: Reader, notes: Sequence[Note]) -> list[Statement]:
    """Those of the notes that somebody said at a known time."""
    stating = [note for note in notes if note.kind in _STATING and note.spans]
    passages = reader.get(list(dict.fromkeys(note.spans[0].passage for note in stating)))
    said = []
    for note in stating:
        passage = passages.get(note.spans[0].passage)
        if isinstance(passage, Passage) and passage.speaker and passage.at_us is not None:
            said.append((note, passage.speaker, passage.at_us))
    if not said:
        return []
    vectors = reader.vectors(reader.numbers([note.id for note, _, _ in said]))
    return [Statement(*one, np.asarray(vector, np.float32)) for one, vector in zip(said, vectors, strict=True)]


def unwritten(reader: Reader, piece: Piece) -> Piece:
    """Without the links that stand already."""
    there = {(edge.src, edge.type, edge.dst) for edge in reader.edges(
        list(dict.fromkeys(edge.src for edge in piece.edges)), (EdgeType.SUPERSEDES, EdgeType.FOLLOWS), out_only=True
    )} if piece.edges else set()  # fmt: skip
    edges = tuple(edge for edge in piece.edges if (edge.src, edge.type, edge.dst) not in there)
    return Piece(piece.nodes, edges, told=piece.told if edges or piece.nodes else ())
