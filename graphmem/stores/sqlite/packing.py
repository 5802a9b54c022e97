"""Packed postings: arrays in order of (term, number), and the rows they are stored in.

A term is the first eight bytes of its blake2b digest: no text stands in the index, and two of a million terms share
one with a chance of 3e-8. A posting is eight bytes: the passage's number, how often the term occurs in it and how many
terms it has, both clipped to 65,535, so that a search reads nothing but the rows of its terms. A row is at most 12 kB:
a term of many passages is cut into several rows, terms of few share one. Its key is its first posting, big-endian, so
that SQLite's order of blobs is the order of postings.

    body, in words of eight bytes: number of terms | term[terms] | u4 end[terms], padded | posting[last end]
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.stores.bm25 import CLIP, POSTING, term_of

ROW_BYTES = 12_000
TERM_BYTES = 12
KEY = struct.Struct(">QI")

Terms = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint64]
Entries = npt.NDArray[Any]  # of POSTING
Numbers = npt.NDArray[np.int64]


class TermMemory(dict[str, int]):
    """Terms of words, remembered: a bulk load asks for the same ones again and again (0.1 us instead of 1)."""

    LIMIT = 100_000

    def __missing__(self, word: str) -> int:
        if len(self) >= self.LIMIT:
            self.clear()
        term = self[word] = term_of(word)
        return term


@dataclass(slots=True)
class Postings:
    """Aligned arrays, ascending by (term, number); no pair twice."""

    terms: Terms
    entries: Entries

    def __len__(self) -> int:
        return len(self.terms)

    def __getitem__(self, which: slice | npt.NDArray[Any]) -> Postings:
        return Postings(self.terms[which], self.entries[which])

    @classmethod
    def none(cls) -> Postings:
        return cls(np.zeros(0, np.uint64), np.zeros(0, POSTING))

    @classmethod
    def of(cls, numbers: Numbers, words: Sequence[Sequence[str]], memory: TermMemory) -> Postings:
        """Those of documents given as their words, in any order of numbers."""
        order = np.argsort(numbers, kind="stable")
        numbers, words = numbers[order], [words[i] for i in order.tolist()]
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        terms = np.fromiter((memory[w] for listed in words for w in listed), np.uint64, int(lengths.sum()))
        document = np.repeat(np.arange(len(words)), lengths)
        order = np.argsort(terms, kind="stable")
        terms, document = terms[order], document[order]
        first = np.ones(len(terms), bool)
        first[1:] = (terms[1:] != terms[:-1]) | (document[1:] != document[:-1])
        starts = np.flatnonzero(first)
        entries = np.empty(len(starts), POSTING)
        entries["number"] = numbers[document[starts]]
        entries["tf"] = np.minimum(np.diff(starts, append=len(terms)), CLIP)
        entries["length"] = np.minimum(lengths[document[starts]], CLIP)
        return cls(terms[starts], entries)

    @classmethod
    def joined(cls, parts: Sequence[Postings]) -> Postings:
        """All of them in one order. Parts given in order of numbers, as runs mostly are, need one sort by term."""
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:
            return parts[0] if parts else cls.none()
        terms = np.concatenate([part.terms for part in parts])
        entries = np.concatenate([part.entries.view("<u8") for part in parts]).view(
            POSTING
        )  # 10x faster than as records
        order = np.argsort(terms, kind="stable")
        sorted_terms, number = terms[order], entries["number"][order]
        if np.any((sorted_terms[1:] == sorted_terms[:-1]) & (number[1:] <= number[:-1])):
            order = np.lexsort((entries["number"], terms))
            sorted_terms = terms[order]
        return cls(sorted_terms, entries[order])

    @classmethod
    def in_order(cls, parts: Sequence[Postings]) -> Postings:
        """Parts that follow each other, as the rows of a run do."""
        if len(parts) < 2:
            return parts[0] if parts else cls.none()
        entries = np.concatenate([part.entries.view("<u8") for part in parts]).view(POSTING)
        return cls(np.concatenate([part.terms for part in parts]), entries)

    def before(self, key: bytes) -> int:
        """How many postings come before the key."""
        term, number = KEY.unpack(key)
        low = int(np.searchsorted(self.terms, np.uint64(term), "left"))
        high = int(np.searchsorted(self.terms, np.uint64(term), "right"))
        return low + int(np.searchsorted(self.entries["number"][low:high], number))

    def key(self, at: int) -> bytes:
        return KEY.pack(int(self.terms[at]), int(self.entries["number"][at]))

    def keys(self) -> npt.NDArray[np.bytes_]:
        """The key of every posting, as twelve bytes that compare as SQLite compares them."""
        raw = np.empty((len(self), 12), np.uint8)
        raw[:, :8] = self.terms.astype(">u8").view(np.uint8).reshape(-1, 8)
        raw[:, 8:] = self.entries["number"].astype(">u4").view(np.uint8).reshape(-1, 4)
        return raw.view("S12").ravel()

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Cut into stored rows: (key, body)."""
        if not len(self):
            return []
        cost = np.full(len(self), POSTING.itemsize)
        cost[1:][self.terms[1:] != self.terms[:-1]] += TERM_BYTES
        row = np.cumsum(cost) // (ROW_BYTES - TERM_BYTES)
        cuts = [0, *(np.flatnonzero(row[1:] != row[:-1]) + 1).tolist(), len(self)]
        return [(self.key(a), self[a:b].body()) for a, b in pairwise(cuts)]

    def body(self) -> bytes:
        if not len(self):
            return b""
        first = np.ones(len(self), bool)
        first[1:] = self.terms[1:] != self.terms[:-1]
        starts = np.flatnonzero(first)
        ends = np.zeros(len(starts) + len(starts) % 2, "<u4")
        ends[: len(starts)] = np.append(starts[1:], len(self))
        head = np.array([len(starts)], "<u8")
        return b"".join((head.tobytes(), self.terms[starts].tobytes(), ends.tobytes(), self.entries.tobytes()))

    @classmethod
    def read(cls, body: bytes) -> Postings:
        if not body:
            return cls.none()
        words = np.frombuffer(body, "<u8")
        n = int(words[0])
        start = 1 + n + (n + 1) // 2
        ends = words[1 + n : start].view("<u4")[:n]
        return cls(np.repeat(words[1 : 1 + n], np.diff(ends, prepend=np.uint32(0))), words[start:].view(POSTING))


def of_term(body: bytes, term: np.uint64) -> Words:
    """The postings of one term in a stored row, eight bytes each; nothing is copied (3 us)."""
    words = np.frombuffer(body, "<u8")
    if not body:
        return words
    n = int(words[0])
    terms = words[1 : 1 + n]
    i = int(terms.searchsorted(term))
    if i == n or terms[i] != term:
        return words[:0]
    start = 1 + n + (n + 1) // 2
    ends = words[1 + n : start].view("<u4")
    return words[start + int(ends[i - 1]) if i else start : start + int(ends[i])]


def span(term: int) -> tuple[bytes, bytes]:
    """The keys between which a term's postings stand."""
    return KEY.pack(term, 0), KEY.pack(term, 0xFFFFFFFF)
