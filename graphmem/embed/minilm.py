"""The default embedder: all-MiniLM-L6-v2, whose weights come with the install."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import MAX_TOKEN_CODES, QueryVectors, TextVectors, sign_codes, unit_rows
from graphmem.embed.bulk import forward_many, load, sound
from graphmem.embed.forward import MAX_CHARS, Forward
from graphmem.embed.weights import minilm_folder, verify

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
#: A call of this many characters, say a turn with its sentences, always goes through numpy: at most some 0.5 s.
FEW_CHARS = 4_000
#: Characters that larger calls of a process embed by numpy before torch is imported: about what the import costs.
SPARED_CHARS = 30_000


class MiniLmEmbedder:
    """Questions and a few texts by numpy (7 ms a question), many by sentence-transformers, from the same weights.

    Nothing is loaded before the first use; weights that are missing or not the published ones raise ModelError then.
    Only the first 256 tokens of a text count. Safe to share between threads.
    """

    name = NAME
    dimension = DIMENSION

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._lock = folder, Lock()
        self._forward: Forward | None = None
        self._model: SentenceTransformer | None = None
        self._spared = SPARED_CHARS

    def query(self, text: str) -> QueryVectors:
        forward = self._small()
        vector, tokens = forward(forward.ids(sound(text)))
        return QueryVectors(vector, unit_rows(tokens[:MAX_TOKEN_CODES]))

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        """Equal texts are embedded once: a turn of one sentence is its own note."""
        if tokens is not None and len(tokens) != len(texts):
            raise ValueError(f"{len(tokens)} token flags for {len(texts)} texts")
        cut = [sound(text[:MAX_CHARS]) for text in texts]
        place: dict[str, int] = {}
        rows = [place.setdefault(text, len(place)) for text in cut]
        wanted = [False] * len(place)
        for row, want in zip(rows, tokens or (), strict=False):
            wanted[row] |= want
        vectors, codes = self._embedded(list(place), wanted)
        none = np.empty((0, DIMENSION // 8), np.uint8)
        each = tuple(codes[row] if want else none for row, want in zip(rows, tokens or (), strict=False))
        return TextVectors(vectors[rows] if rows else np.empty((0, DIMENSION), np.float16), each)

    def _embedded(
        self, texts: list[str], tokens: list[bool]
    ) -> tuple[npt.NDArray[np.float16], dict[int, npt.NDArray[np.uint8]]]:
        forward = self._small()
        ids = forward.batch_ids(texts)
        if not self._by_numpy(sum(map(len, texts))):
            return forward_many(self._large(), ids, tokens)
        vectors = np.empty((len(texts), DIMENSION), np.float16)
        codes = {}
        for row, one in enumerate(ids):
            vectors[row], raw = forward(one)
            if tokens[row]:
                codes[row] = sign_codes(raw)
        return vectors, codes

    def _by_numpy(self, chars: int) -> bool:
        """True for small calls, and while importing torch would cost more than it saves."""
        if chars <= FEW_CHARS:
            return True
        with self._lock:
            if self._model is not None or chars > self._spared:
                return False
            self._spared -= chars
            return True

    def _small(self) -> Forward:
        if self._forward is None:
            with self._lock:
                if self._forward is None:
                    folder = self._folder = self._folder or minilm_folder()
                    verify(folder)
                    self._forward = Forward(folder)
        return self._forward

    def _large(self) -> SentenceTransformer:
        """Loaded after `_small`, so from files that were verified."""
        with self._lock:
            if self._model is None:
                self._model = load(str(self._folder), "cpu")
            return self._model
