"""Embedder: the seam between text and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

#: Tokens of a text or question that late interaction sees, special ones left out.
MAX_TOKEN_CODES = 64


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """A question embedded: its unit vector (dimension,) and those of its tokens (tokens, dimension), float32."""

    vector: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Texts embedded: unit vectors, float16 (texts, dimension), and sign-bit codes of the tokens of each text,
    uint8 (tokens, dimension / 8), in text order; empty when not asked for."""

    vectors: npt.NDArray[np.float16]
    tokens: tuple[npt.NDArray[np.uint8], ...] = ()


class Embedder(Protocol):
    """Turns text into unit vectors. Thread-safe; equal text gives an equal vector up to the last bits."""

    name: str
    dimension: int

    def query(self, text: str) -> QueryVectors: ...
    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors: ...


def sign_codes(tokens: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """The first MAX_TOKEN_CODES token vectors as one bit a dimension, 1 where positive, big-endian in each byte."""
    return np.packbits(tokens[:MAX_TOKEN_CODES] > 0, axis=-1)


def unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.float32(1e-12)), np.float32)
