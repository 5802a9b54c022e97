"""A small model that ships with the package: does this statement state, as holding, what that statement states?

Its weights are fitted by tests/organize/training/fit.py on phrases written for it (90 matters, three hands).
It sees unit vectors of the bundled embedder, function words and cues of whom a text is about; no list of topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO

import numpy as np
import numpy.typing as npt

from graphmem.errors import ModelError

Floats = npt.NDArray[np.float32]

FORMAT = 1
#: The embedder whose vectors the weights are for.
EMBEDDER = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Asking:
    """The one text that statements are held against: its unit vector and its words."""

    vector: Floats  # (384,)
    words: Floats  # (WIDTH,)


@dataclass(frozen=True, slots=True)
class Stated:
    """Statements, one a row."""

    vectors: Floats  # (n, 384)
    words: Floats  # (n, WIDTH)
    whom: Floats  # (n, WHOM)
    tokens: Floats  # (n,) late interaction with the asking text; of two statements their cosine


@dataclass(frozen=True, slots=True)
class Model:
    """Two layers over low-rank products of the two vectors. Holds arrays only; safe to share."""

    weights: Mapping[str, Floats]

    def __call__(self, asking: Asking, stated: Stated) -> Floats:
        """0..1 for each statement (n,). O(n); 20 statements take about 0.3 ms."""
        at = self.weights
        a, b = asking.vector @ at["P"], stated.vectors @ at["R"]
        state = silu(np.concatenate([b, stated.words], 1) @ at["st.0.w"] + at["st.0.b"]) @ at["st.1.w"] + at["st.1.b"]
        kind = np.concatenate([a, asking.words]) @ at["qt.w"] + at["qt.b"]
        cosine = (stated.vectors @ asking.vector)[:, None]
        tokens = stated.tokens[:, None]
        seen = np.concatenate(
            [
                a * b,
                np.abs(a - b) * 0.5,
                state,
                np.broadcast_to(kind, state.shape),
                state * kind,
                stated.whom,
                stated.whom * cosine * 3,
                cosine * 4,
                tokens * 8,
                cosine * tokens * 16,
            ],
            1,
        )
        logit = silu(seen @ at["o1.w"] + at["o1.b"]) @ at["o2.w"] + at["o2.b"] + seen @ at["lin.w"] + at["lin.b"]
        return sigmoid(logit[:, 0])


def sigmoid(x: npt.NDArray[np.floating]) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30, 30))), np.float32)


def silu(x: Floats) -> Floats:
    return np.asarray(x / (1.0 + np.exp(-np.clip(x, -30, 30))), np.float32)


def asks_for_a_value(asking: Asking) -> float:
    """How surely a question asks for a value that somebody states, 0..1, and not what happened or what somebody is
    like: a linear model of its vector and its words."""
    at = arrays("asks")
    logit = float(np.concatenate([asking.vector * 8, asking.words]) @ at["w"] + at["b"][0])
    return float(1.0 / (1.0 + np.exp(-np.clip(logit, -30, 30))))


def replaces() -> Model:
    """The model that ships with the package, of a statement and earlier ones. Raises ModelError when its file is not of
    this format."""
    return Model(arrays("replaces"))


@lru_cache(maxsize=4)
def arrays(name: str) -> dict[str, Floats]:
    raw = files("graphmem.standing").joinpath(f"{name}.npz").read_bytes()
    with np.load(BytesIO(raw), allow_pickle=False) as stored:
        if int(stored["format"]) != FORMAT:
            raise ModelError(
                f"{name}.npz has format {int(stored['format'])}, not {FORMAT}", hint="install graphmem again"
            )
        return {key: stored[key].astype(np.float32) for key in stored.files if key != "format"}
