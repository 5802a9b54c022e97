"""The hash embedder, and any sentence-transformers model by its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphmem.embed import HashEmbedder, MiniLmEmbedder, SentenceTransformerEmbedder, minilm_folder
from graphmem.embed.bulk import BATCH_TOKENS, batches
from graphmem.errors import ModelError


def test_hash_vectors_are_unit_and_equal_for_equal_words() -> None:
    embedder = HashEmbedder()
    made = embedder.texts(
        ["The green lamp", "green lamps!", "a boat", "...", ""], tokens=[True, True, False, True, True]
    )
    vectors = made.vectors.astype(np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-2)
    assert abs(vectors[0] @ vectors[2]) < 0.3
    assert [codes.shape for codes in made.tokens] == [(2, 48), (2, 48), (0, 48), (1, 48), (1, 48)]


def test_hash_questions_live_where_the_texts_do() -> None:
    asked = HashEmbedder().query("Where is the green lamp?")
    text = HashEmbedder().texts(["the green lamp"]).vectors[0].astype(np.float32)
    assert asked.vector @ text == pytest.approx(1, abs=1e-2)
    assert np.linalg.norm(asked.tokens, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_hash_dimension_must_fill_bytes() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        HashEmbedder(100)


def test_any_model_in_a_folder_embeds_as_the_bundled_one_does() -> None:
    general, bundled = SentenceTransformerEmbedder(minilm_folder()), MiniLmEmbedder()
    texts = ["The ferry leaves at nine.", "Short.", "A rather longer sentence about the lamp in the hall."]
    ours, theirs = bundled.texts(texts, tokens=[True, False, True]), general.texts(texts, tokens=[True, False, True])
    assert np.abs(ours.vectors.astype(np.float32) - theirs.vectors.astype(np.float32)).max() < 1e-3
    assert [len(codes) for codes in ours.tokens] == [len(codes) for codes in theirs.tokens]
    assert np.mean(np.unpackbits(ours.tokens[0]) == np.unpackbits(theirs.tokens[0])) > 0.999
    asked = general.query("When does the ferry leave?")
    assert np.abs(asked.vector - bundled.query("When does the ferry leave?").vector).max() < 1e-5
    assert asked.tokens.shape == bundled.query("When does the ferry leave?").tokens.shape
    assert general.dimension == 384


def test_a_model_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load") as raised:
        SentenceTransformerEmbedder(tmp_path / "nothing").query("anything")
    assert "nothing is downloaded" in raised.value.hint


def test_batches_hold_every_text_once_and_stay_within_the_tokens() -> None:
    lengths = [5, 300, 7, 7, 2_000, 1, 64] * 9
    made = list(batches(lengths))
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= BATCH_TOKENS for batch in made)
