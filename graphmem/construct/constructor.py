"""Construction: a batch of passages to notes, entities, hyperedges and the edges between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphmem.construct.asking import Asker, Proposer
from graphmem.construct.draft import Constructed, Draft
from graphmem.construct.entities import Directory
from graphmem.construct.facts import Cast, hyperedges_of
from graphmem.construct.keys import grams, key_of, without_brackets
from graphmem.construct.mentions import mentions_of
from graphmem.construct.reading import MAX_READ_CHARS, Reading, read
from graphmem.construct.rules import notes_of
from graphmem.construct.tokens import tokens
from graphmem.construct.types import type_of_title
from graphmem.schema import Edge, EdgeType, Entity, Hyperedge, Id, Passage, Source, fold


class Constructor:
    """Builds by rules; a proposer may add to them. Holds no state of its own: the same input (and the same answers)
    gives the same output; as safe between threads as its proposer."""

    def __init__(self, proposer: Proposer | None = None, *, proposer_deadline_s: float = 30.0) -> None:
        """`proposer_deadline_s`: a proposer slower than this for one passage is not asked again in the batch."""
        self._proposer = proposer
        self._deadline_s = proposer_deadline_s

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
        directory, draft, last = Directory(key, known), Draft(), dict(before)
        asker = Asker(self._proposer, self._deadline_s) if self._proposer is not None else None
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
            placed = list(mentions.placed)
            entities = list(mentions.all)
            if asker is not None:
                added = asker.ask(key, passage, notes, directory)
                notes, hyperedges = [*notes, *added.notes], _distinct([*hyperedges, *added.hyperedges])
                placed += [(start, end, entity) for entity, start, end in added.entities]
                entities += [entity for entity, _, _ in added.entities]
                draft.edges.extend(link.edge() for link in added.links)
                draft.refusals.extend(added.refusals)
            draft.join(passage.id, speaker, entities=entities, placed=placed, notes=notes, hyperedges=hyperedges)
        return draft.constructed(directory)


def _distinct(hyperedges: Sequence[Hyperedge]) -> list[Hyperedge]:
    return list({hyperedge.id: hyperedge for hyperedge in reversed(hyperedges)}.values())[::-1]


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


def _title_entities(source: Source, passages: Sequence[Passage], directory: Directory, draft: Draft) -> tuple[Id, ...]:
    found: list[Id] = []
    for title in _titles(source, passages):
        type = type_of_title(title, passages[0].text if passages and passages[0].ordinal == 0 else "")
        found.extend(directory.titled(title, type, passages[0].id if passages else None))
    distinct = tuple(dict.fromkeys(found))
    draft.edges.extend(Edge(source.id, EdgeType.TITLE, entity) for entity in distinct)
    return distinct
