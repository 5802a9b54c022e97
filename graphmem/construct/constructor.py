"""Construction: a batch of passages to notes, entities, hyperedges and the edges between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphmem.construct.entities import Directory
from graphmem.construct.mentions import Mentions, mentions_of
from graphmem.construct.keys import grams, key_of, without_brackets
from graphmem.construct.reading import MAX_READ_CHARS, Reading, read
from graphmem.construct.facts import Cast, hyperedges_of
from graphmem.construct.rules import notes_of
from graphmem.construct.tokens import tokens
from graphmem.construct.types import type_of_title
from graphmem.schema import (
    Alias,
    Edge,
    EdgeType,
    Entity,
    Hyperedge,
    Id,
    Note,
    Passage,
    Refusal,
    Source,
    fold,
)


@dataclass(frozen=True, slots=True)
class Constructed:
    """What a batch of passages gives. Entities are those that were not known; order follows the text."""

    notes: tuple[Note, ...] = ()
    entities: tuple[Entity, ...] = ()
    aliases: tuple[Alias, ...] = ()
    hyperedges: tuple[Hyperedge, ...] = ()
    edges: tuple[Edge, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(slots=True)
class _Draft:
    notes: list[Note] = field(default_factory=list)
    hyperedges: list[Hyperedge] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Constructor:
    """Builds by rules. Holds no state: the same input gives the same output; safe between threads."""

    def names(self, source: Source, passages: Sequence[Passage]) -> set[str]:
        """The folded names worth looking up in the store before `build`."""
        found: set[str] = set()
        for title in _titles(source, passages):
            found.update(_spellings(title), _spellings(without_brackets(title)))
        for passage in passages:
            text = passage.text[:MAX_READ_CHARS]
            found.update(key for _, _, key in grams(text, tokens(text)))
            if passage.speaker:
                for part in (passage.speaker, *passage.speaker.split()):
                    found.update(_spellings(part))
        found.discard("")
        return found

    def build(
        self,
        key: bytes,
        source: Source,
        passages: Sequence[Passage],
        *,
        known: Mapping[str, tuple[Entity, ...]],
        before: Mapping[Id | None, Passage],
    ) -> Constructed:
        """Notes depend on a passage and the one before it in its section alone; entities on what is `known` too."""
        directory, draft, last = Directory(key, known), _Draft(), dict(before)
        readings = [read(passage) for passage in passages]
        speakers = _speakers(readings, directory)
        titles = _title_entities(source, passages, directory, draft)
        for reading in readings:
            passage = reading.passage
            notes = notes_of(key, source, reading, last.get(passage.section))
            last[passage.section] = passage
            speaker = speakers.get(passage.speaker or "")
            mentions = mentions_of(reading, directory, titles)
            hyperedges = hyperedges_of(key, reading, Cast(directory, mentions.resolved, speaker, titles))
            _join(draft, reading, notes, hyperedges, mentions, speaker)
        return Constructed(
            tuple(draft.notes),
            tuple(directory.made.values()),
            tuple(directory.aliases.values()),
            tuple(draft.hyperedges),
            tuple(draft.edges),
            tuple(draft.refusals),
        )


def _spellings(name: str) -> tuple[str, str]:
    return fold(name), key_of(name)


def _titles(source: Source, passages: Sequence[Passage]) -> list[str]:
    """The titles of a document: its own, and the one its passages carry."""
    if source.kind != "document":
        return []
    found = [source.title, *(str(passage.meta.get("title") or "") for passage in passages[:1])]
    return list(dict.fromkeys(title.strip()[:200] for title in found if key_of(title)))


def _speakers(readings: Sequence[Reading], directory: Directory) -> dict[str, Id]:
    found: dict[str, Id] = {}
    for reading in readings:
        name = reading.passage.speaker
        if name and name.strip() and name not in found:
            found[name] = directory.person(name, reading.passage.id)
    return found


def _title_entities(source: Source, passages: Sequence[Passage], directory: Directory, draft: _Draft) -> tuple[Id, ...]:
    found: list[Id] = []
    for title in _titles(source, passages):
        type = type_of_title(title, passages[0].text if passages and passages[0].ordinal == 0 else "")
        found.extend(directory.titled(title, type, passages[0].id if passages else None))
    distinct = tuple(dict.fromkeys(found))
    draft.edges.extend(Edge(source.id, EdgeType.TITLE, entity) for entity in distinct)
    return distinct


def _join(
    draft: _Draft,
    reading: Reading,
    notes: Sequence[Note],
    hyperedges: Sequence[Hyperedge],
    mentions: Mentions,
    speaker: Id | None,
) -> None:
    """The edges that hold a passage's notes, mentions and hyperedges together."""
    passage, edges = reading.passage, draft.edges
    if speaker is not None:
        edges.append(Edge(passage.id, EdgeType.SPEAKER, speaker))
    edges.extend(Edge(passage.id, EdgeType.MENTIONS, entity) for entity in mentions.all)
    for note in notes:
        span = note.spans[0]
        edges.append(Edge(note.id, EdgeType.FROM, passage.id, start=span.start, end=span.end))
        about = dict.fromkeys(
            entity for start, end, entity in mentions.placed if span.start <= start and end <= span.end
        )
        edges.extend(Edge(note.id, EdgeType.ABOUT, entity) for entity in about)
    for hyperedge in hyperedges:
        edges.extend(Edge(hyperedge.id, member.role, member.node) for member in hyperedge.members)
        span = hyperedge.spans[0]
        edges.append(Edge(hyperedge.id, EdgeType.FROM, passage.id, start=span.start, end=span.end))
    draft.notes.extend(notes)
    draft.hyperedges.extend(hyperedges)
