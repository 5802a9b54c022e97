"""The persona of a participant: the statements that the scenes about her, taken together, speak for.

One note a participant, its id by kind and subject; its parents are statements. Each era adds its scenes to what the
persona has from others. A scene ranks by what it shows itself (the sessions it reaches over, how plausible it is,
its size), so the order of eras is no matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphmem.organize.eras import SPAN, days
from graphmem.organize.facts import Facts
from graphmem.organize.gist import Background, by_centrality, keywords, sessions_of, statements, tags, text_of
from graphmem.organize.organizer import Piece
from graphmem.organize.reflection import Reflection
from graphmem.organize.stale import removable
from graphmem.schema import EdgeType, Id, Note, NoteKind, note_id
from graphmem.stores.base import Reader

STATEMENT_CHARS = 480


Rank = tuple[int, int, int, Id]


@dataclass(frozen=True, slots=True)
class Persona:
    """At most so many statements, at most so many of one scene, each scene over at least so many sessions if any is."""

    facts: int = 32
    of_scene: int = 2
    least: int = 3
    sessions: int = 2
    same: float = 0.8  # cosine from which two statements say the same


@dataclass(frozen=True, slots=True)
class Claim:
    """What one scene says of the person. Sorts by rank: sessions weighed with how plausible the scene is, then size
    and id."""

    rank: Rank
    facts: tuple[Note, ...]


def persona_piece(
    key: bytes,
    reader: Reader,
    facts: Facts,
    scenes: Sequence[tuple[Note, tuple[int, ...]]],
    era: int,
    *,
    by: Persona,
    reflect: Reflection | None,
) -> Piece:
    """The persona with what these scenes of an era say. `scenes`: notes and rows, most central first. Without a
    reflection only the upward pass speaks."""
    id = note_id(key, NoteKind.PERSONA, [], subject=facts.subject)
    old = reader.get([id]).get(id)
    stored = old if isinstance(old, Note) else None
    claims = [*claims_of(facts, scenes, by, reflect), *(claims_elsewhere(reader, stored, facts, era) if stored else ())]
    lasting = [claim for claim in claims if -claim.rank[1] >= by.sessions]
    chosen = [fact for claim in sorted(lasting or claims, key=lambda c: c.rank) for fact in claim.facts][: by.facts]
    if len(chosen) < by.least:
        return Piece(delete=removable(reader, [stored])) if stored is not None else Piece()
    note = persona_note(reader, facts, id, chosen, stored)
    told = (f"persona: {facts.name} — {', '.join(note.keywords[:3])}; {len(note.parents)} notes",)
    return Piece((note,), told=told) if note != stored else Piece()


def claims_of(
    facts: Facts, scenes: Sequence[tuple[Note, tuple[int, ...]]], by: Persona, reflect: Reflection | None
) -> Iterator[Claim]:
    for scene, rows in scenes:
        chosen = apart(facts, speaking(facts, rows, reflect), by)
        if chosen:
            sessions = len(set(facts.session[list(rows)].tolist()))
            yield Claim(ranked(scene, sessions), tuple(facts.notes[row] for row in chosen))


def ranked(scene: Note, sessions: int) -> Rank:
    return -sessions * scene.confidence_q8, -sessions, -len(scene.parents), scene.id


def apart(facts: Facts, rows: Sequence[int], by: Persona) -> list[int]:
    """The first rows that do not say the same."""
    chosen: list[int] = []
    for row in rows:
        if len(chosen) < by.of_scene and all(
            float(facts.vectors[row] @ facts.vectors[other]) < by.same for other in chosen
        ):
            chosen.append(row)
    return chosen


def speaking(facts: Facts, rows: Sequence[int], reflect: Reflection | None) -> list[int]:
    """Rows of a scene that may speak for the person: what she says of herself and the reflective pass lets stand; those
    that it is clear about before the rest, each in the order of the scene."""
    own = [row for row in rows if facts.own[row]]
    if reflect is None:
        return own
    if facts.plausible[list(rows)].mean() < reflect.scene:
        return []
    standing = [row for row in own if facts.plausible[row] >= reflect.kept and not facts.echoed[row]]
    return sorted(standing, key=lambda row: bool(facts.plausible[row] < reflect.clear))


def claims_elsewhere(reader: Reader, stored: Note, facts: Facts, era: int) -> list[Claim]:
    """What the persona has from scenes of other eras, as far as they still stand."""
    numbers = reader.numbers(stored.parents)
    numbers = numbers[(numbers >= 0) & (numbers // SPAN != era)]
    if not len(numbers):
        return []
    edges = reader.neighbours(numbers, (EdgeType.DERIVED,))
    made = dict(zip(numbers.tolist(), reader.nodes(numbers), strict=True))
    above = np.unique(edges.number[~edges.forward])
    scenes = {
        number: node
        for number, node in zip(above.tolist(), reader.nodes(above), strict=True)
        if isinstance(node, Note) and node.kind is NoteKind.SCENE and node.subject == facts.subject
    }
    of: dict[int, list[Note]] = {}
    for row, number in zip(edges.row[~edges.forward].tolist(), edges.number[~edges.forward].tolist(), strict=True):
        fact = made[int(numbers[row])]
        if number in scenes and isinstance(fact, Note):
            of.setdefault(number, []).append(fact)
    return [Claim(rank_of(reader, scenes[number]), in_order(scenes[number], told)) for number, told in of.items()]


def rank_of(reader: Reader, scene: Note) -> Rank:
    heads = reader.heads(reader.numbers(scene.parents))
    sessions = sessions_of(heads.section, heads.source, days(heads.at_us))
    return ranked(scene, len(np.unique(sessions)))


def in_order(scene: Note, told: Sequence[Note]) -> tuple[Note, ...]:
    place = {id: at for at, id in enumerate(scene.parents)}
    return tuple(sorted(told, key=lambda note: place[note.id]))


def persona_note(reader: Reader, facts: Facts, id: Id, chosen: Sequence[Note], stored: Note | None) -> Note:
    vectors = reader.vectors(reader.numbers([note.id for note in chosen]))
    order = by_centrality(vectors, [note.id for note in chosen])
    words = keywords(chosen, order, Background.of(chosen, facts.background.names))
    return Note(
        id,
        NoteKind.PERSONA,
        text_of(facts.name, words, statements(chosen, vectors, order, STATEMENT_CHARS)),
        parents=tuple(note.id for note in chosen),
        context=f"persona of {facts.name}",
        keywords=words,
        tags=tags(chosen),
        subject=facts.subject,
        version=stored.version if stored is not None else 0,
    )
