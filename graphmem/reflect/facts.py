"""What a found passage is about: its note, and the entities it names, as a hyperedge of working memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphmem.analysis import embedded_text, terms
from graphmem.schema import (
    Edge,
    EdgeType,
    Entity,
    Hit,
    Hyperedge,
    Id,
    Member,
    Passage,
    RankedPassage,
    Span,
    fold,
    hyperedge_id,
)
from graphmem.stores.base import Reader

#: Entities of one passage that are looked at, the first named ones.
MAX_ENTITIES = 12
#: Spans that a working hyperedge names at most; a chain of a few passages has fewer.
MAX_SPANS = 16
_ROLES = {"person": EdgeType.AGENT, "place": EdgeType.PLACE, "date": EdgeType.TIME}


@dataclass(frozen=True, slots=True)
class Subject:
    """An entity that a passage names. `leads`: other passages name it too, or a source has it as its title."""

    entity: Entity
    leads: bool
    title: bool  # it is the title of the passage's own source


@dataclass(frozen=True, slots=True)
class Fact:
    """A passage that was found, its score among all that was found, its recalled note, and its entities: those of the
    note first, then in the order in which the passage names them. `hit` is None for a passage that has no note."""

    ranked: RankedPassage
    hit: Hit | None
    subjects: tuple[Subject, ...]

    @property
    def passage(self) -> Passage:
        return self.ranked.passage

    @property
    def held(self) -> frozenset[str]:
        """The terms of its title and text. Who spoke is left out: a sub-question is about the same person."""
        return frozenset(terms(embedded_text(self.passage)))


def facts_of(reader: Reader, ranked: Sequence[RankedPassage], hits: Mapping[Id, Hit]) -> list[Fact]:
    """The facts of these passages, in their order; four reads, whatever their number."""
    passages = [one.passage for one in ranked]
    ids = [passage.id for passage in passages]
    limit = 4 * MAX_ENTITIES * max(1, len(ids))
    named = reader.edges(ids, (EdgeType.MENTIONS,), out_only=True, limit=limit)
    sources = list(dict.fromkeys(passage.source for passage in passages))
    titles = reader.edges(sources, (EdgeType.TITLE,), out_only=True, limit=limit)
    entities = _entities(reader, [edge.dst for edge in (*named, *titles)])
    leads = _leading(reader, list(entities))
    return [_fact(one, hits.get(one.passage.id), _about(one.passage, named, titles), entities, leads) for one in ranked]


def _entities(reader: Reader, ids: Sequence[Id]) -> dict[Id, Entity]:
    found = reader.get(list(dict.fromkeys(ids)))
    return {id: node for id, node in found.items() if isinstance(node, Entity)}


def _leading(reader: Reader, ids: Sequence[Id]) -> set[Id]:
    """Those that lead to another passage: a name that one page alone holds leads nowhere."""
    if not ids:
        return set()
    degree = reader.neighbours(reader.numbers(ids), (EdgeType.MENTIONS, EdgeType.TITLE), limit=1).degree
    several = (degree[:, EdgeType.MENTIONS] > 1) | (degree[:, EdgeType.TITLE] > 0)
    return {id for id, leads in zip(ids, several.tolist(), strict=True) if leads}


def _about(passage: Passage, named: Sequence[Edge], titles: Sequence[Edge]) -> dict[Id, bool]:
    """The entities of a passage, and whether each is the title of its source."""
    about = {edge.dst: False for edge in named if edge.src == passage.id}
    return about | {edge.dst: True for edge in titles if edge.src == passage.source}


def _fact(
    ranked: RankedPassage, hit: Hit | None, about: Mapping[Id, bool], entities: Mapping[Id, Entity], leads: set[Id]
) -> Fact:
    note = hit.note.text.casefold() if hit is not None else ""
    text = ranked.passage.text.casefold()

    def place(subject: Subject) -> tuple[bool, int, str]:
        name = fold(subject.entity.name)
        at = text.find(name)
        return name not in note, at if at >= 0 else len(text), subject.entity.id

    subjects = [Subject(entities[id], id in leads, title) for id, title in about.items() if id in entities]
    return Fact(ranked, hit, tuple(sorted(subjects, key=place)[:MAX_ENTITIES]))


def hyperedge_of(key: bytes, fact: Fact) -> Hyperedge | None:
    """The fact as a hyperedge: its note and what it is about. None when it has no note or names nothing."""
    if fact.hit is None or not fact.subjects:
        return None
    members = [Member(EdgeType.OBJECT, fact.hit.note.id)]
    members += [Member(_role(subject), subject.entity.id) for subject in fact.subjects]
    return edge_of(key, "found", members, fact.hit.note.spans)


def _role(subject: Subject) -> EdgeType:
    return EdgeType.TOPIC if subject.title else _ROLES.get(subject.entity.type, EdgeType.OTHER)


def edge_of(key: bytes, predicate: str, members: Sequence[Member], spans: Sequence[Span]) -> Hyperedge:
    """A hyperedge that reflection made. Members and spans in the order of their ids: merged the other way round, two
    facts make the same hyperedge."""
    distinct = tuple(sorted(set(members), key=lambda member: (member.node, member.role)))
    quoted = tuple(sorted(set(spans), key=lambda span: (span.passage, span.start, span.end)))[:MAX_SPANS]
    id = hyperedge_id(
        key,
        predicate,
        [(member.role.name, member.node) for member in distinct],
        [(span.passage, span.start, span.end) for span in quoted],
    )
    return Hyperedge(id, predicate, distinct, quoted, made_by="reflect")
