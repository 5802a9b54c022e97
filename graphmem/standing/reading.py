"""Whether a statement states, as holding when it was said, what a question asks: two small attention layers over the
tokens of both.

A statement's tokens are the sign codes that the store keeps of them, so that nothing is embedded when a question
comes. Fitted by tests/organize/training/answers.py; pre-norm layers as in Xiong et al. 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphmem.standing.model import arrays, sigmoid, silu

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

HEADS = 4
#: Tokens of a question and of a statement that are read, and what their vectors are multiplied by (unit rows of 384
#: numbers, and signs), so that both have numbers of one size.
ASKED, SAID = 24, 56
ASKED_SCALE, SAID_SCALE = np.float32(384**0.25), np.float32(0.25)


@dataclass(frozen=True, slots=True)
class Heard:
    """Statements, one a row: sign codes of their tokens (tokens, dimension / 8), whom they are about (n, WHOM), cosine
    and late interaction with the question (n,)."""

    codes: Sequence[Codes]
    whom: Floats
    cosine: Floats
    tokens: Floats


@dataclass(frozen=True, slots=True)
class Reading:
    """Holds arrays only; safe to share."""

    weights: Mapping[str, Floats]

    def __call__(self, question: Floats, heard: Heard) -> Floats:
        """0..1 for each statement (n,), 0 for one without tokens. `question`: unit rows of its tokens (q, dimension).
        O(n (q + s) d^2) for s tokens a statement: 10 statements take about 4 ms."""
        at, count = self.weights, len(heard.codes)
        asked = question[:ASKED] * ASKED_SCALE @ at["qp.weight"].T + at["qp.bias"]
        asked = asked + at["kinds"][1] + at["pos"][: len(asked)]
        said, absent = self._said(heard.codes)
        cues = np.concatenate([heard.whom, heard.cosine[:, None] * 4, heard.tokens[:, None] * 8], 1)
        first = cues @ at["cls.weight"].T + at["cls.bias"] + at["kinds"][0]
        x = np.concatenate([first[:, None], np.broadcast_to(asked, (count, *asked.shape)), said], 1)
        hidden = np.concatenate([np.zeros((count, 1 + len(asked)), bool), absent], 1)
        for layer in range(2):
            x = self._layer(x, hidden, f"layers.{layer}.", last=layer == 1)
        linear = np.concatenate(
            [
                heard.whom,
                heard.whom * heard.cosine[:, None] * 3,
                heard.cosine[:, None] * 4,
                heard.tokens[:, None] * 8,
                (heard.cosine * heard.tokens)[:, None] * 16,
            ],
            1,
        )
        logit = self._normed(x[:, 0], "norm.") @ at["out.weight"].T + at["out.bias"]
        logit = logit + linear @ at["lin.weight"].T + at["lin.bias"]
        return np.where([len(one) > 0 for one in heard.codes], sigmoid(logit[:, 0]), 0).astype(np.float32)

    def _said(self, codes: Sequence[Codes]) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The statements' tokens (n, longest, d), and which of them are padding."""
        at = self.weights
        lengths = np.array([min(len(one), SAID) for one in codes])
        longest = max(1, int(lengths.max()))
        bits = np.zeros((len(codes), longest, codes[0].shape[1]), np.uint8)
        for row, one in enumerate(codes):
            bits[row, : lengths[row]] = one[:SAID]
        signs = np.unpackbits(bits, axis=-1).astype(np.float32) * (2 * SAID_SCALE) - SAID_SCALE
        x = signs @ at["tp.weight"].T + at["tp.bias"] + at["kinds"][2] + at["pos"][:longest]
        return np.asarray(x, np.float32), np.arange(longest) >= lengths[:, None]

    def _layer(self, x: Floats, hidden: npt.NDArray[np.bool_], name: str, *, last: bool) -> Floats:
        """Of the last layer only the first place is wanted."""
        at = self.weights
        normed = self._normed(x, f"{name}norm1.")
        wanted = slice(0, 1) if last else slice(None)
        width = x.shape[-1]
        weight, bias = at[f"{name}self_attn.in_proj_weight"], at[f"{name}self_attn.in_proj_bias"]
        query = _heads(normed[:, wanted] @ weight[:width].T + bias[:width])
        key = _heads(normed @ weight[width : 2 * width].T + bias[width : 2 * width])
        value = _heads(normed @ weight[2 * width :].T + bias[2 * width :])
        scores = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(width / HEADS))
        scores = np.where(hidden[:, None, None], np.float32(-1e9), scores)
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        mixed = (share @ value).swapaxes(1, 2).reshape(len(x), -1, width)
        x = x[:, wanted] + mixed @ at[f"{name}self_attn.out_proj.weight"].T + at[f"{name}self_attn.out_proj.bias"]
        inner = self._normed(x, f"{name}norm2.") @ at[f"{name}linear1.weight"].T + at[f"{name}linear1.bias"]
        return np.asarray(x + silu(inner) @ at[f"{name}linear2.weight"].T + at[f"{name}linear2.bias"], np.float32)

    def _normed(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + np.float32(1e-5))
        return np.asarray(centred / spread * self.weights[f"{name}weight"] + self.weights[f"{name}bias"])


def _heads(x: Floats) -> Floats:
    """(n, tokens, d) -> (n, heads, tokens, d / heads)."""
    return x.reshape(*x.shape[:2], HEADS, -1).swapaxes(1, 2)


def answers() -> Reading:
    """The model that ships with the package. Raises ModelError when its file is not of this format."""
    return Reading(arrays("answers"))
