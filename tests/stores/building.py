"""A tiny world to write: turns of a chat with notes, names and edges, under ids that the space's key decides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from graphmem.schema import (
    Alias,
    Batch,
    Edge,
    EdgeType,
    Entity,
    Hyperedge,
    Id,
    Member,
    Node,
    Note,
    NoteKind,
    Passage,
    Section,
    Source,
    Space,
    Span,
    entity_id,
    fold,
    hyperedge_id,
    note_id,
    passage_id,
    section_id,
    source_id,
)

DIMENSION = 384
HOUR_US = 3_600_000_000


@lru_cache(maxsize=20_000)
def vector(text: str) -> npt.NDArray[np.float16]:
    """A unit vector that only this text has."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    values = np.random.default_rng(seed).standard_normal(DIMENSION)
    return (values / np.linalg.norm(values)).astype(np.float16)


@dataclass(frozen=True)
class Turn:
    """One turn and what is made of it."""

    passage: Passage
    note: Note
    entities: tuple[Entity, ...]
    edges: tuple[Edge, ...]
    aliases: tuple[Alias, ...]
    relation: Hyperedge | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.passage, *self.entities, self.note, *((self.relation,) if self.relation else ()))


@dataclass(frozen=True)
class Chat:
    """A conversation in a space. Everything it gives depends on its arguments alone."""

    space: Space
    name: str = "chat"
    title: str = ""

    @property
    def source(self) -> Source:
        id = source_id(self.space.key, "conversation", self.name, 0)
        return Source(id, "conversation", self.name, self.title)

    def section(self, name: str = "s1") -> Section:
        return Section(section_id(self.space.key, self.source.id, name), self.source.id, name, 0, 0)

    def entity(self, name: str, type: str = "person") -> Entity:
        return Entity(entity_id(self.space.key, name, type), name, type)

    def turn(
        self,
        ordinal: int,
        text: str,
        speaker: str = "Ada",
        *names: str,
        at_us: int | None = None,
        valid: tuple[int, int] | None = None,
        context: str = "",
        caption: str = "",
    ) -> Turn:
        key = self.space.key
        passage = Passage(
            passage_id(key, self.source.id, None, ordinal, text),
            self.source.id,
            self.section().id,
            ordinal,
            text,
            speaker=speaker,
            at_us=ordinal * HOUR_US if at_us is None else at_us,
            end=len(text),
            meta={"caption": caption} if caption else {},
        )
        span = Span(passage.id, 0, len(text), text)
        since, until = valid or (None, None)
        note = Note(
            note_id(key, "fact", [(passage.id, 0, len(text))]),
            NoteKind.FACT,
            text,
            (span,),
            context=context,
            valid_from_us=since,
            valid_to_us=until,
        )
        said = self.entity(speaker)
        named = tuple(self.entity(name, "thing") for name in names)
        edges = (
            Edge(passage.id, EdgeType.PART, self.source.id),
            Edge(passage.id, EdgeType.PART, self.section().id),
            Edge(passage.id, EdgeType.SPEAKER, said.id),
            *(Edge(passage.id, EdgeType.MENTIONS, entity.id) for entity in named),
            *(Edge(note.id, EdgeType.ABOUT, entity.id) for entity in named),
        )
        aliases = tuple(Alias(fold(entity.name), entity.id, passage.id) for entity in (said, *named))
        relation = None
        if named:
            members = (Member(EdgeType.AGENT, said.id), Member(EdgeType.OBJECT, named[0].id))
            pairs = [(member.role.name, member.node) for member in members]
            id = hyperedge_id(key, "speaks of", pairs, [(passage.id, 0, len(text))])
            relation = Hyperedge(id, "speaks of", members, (span,))
        return Turn(passage, note, (said, *named), edges, aliases, relation)

    def batch(self, *turns: Turn, job: Id | None = None, before: Turn | None = None, **fields: object) -> Batch:
        """The turns as the pipeline would write them: with source, section, NEXT, vectors and token codes."""
        chain = ([before] if before else []) + list(turns)
        follows = tuple(Edge(a.passage.id, EdgeType.NEXT, b.passage.id) for a, b in pairwise(chain))
        texts = {node.id: node.text for turn in turns for node in (turn.passage, turn.note)}
        batch = Batch(
            job=job,
            nodes=(self.source, self.section(), *(node for turn in turns for node in turn.nodes)),
            edges=(
                Edge(self.section().id, EdgeType.PART, self.source.id),
                *(edge for turn in turns for edge in turn.edges),
                *follows,
            ),
            aliases=tuple(alias for turn in turns for alias in turn.aliases),
            vector_ids=tuple(texts),
            vectors=np.stack([vector(text) for text in texts.values()]),
            tokens={turn.passage.id: codes(turn.passage.text) for turn in turns},
        )
        return replace(batch, **fields)  # type: ignore[arg-type]


def codes(text: str) -> npt.NDArray[np.uint8]:
    """Token codes: one row a word."""
    return np.stack([np.packbits(vector(word) > 0) for word in text.split()])


def sentences(count: int, seed: int = 0) -> Sequence[str]:
    """Different made-up sentences that share words."""
    rng = np.random.default_rng(seed)
    words = "gate garden river lamp bread winter letter village music harbour stone apple window road".split()
    return [f"Turn {n} tells of the {' and the '.join(rng.choice(words, 4))}." for n in range(count)]
