"""Many texts at once, by sentence-transformers. Torch is imported when the first of them comes (seconds)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import MAX_TOKEN_CODES, QueryVectors, TextVectors, sign_codes, unit_rows
from graphmem.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Tokens of a forward pass, padding included: few enough for activations to stay in the cache. On one core LoCoMo's
#: turns and sentences take .98 s at 512, 1.09 at 1,024, 1.78 at 4,096; `encode` takes 1.62 in batches of 32 texts, 2.43
#: in batches of 64.
BATCH_TOKENS = 512
ENCODE_BATCH = 32

Array = npt.NDArray[np.float32]


class SentenceTransformerEmbedder:
    """Any sentence-transformers model on this machine, by folder or by the name it is cached under. Downloads nothing.

    Loaded at the first use; use from several threads is safe. A space remembers the embedder's name: texts embedded
    by one model are not comparable with questions embedded by another.
    """

    def __init__(self, model: str | Path, *, device: str | None = None) -> None:
        self._where, self._device, self._lock = str(model), device, Lock()
        self._model: SentenceTransformer | None = None
        self.name = f"sentence-transformers:{Path(model).name}"

    @property
    def dimension(self) -> int:
        model = self._loaded()
        told = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        return int(told() or 0)

    def query(self, text: str) -> QueryVectors:
        (made,) = self._encode([sound(text)], tokens=True)
        return QueryVectors(_unit(made), unit_rows(_tokens(made)[:MAX_TOKEN_CODES]))

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        wanted = list(tokens) if tokens is not None else [False] * len(texts)
        vectors = np.zeros((len(texts), self.dimension), np.float16)
        codes: dict[int, npt.NDArray[np.uint8]] = {}
        for with_tokens in (False, True):
            rows = [index for index, want in enumerate(wanted) if want is with_tokens]
            for index, made in zip(rows, self._encode([sound(texts[i]) for i in rows], with_tokens), strict=True):
                vectors[index] = _unit(made)
                if with_tokens:
                    codes[index] = sign_codes(_tokens(made))
        none = np.empty((0, self.dimension // 8), np.uint8)
        return TextVectors(vectors, tuple(codes.get(i, none) for i in range(len(texts))) if tokens is not None else ())

    def _encode(self, texts: list[str], tokens: bool) -> Iterator[dict[str, Any]]:
        if not texts:
            return
        model = self._loaded()
        if tokens:
            made: list[Any] = list(
                model.encode(texts, output_value=None, batch_size=ENCODE_BATCH, show_progress_bar=False)
            )
            yield from made
        else:
            vectors = model.encode(texts, batch_size=ENCODE_BATCH, show_progress_bar=False)
            yield from ({"sentence_embedding": vector} for vector in vectors)

    def _loaded(self) -> SentenceTransformer:
        with self._lock:
            if self._model is None:
                self._model = load(self._where, self._device)
            return self._model


def load(where: str, device: str | None = None) -> SentenceTransformer:
    """The model in a folder or in the local cache, ready to read. Raises ModelError when it is not there."""
    # Read when torch is loaded: threads that wait for each other sleep instead of spinning. On a busy machine of two
    # cores 3,000 products take 2.5 s instead of 3.5 to 39, an ingest embeds 42 to 60 turns a second instead of 14.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from sentence_transformers import SentenceTransformer

    try:
        with _quiet():
            model = SentenceTransformer(where, device=device, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"cannot load the sentence-transformers model {where!r}: {str(error)[:300]}",
            hint="give the folder of a model, or a name that is in the local Hugging Face cache; nothing is downloaded",
        ) from error
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws a progress bar for 0.01 s of loading."""
    import transformers.utils.logging

    logging: Any = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def forward_many(
    model: SentenceTransformer, ids: Sequence[list[int]], tokens: Sequence[bool]
) -> tuple[npt.NDArray[np.float16], dict[int, npt.NDArray[np.uint8]]]:
    """Unit vectors of texts given as token ids, and the token codes of those that ask for them.

    Texts are sorted by length and cut into batches of BATCH_TOKENS, so that little is spent on padding.
    """
    import torch

    vectors = np.zeros((len(ids), int(model.get_embedding_dimension() or 0)), np.float16)
    codes: dict[int, npt.NDArray[np.uint8]] = {}
    with torch.inference_mode():
        for rows in batches([len(one) for one in ids]):
            longest = max(len(ids[row]) for row in rows)
            padded = np.zeros((len(rows), longest), np.int64)
            mask = np.zeros((len(rows), longest), np.int64)
            for at, row in enumerate(rows):
                padded[at, : len(ids[row])] = ids[row]
                mask[at, : len(ids[row])] = 1
            given = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
            made = model({name: torch.from_numpy(array) for name, array in given.items()})
            vectors[rows] = made["sentence_embedding"].numpy()
            for at, row in enumerate(rows):
                if tokens[row]:
                    codes[row] = sign_codes(made["token_embeddings"][at, 1 : len(ids[row]) - 1].numpy())
    return vectors, codes


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes, longest first, in batches of at most BATCH_TOKENS after padding (one text at least)."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    at = 0
    while at < len(order):
        size = max(1, BATCH_TOKENS // max(1, lengths[order[at]]))
        yield order[at : at + size]
        at += size


def sound(text: str) -> str:
    """Text that tokenizers accept: a lone surrogate becomes "?"."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _unit(made: dict[str, Any]) -> Array:
    return unit_rows(np.asarray(made["sentence_embedding"], np.float32))


def _tokens(made: dict[str, Any]) -> Array:
    """Token vectors without padding and without the first and last, special ones."""
    rows = np.asarray(made["token_embeddings"], np.float32)
    mask = made.get("attention_mask")
    if mask is not None:
        rows = rows[np.asarray(mask, bool)[: len(rows)]]
    return rows[1:-1]
