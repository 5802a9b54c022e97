"""A small conversation and a few documents, placed as the pipeline would place them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from graphmem.construct import Constructed, Constructor, form_of
from graphmem.schema import (
    EdgeType,
    Entity,
    Hyperedge,
    Id,
    Note,
    Passage,
    Source,
    passage_id,
    section_id,
    source_id,
)

KEY = b"k" * 16
CHAT = Source(source_id(KEY, "conversation", "chat", 0), "conversation", "chat")
#: Monday, 8 May 2023, 13:56 UTC.
MONDAY = int(datetime(2023, 5, 8, 13, 56, tzinfo=timezone.utc).timestamp()) * 1_000_000


def turn(text: str, speaker: str | None = "Ada", ordinal: int = 0, at_us: int | None = MONDAY) -> Passage:
    section = section_id(KEY, CHAT.id, "one")
    id = passage_id(KEY, CHAT.id, None, ordinal, text)
    form = form_of(text, opens_section=ordinal == 0)
    return Passage(id, CHAT.id, section, ordinal, text, speaker=speaker, at_us=at_us, tz_min=0, form=form)


def chat(*lines: tuple[str, str]) -> list[Passage]:
    """Turns of one session: (speaker, text)."""
    return [turn(text, speaker, ordinal) for ordinal, (speaker, text) in enumerate(lines)]


def document(title: str, *texts: str) -> tuple[Source, list[Passage]]:
    source = Source(source_id(KEY, "document", title, 0), "document", title, title)
    return source, [
        Passage(passage_id(KEY, source.id, None, ordinal, text), source.id, None, ordinal, text, meta={"title": title})
        for ordinal, text in enumerate(texts)
    ]


def build(
    passages: Sequence[Passage],
    source: Source = CHAT,
    *,
    known: Mapping[str, tuple[Entity, ...]] | None = None,
    before: Mapping[Id | None, Passage] | None = None,
    constructor: Constructor | None = None,
) -> Constructed:
    return (constructor or Constructor()).build(KEY, source, passages, known=known or {}, before=before or {})


class Memory:
    """What construct has given so far, looked up as the pipeline looks it up."""

    def __init__(self) -> None:
        self.entities: dict[Id, Entity] = {}
        self.aliases: dict[str, set[Id]] = {}
        self.built: list[Constructed] = []

    def add(self, source: Source, passages: Sequence[Passage]) -> Constructed:
        constructor = Constructor()
        known = {
            name: tuple(self.entities[id] for id in sorted(self.aliases[name]))
            for name in constructor.names(source, passages)
            if name in self.aliases
        }
        built = build(passages, source, known=known, constructor=constructor)
        for entity in built.entities:
            assert entity.id not in self.entities or self.entities[entity.id] == entity
            self.entities[entity.id] = entity
        for alias in built.aliases:
            self.aliases.setdefault(alias.folded, set()).add(alias.entity)
        self.built.append(built)
        return built

    def named(self, name: str) -> Entity:
        (id,) = self.aliases[name]
        return self.entities[id]

    def edges(self, type: EdgeType) -> set[tuple[Id, Id]]:
        return {(edge.src, edge.dst) for built in self.built for edge in built.edges if edge.type == type}


def mentioned(built: Constructed) -> list[str]:
    """Names of the entities that passages mention."""
    by_id = {entity.id: entity.name for entity in built.entities}
    return [by_id.get(edge.dst, edge.dst) for edge in built.edges if edge.type == EdgeType.MENTIONS]


def types(built: Constructed) -> dict[str, str]:
    return {entity.name: entity.type for entity in built.entities}


def told(built: Constructed) -> list[tuple[str, dict[str, str]]]:
    """Hyperedges as (predicate, {role: name})."""
    by_id = {entity.id: entity.name for entity in built.entities}
    return [(edge.predicate, _roles(edge, by_id)) for edge in built.hyperedges]


def _roles(edge: Hyperedge, by_id: Mapping[Id, str]) -> dict[str, str]:
    return {member.role.name.lower(): by_id.get(member.node, member.node) for member in edge.members}


def texts(notes: Sequence[Note]) -> list[str]:
    return [note.text for note in notes]
