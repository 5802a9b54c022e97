"""beliefs: opinions, likes and habits that somebody states, each with a confidence that moves with evidence.

A `belief` note stands for one matter of one person. Its log-odds start at 0 (one half) and every statement moves them:

    L = sum over statements i of s_i * ln(3) * c_i,        confidence = 1 / (1 + exp(-L)), kept within .02 .. .98

s_i is 1 for a statement that supports the belief and -1 for one that contradicts it, c_i the statement's own
confidence (1 unless it is hedged). One plain statement gives .75, two .9, one for and one against .5. Parents are the
statements; each move is one version with its cause in `context`, so that history shows them all (Hindsight's opinion
network). Work a statement: one search for NEAREST notes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphmem.organize.organizer import Piece, View
from graphmem.schema import Edge, EdgeType, Entity, Id, NodeKind, Note, NoteKind, Passage, note_id, q8
from graphmem.stores.base import Reader

STEP = math.log(3.0)
NEAREST = 24
#: Statements of one person as alike as this are about one matter.
ONE_MATTER = 0.5
PAGE = 64
LOWEST, HIGHEST = 0.02, 0.98

_OPINION = re.compile(
    r"\b(?:love[sd]?|adores?|prefers?|likes?|enjoys?|hates?|dislikes?|loathes?|can't (?:stand|bear)|fond of|fan of|"
    r"favou?rite|believes?|thinks? that|always|never|keen on|afraid of|convinced)\b|\bi (?:think|feel|find|reckon)\b",
    re.I,
)
_AGAINST = re.compile(
    r"\b(?:not|never|no longer|don't|doesn't|didn't|isn't|aren't|wasn't|can't|cannot|won't|hates?|hated|dislikes?|"
    r"loathes?|stopped|gone off|bored)\b",
    re.I,
)
#: A comparison is no liking, what one has always or never done no habit.
_OTHERWISE = re.compile(
    r"\b(?:looks?|looked|looking|sounds?|sounded|feels|felt|seems?|seemed|tastes?|tasted|smells?|smelled|is|are|was|"
    r"were|be|been|it's|that's|just|more|much|something|nothing|anything) like\b|"
    r"(?:\b(?:have|has|had)|'ve|'s) (?:never|always)\b",
    re.I,
)
_WOULD = re.compile(r"\b(?:would|i'd|you'd|she'd|he'd|they'd|if)\b", re.I)
_ME = re.compile(r"\b(?:i|my|i'm|i've)\b", re.I)


@dataclass(frozen=True, slots=True)
class Stance:
    """A statement of somebody's opinion: whose, and how surely it is stated."""

    note: Note
    holder: Entity

    @property
    def supports(self) -> bool:
        return len(_AGAINST.findall(self.note.text.replace("\u2019", "'"))) % 2 == 0


@dataclass(frozen=True, slots=True)
class Beliefs:
    name: str = "beliefs"

    def pieces(self, view: View) -> Iterator[Piece]:
        """One transaction a statement that is not counted yet, in the order of time within a page."""
        after: Id | None = None
        while True:
            with view.reader() as reader:
                page = reader.page(NodeKind.NOTE, after=after, limit=PAGE)
                if not page:
                    return
                stances = uncounted(reader, [note for note in page if isinstance(note, Note)])
            after = page[-1].id
            for stance in stances:
                with view.reader() as reader:
                    piece = self.moved(reader, view, stance)
                yield piece

    def moved(self, reader: Reader, view: View, stance: Stance) -> Piece:
        """The belief that a statement bears on, after it; a new one when it bears on none."""
        old = held(reader, stance)
        if old is None:
            return self.formed(view, stance)
        anchor = reader.get([old.parents[0]]).get(old.parents[0])
        agrees = not isinstance(anchor, Note) or Stance(anchor, stance.holder).supports == stance.supports
        odds = log_odds(old.confidence_q8) + (1 if agrees else -1) * weight(stance.note)
        return self.written(stance, old.id, old.text, (*old.parents, stance.note.id), odds, old)

    def formed(self, view: View, stance: Stance) -> Piece:
        id = note_id(view.space.key, NoteKind.BELIEF, [], f"{stance.holder.id}:{stance.note.id}")
        text = f"{stance.holder.name}: {stance.note.text}"
        return self.written(stance, id, text, (stance.note.id,), weight(stance.note), None)

    def written(  # noqa: PLR0917 what a version is made of
        self, stance: Stance, id: Id, text: str, parents: tuple[Id, ...], odds: float, old: Note | None
    ) -> Piece:
        confidence = q8(probability(odds))
        before = f"{old.confidence_q8 / 256:.2f}" if old is not None else "0.50"
        note = Note(
            id,
            NoteKind.BELIEF,
            text,
            parents=parents,
            context=f"{before} -> {confidence / 256:.2f} by: {stance.note.text[:200]}",
            tags=("belief",),
            confidence_q8=confidence,
            made_by=self.name,
            subject=stance.holder.id,
            version=old.version if old is not None else 0,
        )
        return Piece(
            (note,), (Edge(id, EdgeType.ABOUT, stance.holder.id),), told=(f"{text[:80]}: {note.context[:80]}",)
        )


