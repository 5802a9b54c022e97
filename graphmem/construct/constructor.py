"""Construction: a batch of passages to notes, entities, hyperedges and the edges between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphmem.construct.asking import Proposer
from graphmem.construct.draft import Constructed, Draft
from graphmem.construct.entities import Directory
from graphmem.construct.facts import Cast, hyperedges_of
from graphmem.construct.keys import grams, key_of, without_brackets
from graphmem.construct.mentions import Mentions, mentions_of
from graphmem.construct.proposing import Asking, Question, Round
from graphmem.construct.reading import MAX_READ_CHARS, Reading, read
from graphmem.construct.rules import notes_of
from graphmem.construct.tokens import tokens
from graphmem.construct.types import type_of_title
from graphmem.construct.validation import Accepted
from graphmem.schema import Edge, EdgeType, Entity, Hyperedge, Id, Note, Passage, Source, fold


@dataclass(frozen=True, slots=True)
class _Ruled:
    """What the rules make of a passage."""

    passage: Passage
    speaker: Id | None
    notes: list[Note]
    mentions: Mentions
    hyperedges: list[Hyperedge]


class Constructor:
    """Builds by rules; a proposer may add to them. The same input (and the same answers) gives the same output; as safe
    between threads as its proposer."""

    def __init__(self, proposer: Proposer | None = None) -> None:
        self.proposer = proposer

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
        asking: Asking | None = None,
    ) -> Constructed:
        """Notes depend on a passage and the one before it in its section alone; entities on what is `known` too.
        A proposer is asked once the rules are through: nothing that it says changes what they make of the batch."""
        directory, draft = Directory(key, known), Draft()
        readings = [read(passage) for passage in passages]
        speakers = _speakers(readings, directory)
        titles = _title_entities(source, passages, directory, draft)
        ruled, last = list[_Ruled](), dict(before)
        for reading in readings:
            passage = reading.passage
            notes = notes_of(key, source, reading, last.get(passage.section))
            last[passage.section] = passage
            speaker = speakers.get(passage.speaker or "")
            mentions = mentions_of(reading, directory, titles)
            hyperedges = hyperedges_of(key, reading, Cast(directory, mentions.resolved, speaker, titles))
            ruled.append(_Ruled(passage, speaker, notes, mentions, hyperedges))
        proposed: Mapping[Id, Accepted] = {}
        if self.proposer is not None:
            questions = _questions(key, source, ruled, before)
            proposed = Round(key, self.proposer, asking or Asking(), directory).run(questions)
        for one in ruled:
            _join(draft, one, proposed.get(one.passage.id))
        return draft.constructed(directory)


def _join(draft: Draft, ruled: _Ruled, proposed: Accepted | None) -> None:
    placed, entities = list(ruled.mentions.placed), list(ruled.mentions.all)
    notes, hyperedges = ruled.notes, ruled.hyperedges
    if proposed is not None:
        notes, hyperedges = [*notes, *proposed.notes], _distinct([*hyperedges, *proposed.hyperedges])
        placed += [(start, end, entity) for entity, start, end in proposed.entities]
        entities += [entity for entity, _, _ in proposed.entities]
        draft.edges.extend(link.edge() for link in proposed.links)
        draft.refusals.extend(proposed.refusals)
        draft.accepted += len(proposed)
    id, speaker = ruled.passage.id, ruled.speaker
    draft.join(id, speaker, entities=entities, placed=placed, notes=notes, hyperedges=hyperedges)


def _questions(
    key: bytes, source: Source, ruled: Sequence[_Ruled], before: Mapping[Id | None, Passage]
) -> list[Question]:
    """Each passage with the notes of the one before it in its section. Of a passage that was written earlier the notes
    are read again: their ids are those of their spans."""
    here = {one.passage.section for one in ruled} & set(before)
    last = {section: notes_of(key, source, read(before[section]), None) for section in here}
    found = []
    for one in ruled:
        found.append(Question(one.passage, one.notes, last.get(one.passage.section, ())))
        last[one.passage.section] = one.notes
    return found


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
