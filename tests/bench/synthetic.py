"""A large store of made-up conversations: real text lengths, Zipf words, heavy-tailed entities, about eight adjacency
entries a note. What is measured on it is time and memory, never quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphmem.schema import (
    Alias,
    Batch,
    Edge,
    EdgeType,
    Entity,
    Form,
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
    note_id,
    passage_id,
    section_id,
    source_id,
)

DIMENSION = 384
NOTES_A_PASSAGE = 2
TURNS_A_SESSION = 20
SESSIONS_A_SOURCE = 30
VOCABULARY = 30_000
FUNCTION_WORDS = "the of and to a in is it that for on was with as at by from this be have".split()
START_US = 1_600_000_000_000_000
_SYLLABLES = "ba co di fu ga he ji ko lu ma ne pi ro su ta vo we xi yu za".split()


def word(number: int) -> str:
    """The word of a rank: distinct, pronounceable, no stop word."""
    parts = []
    number += 400
    while number:
        number, digit = divmod(number, 20)
        parts.append(_SYLLABLES[digit])
    return "".join(parts)


@dataclass
class World:
    """Draws texts, vectors and mentions. Words, speakers and entities follow Zipf's law; the vectors are mixtures of
    2,000 random directions plus noise, as topics make them."""

    seed: int = 7
    rng: np.random.Generator = field(init=False)
    words: list[str] = field(init=False)
    topics: npt.NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.words = [word(rank) for rank in range(VOCABULARY)]
        self.topics = self.rng.standard_normal((2_000, DIMENSION), dtype=np.float32)
        weights = 1 / (np.arange(1, VOCABULARY + 1) + 30.0)  # Zipf-Mandelbrot: the commonest is in 1 passage of 10
        self._cumulative = np.cumsum(weights / weights.sum())

    def sentence(self) -> str:
        """8 to 28 words, as in real chats; 45 of 100 are function words, as in English."""
        count = int(self.rng.integers(8, 29))
        ranks = np.searchsorted(self._cumulative, self.rng.random(count)).tolist()
        plain = (self.rng.random(count) < 0.45).tolist()
        drawn = (
            FUNCTION_WORDS[r % len(FUNCTION_WORDS)] if f else self.words[r] for r, f in zip(ranks, plain, strict=True)
        )
        return " ".join(drawn).capitalize() + "."

    def vectors(self, count: int) -> npt.NDArray[np.float16]:
        """Unit vectors (count, 384)."""
        pick = self.rng.integers(0, len(self.topics), (2, count))
        noise = self.rng.standard_normal((count, DIMENSION), dtype=np.float32)
        mixed = self.topics[pick[0]] + 0.5 * self.topics[pick[1]] + 0.7 * noise
        return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float16)

    def zipf(self, count: int) -> int:
        return int(count * self.rng.random() ** 3)

    def query(self) -> tuple[str, npt.NDArray[np.float32]]:
        """A question of six words and its unit vector."""
        text = "What about " + " ".join(self.words[self.zipf(VOCABULARY)] for _ in range(6)) + "?"
        return text, self.vectors(1)[0].astype(np.float32)


def batches(space: Space, notes: int, *, batch_notes: int = 2_000, world: World | None = None) -> Iterator[Batch]:
    """Ready batches of `notes` notes in all, with passages, vectors, token codes, entities and every structure edge."""
    world = world or World()
    speakers = [_entity(space, f"Person{word(n).capitalize()}", "person") for n in range(60)]
    things = [_entity(space, word(n).capitalize() + "ville", "thing") for n in range(max(200, notes // 20))]
    state = _Cursor(space, world, speakers, things)
    everybody = (*speakers, *things)
    yield Batch(nodes=everybody, aliases=tuple(Alias(fold(e.name), e.id) for e in everybody), durable=False)
    for _ in range(0, notes, batch_notes):
        yield state.batch(batch_notes // NOTES_A_PASSAGE)


def _entity(space: Space, name: str, type: str) -> Entity:
    return Entity(entity_id(space.key, name, type), name, type)


@dataclass
class _Cursor:
    space: Space
    world: World
    speakers: list[Entity]
    things: list[Entity]
    turn: int = 0
    source: Source | None = None
    section: Section | None = None
    last: Passage | None = None

    def batch(self, turns: int) -> Batch:
        nodes: list[Node] = []
        edges: list[Edge] = []
        passages: list[Passage] = []
        notes: list[Note] = []
        for _ in range(turns):
            self._open(nodes, edges)
            passage, made = self._turn(edges)
            passages.append(passage)
            notes += made
        rng = self.world.rng
        ids = tuple(node.id for node in (*passages, *notes))
        tokens = {
            p.id: rng.integers(0, 256, (int(rng.integers(10, 60)), DIMENSION // 8), dtype=np.uint8) for p in passages
        }
        return Batch(
            cause="bench",
            nodes=(*nodes, *passages, *notes),
            edges=tuple(edges),
            vector_ids=ids,
            vectors=self.world.vectors(len(ids)),
            tokens=tokens,
            durable=False,
        )

    def _open(self, nodes: list[Node], edges: list[Edge]) -> None:
        key = self.space.key
        if self.turn % (TURNS_A_SESSION * SESSIONS_A_SOURCE) == 0:
            outside = f"chat-{self.turn}"
            self.source = Source(source_id(key, "conversation", outside, 0), "conversation", outside)
            nodes.append(self.source)
        if self.turn % TURNS_A_SESSION == 0:
            assert self.source is not None
            name = f"session-{self.turn // TURNS_A_SESSION}"
            self.section = Section(section_id(key, self.source.id, name), self.source.id, name, 0, START_US)
            nodes.append(self.section)
            edges.append(Edge(self.section.id, EdgeType.PART, self.source.id))
            self.last = None

    def _turn(self, edges: list[Edge]) -> tuple[Passage, list[Note]]:
        assert self.source is not None and self.section is not None
        world, key = self.world, self.space.key
        speaker = self.speakers[world.zipf(len(self.speakers))]
        sentences = [world.sentence() for _ in range(NOTES_A_PASSAGE)]
        text = " ".join(sentences)
        form = Form.OPENS_SECTION if self.last is None else Form.NONE
        passage = Passage(
            id=passage_id(key, self.source.id, None, self.turn, text),
            source=self.source.id,
            section=self.section.id,
            ordinal=self.turn,
            text=text,
            speaker=speaker.name,
            at_us=START_US + self.turn * 3_600_000_000,
            end=len(text),
            form=form,
        )
        edges += [
            Edge(passage.id, EdgeType.PART, self.section.id),
            Edge(passage.id, EdgeType.SPEAKER, speaker.id),
            Edge(passage.id, EdgeType.MENTIONS, self.things[world.zipf(len(self.things))].id),
        ]
        if self.last is not None:
            edges.append(Edge(self.last.id, EdgeType.NEXT, passage.id))
        self.last, self.turn = passage, self.turn + 1
        return passage, self._notes(passage, sentences, edges)

    def _notes(self, passage: Passage, sentences: list[str], edges: list[Edge]) -> list[Note]:
        made, start = [], 0
        for sentence in sentences:
            span = Span(passage.id, start, start + len(sentence), sentence)
            note = Note(
                id=note_id(self.space.key, "fact", [(passage.id, span.start, span.end)]),
                kind=NoteKind.FACT,
                text=sentence,
                spans=(span,),
                context=f"{passage.speaker}, in {self.section.name if self.section else ''}",
                keywords=tuple(sentence.lower().rstrip(".").split()[:4]),
            )
            edges.append(Edge(note.id, EdgeType.FROM, passage.id, start=span.start, end=span.end))
            edges.append(Edge(note.id, EdgeType.MENTIONS, self.things[self.world.zipf(len(self.things))].id))
            made.append(note)
            start += len(sentence) + 1
        return made