def weight(note: Note) -> float:
    return STEP * note.confidence_q8 / 256


def probability(odds: float) -> float:
    return min(HIGHEST, max(LOWEST, 1.0 / (1.0 + math.exp(-odds))))


def log_odds(confidence_q8: int) -> float:
    share = min(HIGHEST, max(LOWEST, confidence_q8 / 256))
    return math.log(share / (1.0 - share))


def held(reader: Reader, stance: Stance) -> Note | None:
    """The belief of this person that is nearest to the statement, if it is about the same matter."""
    vector = np.asarray(reader.vectors(reader.numbers([stance.note.id]))[0], np.float32)
    near = reader.dense(vector, NEAREST, (NodeKind.NOTE,))
    close = near.numbers[near.scores >= ONE_MATTER]
    for node in reader.nodes(close) if len(close) else []:
        if isinstance(node, Note) and is_belief(node) and node.subject == stance.holder.id:
            return node
    return None


def is_belief(note: Note) -> bool:
    return note.kind is NoteKind.BELIEF and not note.spans


def uncounted(reader: Reader, notes: list[Note]) -> list[Stance]:
    """Opinions among these that no belief has for a parent, with who holds them."""
    said = [note for note in notes if note.spans and states_opinion(note.text)]
    if not said:
        return []
    ids = [note.id for note in said]
    derived = [edge for edge in reader.edges(ids, (EdgeType.DERIVED,), limit=PAGE * 64) if edge.dst in ids]
    nodes = reader.get([edge.src for edge in derived])
    counted = {edge.dst for edge in derived if isinstance(one := nodes.get(edge.src), Note) and is_belief(one)}
    fresh = [note for note in said if note.id not in counted]
    passages = reader.get(list(dict.fromkeys(note.spans[0].passage for note in fresh)))
    return [
        Stance(note, holder)
        for note in sorted(fresh, key=lambda note: (time_of(passages.get(note.spans[0].passage)), note.id))
        if (holder := holder_of(reader, note, passages.get(note.spans[0].passage)))
    ]


def time_of(passage: object) -> int:
    return passage.at_us or 0 if isinstance(passage, Passage) else 0


def states_opinion(text: str) -> bool:
    plain = _OTHERWISE.sub(" ", text.replace("\u2019", "'"))
    return bool(_OPINION.search(plain)) and not plain.rstrip().endswith("?") and not _WOULD.search(plain)


def holder_of(reader: Reader, note: Note, passage: object) -> Entity | None:
    """Who says it of themselves in the passage, else the one person it names."""
    if not isinstance(passage, Passage):
        return None
    mine = bool(_ME.search(note.text.replace("\u2019", "'")))
    origin, type = (passage.id, EdgeType.SPEAKER) if mine else (note.id, EdgeType.ABOUT)
    ends = [edge.dst for edge in reader.edges([origin], (type,), out_only=True, limit=8)]
    people = [
        node for node in reader.get(ends).values() if isinstance(node, Entity) and (mine or node.type == "person")
    ]
    return people[0] if len(people) == 1 else None
