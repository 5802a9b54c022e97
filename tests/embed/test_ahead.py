"""Texts embedded ahead are handed out as if they were embedded now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from graphmem.embed import Ahead, HashEmbedder, TextVectors

TEXTS = ["The gate is blue.", "Lunch was soup.", "The gate is blue.", "A kite needs wind."]
TOKENS = [True, False, False, True]


class Told(HashEmbedder):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        self.asked.append(list(texts))
        return super().texts(texts, tokens=tokens)


def same(a: TextVectors, b: TextVectors) -> bool:
    pairs = zip(a.tokens, b.tokens, strict=True)
    return np.array_equal(a.vectors, b.vectors) and all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("known", [0, 1, 2, 4])
def test_any_part_of_a_call_may_be_known(known: int) -> None:
    told = Told()
    ahead = Ahead(told)
    ahead.ahead(TEXTS[:known], TOKENS[:known])
    assert same(ahead.texts(TEXTS, tokens=TOKENS), HashEmbedder().texts(TEXTS, tokens=TOKENS))
    assert same(ahead.texts(TEXTS), HashEmbedder().texts(TEXTS))


def test_what_is_known_is_not_embedded_again() -> None:
    told = Told()
    ahead = Ahead(told)
    ahead.ahead(TEXTS, TOKENS)
    ahead.texts(TEXTS[:2], tokens=TOKENS[:2])
    assert told.asked == [TEXTS]


def test_a_text_known_without_its_tokens_is_embedded_when_they_are_asked_for() -> None:
    told = Told()
    ahead = Ahead(told)
    ahead.ahead(["Lunch was soup."], [False])
    assert len(ahead.texts(["Lunch was soup."], tokens=[True]).tokens[0]) > 0
    assert told.asked == [["Lunch was soup."]] * 2
