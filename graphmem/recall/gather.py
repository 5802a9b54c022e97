"""From a question to candidates: who is asked about, the searches, and the signals of each candidate passage."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.embed import Embedder, QueryVectors
from graphmem.recall.plan import Plan
from graphmem.recall.understand import Name, Question, search_terms, spoken_by_me
from graphmem.schema import EdgeType, NodeKind
from graphmem.stores.base import Candidates, Heads, Reader

CODE_BLOCK = 512
HEAD_COLUMNS = tuple(column.name for column in fields(Heads))
#: The eight signs of each byte, first bit first: (256, 8), -1 or 1.
SIGNS = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 1.0

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question resolved against a space: the person asked about (entity numbers, empty when none or several),
    terms and vectors to search with, and passages of the sources that its names are titles of, with 0..1 each."""

    question: Question
    terms: tuple[str, ...]
    vectors: QueryVectors
    speakers: Numbers
    titled: dict[int, float]


@dataclass(frozen=True, slots=True)
class Found:
    """What the searches gave: the pool of passages to rank, and scores by number to look candidates up in."""

    pool: Numbers
    text: Candidates
    notes: Candidates
    note_owner: Numbers
    exact: bool


@dataclass(frozen=True, slots=True)
class Signals:
    """Columns aligned with `numbers` (passages). `note` is the best known note of a passage, 0 when none is known."""

    numbers: Numbers
    heads: Heads
    text: Floats
    sentence: Floats
    tokens: Floats
    entity: Floats
    note: Numbers
    codes_read: int = field(default=0)
    left_out: int = field(default=0)  # passages whose token codes were not read


def resolve(reader: Reader, question: Question, embedder: Embedder, plan: Plan) -> Asked:
    """Looks the question's names up. Speakers leave the search text; titles of sources become candidates."""
    found = reader.entities([name.folded for name in question.names])
    by_name: dict[int, list[int]] = {}
    for name, number in zip(found.name.tolist(), found.number.tolist(), strict=True):
        by_name.setdefault(name, []).append(number)
    entities = np.unique(found.number).astype(np.int64)
    degree = reader.neighbours(entities, (EdgeType.SPEAKER,), limit=1).degree if len(entities) else None
    speaks, heads_a_source = set[int](), set[int]()
    if degree is not None:
        speaks = set(entities[degree[:, EdgeType.SPEAKER] > 0].tolist())
        heads_a_source = set(entities[degree[:, EdgeType.TITLE] > 0].tolist())
    people: dict[Name, list[int]] = {}
    titles: dict[int, float] = {}
    for name, numbers in _accepted(question, by_name, speaks):
        speakers = [number for number in numbers if number in speaks]
        if speakers:
            people[name] = speakers
        for number in numbers:
            if number in heads_a_source:
                titles[number] = min(1.0, 0.4 + 0.2 * name.words)
    text = spoken_by_me(question.text, tuple(people))
    asked_about = {name.folded: numbers for name, numbers in people.items()}
    only = next(iter(asked_about.values())) if len(asked_about) == 1 else []
    return Asked(
        question,
        tuple(search_terms(question.text, tuple(people))),
        embedder.query(text),
        np.array(sorted(only), np.int64),
        titled_passages(reader, titles, plan),
    )


def _accepted(question: Question, by_name: dict[int, list[int]], speaks: set[int]) -> list[tuple[Name, list[int]]]:
    """Names that stand for something, longest first, none inside another. A lone lower-case word counts for people."""
    taken: list[Name] = []
    accepted = []
    for index, name in enumerate(question.names):
        numbers = by_name.get(index, [])
        if not (name.capital or name.words > 1):
            numbers = [number for number in numbers if number in speaks]
        if numbers and all(name.end <= other.start or other.end <= name.start for other in taken):
            taken.append(name)
            accepted.append((name, numbers))
    return accepted


