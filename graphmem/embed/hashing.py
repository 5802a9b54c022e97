"""An embedder without weights, for tests: texts that share words are near each other, and nothing else is meant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from graphmem.analysis import terms
from graphmem.embed.base import MAX_TOKEN_CODES, QueryVectors, TextVectors, sign_codes, unit_rows


class HashEmbedder:
    """Each content word is a fixed random direction of +-1, a text the sum of its words. Deterministic everywhere,
    some 100,000 words a second. A text without content words stands for itself, unlike all others."""

    def __init__(self, dimension: int = 384) -> None:
        if dimension < 8 or dimension % 8:
            raise ValueError(f"dimension {dimension} is not a positive multiple of 8")
        self.name = f"hash-{dimension}"
        self.dimension = dimension

    def query(self, text: str) -> QueryVectors:
        rows = self._rows(text)
        return QueryVectors(unit_rows(rows.sum(axis=0)), unit_rows(rows[:MAX_TOKEN_CODES]))

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        rows = [self._rows(text) for text in texts]
        vectors = np.zeros((len(rows), self.dimension), np.float16)
        for index, words in enumerate(rows):
            vectors[index] = unit_rows(words.sum(axis=0))
        none = np.empty((0, self.dimension // 8), np.uint8)
        wanted = tokens if tokens is not None else ()
        return TextVectors(
            vectors, tuple(sign_codes(words) if want else none for words, want in zip(rows, wanted, strict=False))
        )

    def _rows(self, text: str) -> npt.NDArray[np.float32]:
        words = terms(text) or [text]
        return np.stack([direction(word, self.dimension) for word in words])


@lru_cache(maxsize=16_384)
def direction(word: str, dimension: int) -> npt.NDArray[np.float32]:
    """The fixed +-1 vector of a word. Read-only."""
    raw = hashlib.shake_128(word.encode("utf-8", "surrogatepass")).digest(dimension // 8)
    row = np.unpackbits(np.frombuffer(raw, np.uint8)).astype(np.float32) * 2 - 1
    row.setflags(write=False)
    return row
