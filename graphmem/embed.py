"""Embedder: the seam between text and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


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
