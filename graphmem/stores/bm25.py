"""BM25 (Robertson & Zaragoza 2009), k1 1.2, b .75, over packed postings: the one scorer of words that all stores use.

score = sum of idf (k1 + 1) tf / (tf + k1 (1 - b + b length / average)); idf = ln(1 + (N - df + .5) / (df + .5))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

K1, B = 1.2, 0.75
CLIP = 65_535
#: A passage's number, how often the term occurs in it and how many terms it has, both clipped to 65,535.
POSTING = np.dtype([("number", "<u4"), ("tf", "<u2"), ("length", "<u2")])

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]
Entries = npt.NDArray[Any]  # of POSTING


def term_of(word: str, key: bytes = b"") -> int:
    """The first eight bytes of its blake2b digest: two of a million terms share one with a chance of 3e-8."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), key=key, digest_size=8).digest(), "big")


def length_of(words: Iterable[Sequence[str]]) -> int:
    """Terms in all documents together, each document's clipped as its postings have it."""
    return sum(min(len(listed), CLIP) for listed in words)


def scores(
    parts: Sequence[Sequence[Words]], docs: int, length: int, found_in: Sequence[int] | None = None
) -> tuple[Numbers, Floats]:
    """BM25 of each passage that has one of the terms, given the postings of each term. Sums in an array over all
    numbers, of which only the touched pages are ever made: no sort, and terms add up in one order however rows lie.

    `found_in`: how many passages have each term, where not all of their postings are given."""
    matches = [sum(map(len, of_one)) for of_one in parts]
    entries = np.concatenate([part for of_one in parts for part in of_one]).view(POSTING)
    if not len(entries):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    weighed = weights(entries, docs, length)
    numbers = entries["number"].astype(np.int64)
    sums = np.zeros(1 + int(numbers.max()), np.float32)
    found, start = [], 0
    for n, df in zip(matches, found_in or matches, strict=True):
        mine, stop = numbers[start : start + n], start + n
        idf = np.float32((K1 + 1) * math.log1p((docs - df + 0.5) / (df + 0.5)))
        held = sums[mine]
        found.append(mine[held == 0])
        sums[mine] = held + idf * weighed[start:stop]
        start = stop
    every = np.concatenate(found)
    return every, sums[every]


def weights(entries: Entries, docs: int, length: int) -> Floats:
    """tf / (tf + k1 (1 - b + b length / average)) of each posting."""
    tf = entries["tf"].astype(np.float32)
    norm = entries["length"].astype(np.float32) * np.float32(K1 * B * docs / length) + np.float32(K1 * (1 - B))
    return (tf / (tf + norm)).astype(np.float32, copy=False)


def best(numbers: Numbers, scores: Floats, k: int | None) -> tuple[Numbers, Floats]:
    """By one sort of 64 bits: a positive float's bits order as it does, and the number breaks ties."""
    keys = (np.uint64(0xFFFFFFFF) - scores.view(np.uint32)) << np.uint64(32) | numbers.astype(np.uint64)
    if k is not None and k < len(keys):
        keys = np.partition(keys, k)[: max(k, 0)] if k > 0 else keys[:0]
    keys = np.sort(keys)
    bits = (np.uint64(0xFFFFFFFF) - (keys >> np.uint64(32))).astype(np.uint32)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64), bits.view(np.float32)
