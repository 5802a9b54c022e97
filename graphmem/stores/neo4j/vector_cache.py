"""What a process keeps of the vectors of small spaces, so that every one of them can be scored: exact search.

A matrix is brought up to date from the journal: commits tell the range of their new nodes and which older ones have
other vectors. One round trip for what came since, none while nothing does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphmem.stores.headrows import HEAD, HeadRows
from graphmem.stores.keys import NUMBER_MASK, node_range
from graphmem.stores.neo4j.held import MAX_COMMITS, Held, told_since
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.scan import Floats, Numbers, at_unit_length, best, rounded, widened

EXACT_LIMIT = 20_000  # vectors of the asked kinds; above it codes choose what is scored
LIMIT_BYTES = 96 << 20  # of all spaces together

ALL = """MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high AND n._kind = $kind AND n._head IS NOT NULL
  AND n._half IS NOT NULL WITH n ORDER BY n.key RETURN collect(n.key), collect(n._half), collect(n._head)"""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Unit vectors (n, dimension) of the live nodes of one kind in one space as of a commit, ascending by number.
    Arrays are never changed once made; readers share them without a lock."""

    seq: int
    numbers: Numbers
    unit: Floats
    heads: HeadRows

    @property
    def size_bytes(self) -> int:
        return self.numbers.nbytes + self.unit.nbytes + self.heads.nbytes


class VectorCache:
    """One for a store, safe to share between threads."""

    def __init__(self) -> None:
        self._held: Held[Matrix] = Held(LIMIT_BYTES)

    def matrix(self, read: Read, space: int, kind: int, seq: int, dimension: int) -> Matrix:
        """As of the commit `seq` at least. One round trip when there is something new."""
        known = self._held.get(space, kind)
        if known is not None and known.seq >= seq:
            return known
        if known is None or seq - known.seq > MAX_COMMITS:
            low, high = node_range(space)
            keys, halves, heads = read(ALL, {"low": low, "high": high, "kind": kind})[0]
            numbers = np.array(keys, np.int64) & NUMBER_MASK
            made = _matrix(seq, numbers, b"".join(halves), b"".join(heads), dimension=dimension)
        else:
            made = _newer(known, seq, read, space=space, kind=kind, dimension=dimension)
        return self._held.keep(space, kind, made)

    def drop(self, space: int) -> None:
        """Forget a space, so that nothing erased stays in memory."""
        self._held.drop(space)


def _matrix(seq: int, numbers: Numbers, halves: bytes, heads: bytes, *, dimension: int) -> Matrix:
    return Matrix(seq, numbers, at_unit_length(widened(halves, dimension)), np.frombuffer(heads, HEAD))


def _newer(known: Matrix, seq: int, read: Read, *, space: int, kind: int, dimension: int) -> Matrix:
    told = told_since(read, space, kind, known.seq, seq)
    new = _matrix(seq, told.numbers, told.halves, told.heads, dimension=dimension)
    kept = ~np.isin(known.numbers, told.changed)
    if not kept.all():
        known = Matrix(known.seq, known.numbers[kept], known.unit[kept], known.heads[kept])
    numbers = np.concatenate([known.numbers, new.numbers])
    unit, heads = np.concatenate([known.unit, new.unit]), np.concatenate([known.heads, new.heads])
    if len(known.numbers) and len(new.numbers) and new.numbers[0] < known.numbers[-1]:
        order = np.argsort(numbers)
        numbers, unit, heads = numbers[order], unit[order], heads[order]
    return Matrix(seq, numbers, unit, heads)


def nearest(
    matrices: Sequence[Matrix], query: Floats, k: int, before: int
) -> tuple[Numbers, Floats, npt.NDArray[np.int64]]:
    """The k nearest by cosine among numbers under `before`, best first, ties by number; and the passages of them."""
    unit = query / max(float(np.sqrt(query @ query)), 1e-30)
    numbers = np.concatenate([matrix.numbers for matrix in matrices])
    scores = np.concatenate([rounded(matrix.unit @ unit) for matrix in matrices])
    owners = np.concatenate([matrix.heads["owner"] for matrix in matrices]).astype(np.int64)
    if len(numbers) and numbers.max() >= before:
        seen = numbers < before
        numbers, scores, owners = numbers[seen], scores[seen], owners[seen]
    found, values = best(numbers, scores, k)
    order = np.argsort(numbers, kind="stable")
    return found, values, owners[order[np.searchsorted(numbers, found, sorter=order)]]
