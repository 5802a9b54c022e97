"""MiniLM in numpy: one text at a time, for questions and for a turn or two, where importing torch would cost seconds.

BERT as published (Devlin et al. 2019, post-norm), mean pooling over all tokens, unit length (Reimers & Gurevych 2019).
Vectors differ from those of sentence-transformers by less than 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import unit_rows
from graphmem.embed.weights import mapped_weights
from graphmem.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TOKENS = 256  # as the published model, special tokens included
#: A word piece stands for at most some 64 characters of prose; what lies beyond cannot reach the first 256 tokens,
#: short of text that is nearly all white space.
MAX_CHARS = 256 * 64
HEADS = 12
EPSILON = np.float32(1e-12)

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """One layer's weights, as (matrix, bias) or (scale, shift)."""

    query: tuple[Array, Array]
    key: tuple[Array, Array]
    value: tuple[Array, Array]
    joined: tuple[Array, Array]
    joined_norm: tuple[Array, Array]
    widened: tuple[Array, Array]
    narrowed: tuple[Array, Array]
    norm: tuple[Array, Array]


class Forward:
    """Weights and tokenizer in memory. Only reads what it holds: safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        weights = mapped_weights(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        self._positions = (
            weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = (weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"])
        self._blocks = tuple(_block(weights, number) for number in range(6))
        self._tokenizer = tokenizer(folder)

    def ids(self, text: str) -> list[int]:
        """Token ids, [CLS] and [SEP] included, at most MAX_TOKENS."""
        return list(self._tokenizer.encode(text[:MAX_CHARS]).ids)

    def batch_ids(self, texts: list[str]) -> list[list[int]]:
        return [encoded.ids for encoded in self._tokenizer.encode_batch_fast([text[:MAX_CHARS] for text in texts])]

    def __call__(self, ids: list[int]) -> tuple[Array, Array]:
        """The unit vector of a text (dimension,) and the raw vectors of its tokens without [CLS] and [SEP]."""
        x = _normed(self._words[ids] + self._positions[: len(ids)], self._norm)
        for block in self._blocks:
            x = _normed(x + _linear(_attended(x, block), block.joined), block.joined_norm)
            x = _normed(x + _linear(_gelu(_linear(x, block.widened)), block.narrowed), block.norm)
        return unit_rows(x.mean(axis=0)), x[1:-1]


def tokenizer(folder: Path) -> Tokenizer:
    """The model's own WordPiece tokenizer, unpadded, cut at MAX_TOKENS."""
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the binding raises bare Exception
        raise ModelError(f"cannot read tokenizer.json: {error}", source=str(folder)) from error
    loaded.no_padding()
    loaded.enable_truncation(MAX_TOKENS)
    return loaded


def _block(weights: dict[str, Array], number: int) -> Block:
    def pair(name: str) -> tuple[Array, Array]:
        stem = f"encoder.layer.{number}.{name}"
        return weights[f"{stem}.weight"], weights[f"{stem}.bias"]

    return Block(
        pair("attention.self.query"),
        pair("attention.self.key"),
        pair("attention.self.value"),
        pair("attention.output.dense"),
        pair("attention.output.LayerNorm"),
        pair("intermediate.dense"),
        pair("output.dense"),
        pair("output.LayerNorm"),
    )


def _linear(x: Array, weights: tuple[Array, Array]) -> Array:
    """x @ matrix.T + bias, the long way round: OpenBLAS takes .27 instead of .41 ms for 12 tokens this way."""
    return np.asarray((weights[0] @ x.T).T + weights[1])


def _attended(x: Array, block: Block) -> Array:
    """Multi-head attention over all tokens: (tokens, dimension) in and out."""

    def split(weights: tuple[Array, Array]) -> Array:
        return _linear(x, weights).reshape(len(x), HEADS, -1).swapaxes(0, 1)

    query, key, value = split(block.query), split(block.key), split(block.value)
    scores = query @ key.swapaxes(1, 2) / np.float32(np.sqrt(query.shape[-1]))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray((weights @ value).swapaxes(0, 1).reshape(x.shape))


def _normed(x: Array, weights: tuple[Array, Array]) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + EPSILON) * weights[0] + weights[1])


def _gelu(x: Array) -> Array:
    """x * Phi(x), the error function after Abramowitz & Stegun 7.1.26 (off by at most 1.5e-7)."""
    z = np.abs(x) * np.float32(2**-0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.copysign(1 - poly * np.exp(-z * z), x)
    return np.asarray(np.float32(0.5) * x * (1 + erf))