def titled_passages(reader: Reader, titles: dict[int, float], plan: Plan) -> dict[int, float]:
    """Passages of the sources that entities are the titles of: entity <- TITLE - source <- PART - passage."""
    if not titles:
        return {}
    entities = np.array(sorted(titles), np.int64)
    up = reader.neighbours(entities, (EdgeType.TITLE,), limit=plan.edges_a_node)
    back = ~up.forward
    value = {int(source): titles[int(entities[row])] for row, source in zip(up.row[back], up.number[back], strict=True)}
    if not value:
        return {}
    sources = np.array(sorted(value), np.int64)
    down = reader.neighbours(sources, (EdgeType.PART,), limit=plan.edges_a_node)
    back = ~down.forward
    passages, rows = down.number[back], down.row[back]
    kinds = reader.heads(passages).kind
    return {
        int(passage): value[int(sources[row])]
        for passage, row, kind in zip(passages, rows, kinds, strict=True)
        if kind == NodeKind.PASSAGE
    }


def search(reader: Reader, asked: Asked, plan: Plan) -> Found:
    """The searches: words, passage vectors, note vectors, titles, times. The pool is their union, ascending."""
    text = reader.text(asked.terms, plan.known_scores)
    passages = reader.dense(asked.vectors.vector, plan.pool, (NodeKind.PASSAGE,))
    notes = reader.dense(asked.vectors.vector, plan.known_scores, (NodeKind.NOTE,))
    owner = reader.heads(notes.numbers).owner
    owners = owner[owner > 0]
    best_owners = owners[np.sort(np.unique(owners, return_index=True)[1])][: plan.pool]
    titled = sorted(asked.titled, key=lambda number: (-asked.titled[number], number))[: plan.pool]
    parts = [text.numbers[: plan.pool], passages.numbers, best_owners, np.array(titled, np.int64)]
    if asked.question.dates.interval_us is not None:
        parts.append(reader.heads(reader.times(*asked.question.dates.interval_us, plan.pool).numbers).owner)
    pool = np.unique(np.concatenate(parts)).astype(np.int64)
    return Found(pool[pool > 0], text, notes, owner, text.exact and passages.exact and notes.exact)


def signals(
    reader: Reader, asked: Asked, found: Found, numbers: Numbers, plan: Plan, *, codes: int | None = None
) -> Signals:
    """What each passage has of the question; other nodes are dropped. O(passages) and at most `codes` token codes,
    the plan's when None."""
    heads = reader.heads(numbers)
    if (heads.kind != NodeKind.PASSAGE).any():
        heads = chosen(heads, np.flatnonzero(heads.kind == NodeKind.PASSAGE))
        numbers = heads.numbers
    best_text = float(found.text.scores[0]) if len(found.text.scores) else 1.0
    text = looked_up(found.text.numbers, found.text.scores, numbers, 0.0) / max(best_text, 1e-9)
    sentence, note = best_notes(found, numbers)
    promise = text + 2.0 * sentence
    budget = plan.token_codes if codes is None else codes
    tokens, read, left_out = late_interaction(reader, asked.vectors, numbers, promise, budget)
    entity = np.array([asked.titled.get(number, 0.0) for number in numbers.tolist()])
    return Signals(numbers, heads, text, sentence, tokens, entity, note, read, left_out)


def chosen(heads: Heads, rows: Numbers) -> Heads:
    """These rows of the columns, in this order."""
    return Heads(*(getattr(heads, name)[rows] for name in HEAD_COLUMNS))


def together(first: Signals, second: Signals) -> Signals:
    """Two sets of columns as one, ascending by number."""
    order = np.argsort(np.concatenate([first.numbers, second.numbers]), kind="stable")

    def both(name: str) -> npt.NDArray[Any]:
        return np.asarray(np.concatenate([getattr(first, name), getattr(second, name)])[order])

    heads = Heads(
        *(np.concatenate([getattr(first.heads, name), getattr(second.heads, name)])[order] for name in HEAD_COLUMNS)
    )
    return Signals(
        heads.numbers,
        heads,
        both("text"),
        both("sentence"),
        both("tokens"),
        both("entity"),
        both("note"),
        first.codes_read + second.codes_read,
        first.left_out + second.left_out,
    )


