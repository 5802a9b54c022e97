"""A store small enough to read: one space in dictionaries, exact searches. Only what recall asks of a reader."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphmem.analysis import indexed_text, terms
from graphmem.embed import QueryVectors
from graphmem.schema import Edge, EdgeType, Entity, NodeKind, Note, Passage, Source, Space, fold
from graphmem.stores.base import NO_TIME, Candidates, ComposedReads, Found, Heads, Neighbours, Usage

KINDS = {Source: NodeKind.SOURCE, Passage: NodeKind.PASSAGE, Note: NodeKind.NOTE, Entity: NodeKind.ENTITY}


@dataclass
class World(ComposedReads):
    """Is Store and Reader at once. Numbers are positions plus one, in the order of `add`."""

    nodes_: list[Any] = field(default_factory=list)
    vectors_: dict[int, np.ndarray] = field(default_factory=dict)
    codes: dict[int, np.ndarray] = field(default_factory=dict)
    edges_: list[tuple[int, EdgeType, int, float]] = field(default_factory=list)
    names: dict[str, list[int]] = field(default_factory=dict)
    number_of: dict[str, int] = field(default_factory=dict)
    used: dict[int, tuple[int, int]] = field(default_factory=dict)  # number -> uses, the last of them
    seq: int = 1
    read_limit: int = 0
    space: Space = field(default_factory=lambda: Space("tiny", b"k" * 16))
    _postings: dict[str, tuple[np.ndarray, np.ndarray]] | None = None
    _adjacent: dict[int, list[tuple[int, int, bool, float]]] | None = None

    @contextmanager
    def reader(self, space: Space, *, deadline_s: float | None = None) -> Iterator[World]:  # noqa: ARG002
        yield self

    def add(self, node: Any, vector: np.ndarray | None = None, codes: np.ndarray | None = None) -> int:
        self.nodes_.append(node)
        number = len(self.nodes_)
        self.number_of[node.id] = number
        if vector is not None:
            self.vectors_[number] = vector
        if codes is not None:
            self.codes[number] = codes
        if isinstance(node, Entity):
            self.names.setdefault(fold(node.name), []).append(number)
        self._postings = self._adjacent = None
        return number

    def join(self, edge: Edge) -> None:
        ends = self.number_of[edge.src], self.number_of[edge.dst]
        self.edges_.append((ends[0], edge.type, ends[1], edge.weight_q8 / 256))
        self._adjacent = None

    # -- what recall reads

    def nodes(self, numbers: np.ndarray) -> list[Any]:
        return [self.nodes_[number - 1] for number in numbers.tolist()]

    def heads(self, numbers: np.ndarray) -> Heads:
        rows = [self._head(number) for number in np.asarray(numbers).tolist()]
        columns = np.array(rows, np.int64).reshape(-1, 8).T
        kind, owner, source, section, speaker, ordinal, at_us, form = columns
        return Heads(
            numbers, kind.astype(np.uint8), owner, source, section, speaker, ordinal, at_us, form.astype(np.uint8)
        )

    def _head(self, number: int) -> tuple[int, ...]:
        node = self.nodes_[number - 1] if 0 < number <= len(self.nodes_) else None
        if isinstance(node, Note):
            owner = self.number_of[node.spans[0].passage] if node.spans else 0
            return (NodeKind.NOTE, owner, *(self._head(owner)[2:] if owner else (0, 0, 0, 0, NO_TIME, 0)))
        if isinstance(node, Passage):
            speaker = next(iter(self.names.get(fold(node.speaker or ""), [])), 0)
            section = self.number_of.get(node.section or "", 0)
            at_us = NO_TIME if node.at_us is None else node.at_us
            return (
                NodeKind.PASSAGE,
                number,
                self.number_of[node.source],
                section,
                speaker,
                node.ordinal,
                at_us,
                node.form,
            )
        return (KINDS.get(type(node), 0), 0, 0, 0, 0, 0, NO_TIME, 0)

    def usage(self, numbers: np.ndarray) -> Usage:
        rows = [self.used.get(number, (0, NO_TIME)) for number in np.asarray(numbers).tolist()]
        table = np.array(rows, np.int64).reshape(-1, 2)
        return Usage(table[:, 0], table[:, 1])

    def notes_of(self, passages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = [
            (row, number)
            for row, passage in enumerate(passages.tolist())
            for number, node in enumerate(self.nodes_, 1)
            if isinstance(node, Note) and node.spans and self.number_of[node.spans[0].passage] == passage
        ]
        found = np.array(rows, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def dense(self, query: np.ndarray, k: int, kinds: Sequence[NodeKind]) -> Candidates:
        numbers = [n for n in self.vectors_ if KINDS.get(type(self.nodes_[n - 1])) in kinds]
        if not numbers:
            return Candidates(np.empty(0, np.int64), np.empty(0, np.float32))
        return best(np.array(numbers), np.stack([self.vectors_[n] for n in numbers]) @ query, k)

    def cosine(self, query: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        values = [float(self.vectors_[n] @ query) if n in self.vectors_ else math.nan for n in numbers.tolist()]
        return np.array(values, np.float32)

    def tokens(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [self.codes.get(n, np.empty((0, 48), np.uint8)) for n in numbers.tolist()]
        offsets = np.cumsum([0, *(len(codes) for codes in found)])
        return offsets, np.concatenate(found) if found else np.empty((0, 48), np.uint8)

    def text(self, words: Sequence[str], k: int | None) -> Candidates:
        postings = self._index()
        scores: Counter[int] = Counter()
        for word in words:
            for number, weight in zip(*postings.get(word, ((), ())), strict=True):
                scores[int(number)] += float(weight)
        return best(np.array(list(scores), np.int64), np.array(list(scores.values())), k or len(scores))

    def _index(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        if self._postings is None:
            counts = {
                n: Counter(terms(indexed_text(x))) for n, x in enumerate(self.nodes_, 1) if isinstance(x, Passage)
            }
            lengths = {n: sum(c.values()) for n, c in counts.items()}
            mean = sum(lengths.values()) / max(1, len(lengths))
            rows: dict[str, list[tuple[int, int]]] = {}
            for number, count in counts.items():
                for word, times in count.items():
                    rows.setdefault(word, []).append((number, times))
            self._postings = {}
            for word, entries in rows.items():
                numbers, tf = np.array(entries).T
                idf = math.log(1 + (len(counts) - len(tf) + 0.5) / (len(tf) + 0.5))
                length = np.array([lengths[n] for n in numbers.tolist()]) / max(mean, 1e-9)
                self._postings[word] = numbers, idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length))
        return self._postings

    def entities(self, folded: Sequence[str]) -> Found:
        pairs = [(row, n) for row, name in enumerate(folded) for n in self.names.get(name, ())]
        found = np.array(pairs, np.int64).reshape(-1, 2)
        return Found(found[:, 0], found[:, 1])

    def times(self, start_us: int, end_us: int, k: int) -> Candidates:
        hits = [
            n for n, x in enumerate(self.nodes_, 1)
            if isinstance(x, Passage) and x.at_us is not None and start_us <= x.at_us < end_us
        ]  # fmt: skip
        return Candidates(np.array(hits[:k], np.int64), np.ones(len(hits[:k]), np.float32))

    def neighbours(self, frontier: np.ndarray, types: Sequence[EdgeType], *, limit: int = 512) -> Neighbours:
        adjacent = self._neighbours_of()
        degree = np.zeros((len(frontier), 64), np.int64)
        rows: list[tuple[int, int, int, bool, float]] = []
        cut = False
        for row, number in enumerate(frontier.tolist()):
            taken = 0
            for other, kind, forward, weight in adjacent.get(number, ()):
                degree[row, kind] += 1
                if kind in types and taken < limit:
                    rows.append((row, other, kind, forward, weight))
                    taken += 1
                elif kind in types:
                    cut = True
        columns = np.array(rows, np.float64).reshape(-1, 5).T
        whole = columns[:4].astype(np.int64)
        self.read_limit = max(self.read_limit, len(rows))
        return Neighbours(
            whole[0],
            whole[1],
            whole[2].astype(np.uint8),
            whole[3].astype(bool),
            columns[4].astype(np.float32),
            degree,
            cut,
        )

    def _neighbours_of(self) -> dict[int, list[tuple[int, int, bool, float]]]:
        if self._adjacent is None:
            self._adjacent = {}
            for src, kind, dst, weight in self.edges_:
                self._adjacent.setdefault(src, []).append((dst, kind, True, weight))
                self._adjacent.setdefault(dst, []).append((src, kind, False, weight))
        return self._adjacent


def best(numbers: np.ndarray, scores: np.ndarray, k: int) -> Candidates:
    order = np.lexsort((numbers, -scores))[:k]
    return Candidates(numbers[order].astype(np.int64), scores[order].astype(np.float32))


@dataclass(frozen=True)
class Embedder:
    """Vectors written down by the test; a text that it does not know is orthogonal to all."""

    known: dict[str, np.ndarray]
    name: str = "written-down"
    dimension: int = 384

    def query(self, text: str) -> QueryVectors:
        return QueryVectors(self.known.get(text, np.zeros(384, np.float32)), np.empty((0, 384), np.float32))

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> Any:
        raise NotImplementedError
