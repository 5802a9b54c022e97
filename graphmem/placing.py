"""Where drafts stand in the graph: ids, sections, order, and the PART and NEXT edges that hold them in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphmem.construct import form_of
from graphmem.schema import (
    Edge,
    EdgeType,
    Id,
    Passage,
    PassageDraft,
    Section,
    Source,
    SourceDraft,
    passage_id,
    section_id,
    source_id,
)
from graphmem.stores.base import Reader


@dataclass(frozen=True, slots=True)
class Placed:
    """One batch in its place. `before` maps a section (None: the source itself) to the passage before the batch."""

    source: Source
    sections: tuple[Section, ...]
    passages: tuple[Passage, ...]
    before: Mapping[Id | None, Passage]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class Placer:
    """Walks a source's drafts in order. What it gives depends on the drafts alone (and, for a live source, on the
    tail it starts from), so a resumed run that walks over what is written already gives the same ids."""

    key: bytes
    source: Source
    ordinal: int = 0
    last: dict[Id | None, Passage] = field(default_factory=dict)
    sections: dict[Id, Section] = field(default_factory=dict)
    last_section: Id | None = None
    section_count: int = 0

    def place(self, drafts: Sequence[PassageDraft], stored: Mapping[Id, Passage] | None = None) -> Placed:
        """`stored` holds passages that are there already under their own ref: they stay as they are."""
        before = dict(self.last)
        sections: list[Section] = []
        passages: list[Passage] = []
        edges: list[Edge] = []
        for draft in drafts:
            section = self._enter(draft, sections, edges)
            passage = self._passage(draft, section)
            if stored is not None and passage.id in stored:
                self.last[section] = stored[passage.id]
                continue
            edges.append(Edge(passage.id, EdgeType.PART, self.source.id))
            if section is not None:
                edges.append(Edge(passage.id, EdgeType.PART, section))
            previous = self.last.get(section)
            if previous is not None and previous.id != passage.id:
                edges.append(Edge(previous.id, EdgeType.NEXT, passage.id))
            passages.append(passage)
            self.last[section] = passage
            self.ordinal += 1
        return Placed(self.source, tuple(sections), tuple(passages), before, tuple(edges))

    def ids(self, drafts: Sequence[PassageDraft]) -> list[Id]:
        """The ids of drafts that carry a ref of their own."""
        return [
            passage_id(self.key, self.source.id, draft.ref, 0, draft.text) for draft in drafts if draft.ref is not None
        ]

    def _enter(self, draft: PassageDraft, sections: list[Section], edges: list[Edge]) -> Id | None:
        if draft.section is None:
            return None
        id = section_id(self.key, self.source.id, draft.section)
        if id not in self.sections:
            section = Section(id, self.source.id, draft.section, self.section_count, draft.at_us)
            self.section_count += 1
            self.sections[id] = section
            sections.append(section)
            edges.append(Edge(id, EdgeType.PART, self.source.id))
            if self.last_section is not None:
                edges.append(Edge(self.last_section, EdgeType.NEXT, id))
            self.last_section = id
        return id

    def _passage(self, draft: PassageDraft, section: Id | None) -> Passage:
        return Passage(
            id=passage_id(self.key, self.source.id, draft.ref, self.ordinal, draft.text),
            source=self.source.id,
            section=section,
            ordinal=self.ordinal,
            text=draft.text,
            ref=draft.ref,
            speaker=draft.speaker,
            at_us=draft.at_us,
            tz_min=draft.tz_min,
            start=draft.start,
            end=draft.end or draft.start + len(draft.text),
            form=form_of(draft.text, opens_section=section not in self.last),
            meta=draft.meta,
        )


def tail_placer(key: bytes, reader: Reader, source: Source, drafts: Sequence[PassageDraft]) -> Placer:
    """A placer that goes on where a live source ends now."""
    names = list(dict.fromkeys(draft.section for draft in drafts))
    ids = {name: section_id(key, source.id, name) if name is not None else None for name in names}
    stored = reader.get([id for id in ids.values() if id is not None])
    placer = Placer(key, source)
    for id in ids.values():
        tail = reader.tail(source.id, id)
        placer.ordinal, placer.last_section, placer.section_count = tail.next_ordinal, tail.last_section, tail.sections
        section = stored.get(id) if id is not None else None
        if isinstance(section, Section):
            placer.sections[section.id] = section
        if tail.last_passage is not None:
            passage = reader.get([tail.last_passage])[tail.last_passage]
            if isinstance(passage, Passage):
                placer.last[id] = passage
    return placer


def resolve_source(key: bytes, reader: Reader, draft: SourceDraft) -> tuple[Source, Source | None]:
    """The source that a draft stands for, and the stored one it supersedes.

    The same digest is the same source; another digest under the same outside id is a new revision; a draft without
    a digest is a live source that grows."""
    stored = reader.find_source(draft.kind, draft.outside_id)
    if stored is not None and (not draft.digest or stored.digest == draft.digest):
        return stored, None
    source = Source(
        id=source_id(key, draft.kind, draft.outside_id, 0),
        kind=draft.kind,
        outside_id=draft.outside_id,
        title=draft.title,
        digest=draft.digest,
        meta=draft.meta,
    )
    if stored is None:
        return source, None
    revision = stored.revision + 1
    id = source_id(key, draft.kind, draft.outside_id, revision)
    return replace(source, id=id, revision=revision, supersedes=stored.id), stored


def retired_ids(reader: Reader, source: Source) -> tuple[Id, ...]:
    """The passages of a superseded source and the notes that stand in them."""
    passages = reader.passages_of(source.id)
    if not passages:
        return ()
    _, notes = reader.notes_of(reader.numbers(passages))
    return (*passages, *dict.fromkeys(node.id for node in reader.nodes(notes)))