def looked_up(keys: Numbers, values: npt.NDArray[np.float32], numbers: Numbers, missing: float) -> Floats:
    """The value of each number among keys in any order; `missing` where there is none."""
    if not len(keys):
        return np.full(len(numbers), missing)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], numbers), len(keys) - 1)
    hit = keys[order][at] == numbers
    return np.where(hit, values[order][at].astype(np.float64), missing)


def best_notes(found: Found, numbers: Numbers) -> tuple[Floats, Numbers]:
    """The best cosine among a passage's notes, and that note; the worst known cosine where no note of it is known."""
    owner, first = np.unique(found.note_owner, return_index=True)  # best first: the first of an owner is its best
    floor = float(found.notes.scores[-1]) if len(found.notes.scores) else 0.0
    sentence = looked_up(owner, found.notes.scores[first], numbers, floor)
    note = looked_up(owner, np.arange(len(owner), dtype=np.float32), numbers, -1.0).astype(np.int64)
    return sentence, np.where(note >= 0, found.notes.numbers[first][note], 0) if len(owner) else note * 0


def late_interaction(
    reader: Reader, vectors: QueryVectors, numbers: Numbers, promise: Floats, budget: int
) -> tuple[Floats, int, int]:
    """Mean over the question's tokens of the best cosine to a passage's token (ColBERT's MaxSim), the passage's tokens
    known by their signs: q . (+-1) / sqrt(dimension). On LoCoMo signs keep .999 of the recall@10 of floats.

    Passages are read by falling promise until `budget` codes are used up; the rest gets the worst value read.
    Without token codes the passage's cosine stands in, scaled to the same spread.
    """
    if not len(numbers):
        return np.empty(0), 0, 0
    if not len(vectors.tokens):
        return 0.8 * np.nan_to_num(reader.cosine(vectors.vector, numbers).astype(np.float64)), 0, 0
    order = np.argsort(-promise, kind="stable")[: max(1, budget // 24)]
    offsets, codes = reader.tokens(numbers[order])
    fits = max(1, int(np.searchsorted(offsets[1:], budget, side="right")))
    order, offsets = order[:fits], offsets[: fits + 1]
    filled = offsets[1:] > offsets[:-1]
    if not filled.any():
        return 0.8 * np.nan_to_num(reader.cosine(vectors.vector, numbers).astype(np.float64)), 0, 0
    cosines = sign_cosines(codes[: offsets[-1]], vectors.tokens)
    best = np.maximum.reduceat(cosines, offsets[:-1][filled], axis=0).mean(axis=1)
    value = np.full(len(numbers), float(best.min()))
    value[order[filled]] = best
    return value, int(offsets[-1]), len(numbers) - fits


def sign_cosines(codes: npt.NDArray[np.uint8], query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """q . (+-1) / sqrt(dimension) for codes (codes, dimension / 8) and tokens (tokens, dimension): (codes, tokens).

    A byte becomes its eight signs by table, in blocks that stay in the processor's cache: 5,000 codes and 12 tokens
    take 1.2 ms on one core; unpacked in one piece 4 to 9 ms.
    """
    out = np.empty((len(codes), len(query)), np.float32)
    scaled = np.ascontiguousarray(query.T, np.float32) / np.sqrt(np.float32(8 * codes.shape[1]))
    signs = np.empty((min(CODE_BLOCK, len(codes)), codes.shape[1], 8), np.float32)
    for start in range(0, len(codes), CODE_BLOCK):
        block = codes[start : start + CODE_BLOCK]
        np.take(SIGNS, block, axis=0, out=signs[: len(block)], mode="clip")
        np.matmul(signs[: len(block)].reshape(len(block), -1), scaled, out=out[start : start + CODE_BLOCK])
    return out
