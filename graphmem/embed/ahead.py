"""An embedder that may be told what it will be asked soon: many small calls become one large one."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import Embedder, QueryVectors, TextVectors

#: A text embedded ahead: its vector, and its token codes when they were asked for.
Made = tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8] | None]


class Ahead:
    """Passes everything on to `embedder`, but for texts that were embedded ahead. Safe to share between threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder, self._lock = embedder, Lock()
        self._made: dict[str, Made] = {}

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def query(self, text: str) -> QueryVectors:
        return self._embedder.query(text)

    def ahead(self, texts: Sequence[str], tokens: Sequence[bool]) -> None:
        """Embeds these now and keeps them instead of what was kept before."""
        made = self._embedder.texts(texts, tokens=tokens)
        kept: dict[str, Made] = {}
        for text, vector, codes, wanted in zip(texts, made.vectors, made.tokens, tokens, strict=True):
            if wanted or text not in kept:
                kept[text] = (vector, codes if wanted else None)
        with self._lock:
            self._made = kept

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        with self._lock:
            known = self._made
        wanted = tokens or [False] * len(texts)
        found = [self._found(known, text, want) for text, want in zip(texts, wanted, strict=True)]
        missing = [row for row, one in enumerate(found) if one is None]
        if len(missing) == len(texts):
            return self._embedder.texts(texts, tokens=tokens)
        vectors = np.zeros((len(texts), self.dimension), np.float16)
        codes = [np.empty((0, (self.dimension + 7) // 8), np.uint8)] * len(texts)
        for row, one in enumerate(found):
            if one is not None:
                vectors[row], codes[row] = one[0], codes[row] if one[1] is None else one[1]
        if missing:
            made = self._embedder.texts([texts[row] for row in missing], tokens=[wanted[row] for row in missing])
            for row, vector, code in zip(missing, made.vectors, made.tokens, strict=True):
                vectors[row], codes[row] = vector, code
        return TextVectors(vectors, tuple(codes) if tokens is not None else ())

    @staticmethod
    def _found(known: dict[str, Made], text: str, wants_tokens: bool) -> Made | None:
        made = known.get(text)
        if made is None or (wants_tokens and made[1] is None):
            return None
        return made[0], made[1] if wants_tokens else None
