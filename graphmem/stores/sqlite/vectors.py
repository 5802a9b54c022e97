"""Vectors and token codes of a batch: those of new nodes, and those of older ones that differ from what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphmem.errors import InputError
from graphmem.schema import Batch, Id
from graphmem.stores.keys import NUMBER_MASK, Keys, local
from graphmem.stores.sqlite.derived import Derived, as_f16


@dataclass(frozen=True, slots=True)
class Known:
    """What the batch's ids stand for: keys, kinds, keys of retired nodes; keys under `first_new` were there before."""

    at: Keys
    kind: Callable[[Id], int]
    retired: list[int]
    first_new: int


def put(derived: Derived, space: int, batch: Batch, known: Known) -> bool:
    """Whether a node that was there before has another vector now: then a batch of nothing else is a change too."""
    return _put_matrix(derived, space, batch, known) | _put_tokens(derived, space, batch, known)


def _put_matrix(derived: Derived, space: int, batch: Batch, known: Known) -> bool:
    if batch.vectors is None or not len(batch.vector_ids):
        return False
    dimension = derived.codes.dimension
    if batch.vectors.ndim != 2 or batch.vectors.shape[1] != dimension:
        raise InputError(
            f"vectors have shape {batch.vectors.shape}, the store keeps {dimension} numbers a node",
            hint="use the embedder that the memory was made with",
        )
    matrix = as_f16(batch.vectors)
    keys = np.array([known.at[id] for id in batch.vector_ids], np.int64)
    wanted = np.ones(len(keys), bool)
    old = np.flatnonzero(keys < known.first_new)
    if len(old):
        stored = derived.codes.vectors(space, keys[old] & NUMBER_MASK)
        wanted[old] = (stored != matrix[old].astype(np.float32)).any(axis=1) & ~np.isin(keys[old], known.retired)
    kinds = np.array([known.kind(id) for id in batch.vector_ids], np.uint8)
    derived.codes.add(space, keys[wanted] & NUMBER_MASK, kinds[wanted], matrix[wanted])
    return bool(wanted[old].any())


def _put_tokens(derived: Derived, space: int, batch: Batch, known: Known) -> bool:
    fresh = {known.at[id]: codes for id, codes in batch.tokens.items()}
    old = sorted(n for n in fresh if n < known.first_new)
    if old:
        offsets, codes = derived.tokens.get(space, local(old))
        for i, n in enumerate(old):
            if codes[offsets[i] : offsets[i + 1]].tobytes() == fresh[n].tobytes() or n in known.retired:
                del fresh[n]
    if fresh:
        derived.tokens.add(space, local(list(fresh)), list(fresh.values()))
    return any(n in fresh for n in old)
