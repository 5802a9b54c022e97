"""What a process keeps of the vectors of small spaces, so that every one of them can be scored: exact search.

A matrix is brought up to date from the journal: commits tell the range of their new nodes and which older ones have
other vectors. One round trip for what came since, none while nothing does.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.stores.headrows import HEAD, HeadRows
from graphmem.stores.keys import NUMBER_MASK, node_range
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.scan import Floats, Numbers, at_unit_length, best, rounded, widened

EXACT_LIMIT = 20_000  # vectors of the asked kinds; above it the server's index is asked
LIMIT_BYTES = 96 << 20  # of all spaces together
MAX_COMMITS = 500  # more than so many commits behind: everything is read again

ALL = """MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high AND n._kind = $kind AND n._head IS NOT NULL
  AND n._half IS NOT NULL RETURN n.key, n._half, n._head ORDER BY n.key"""
# What came, and of older nodes what changed: without vector and head when it went.
SINCE = """MATCH (c:_Commit {space: $space}) WHERE c.seq > $after AND c.seq <= $seq
  CALL (c) {
    MATCH (n:Zettel) WHERE n.key >= $base + c.first AND n.key < $base + c.first + c.nodes AND n._kind = $kind
      RETURN n.key AS key, n
    UNION ALL UNWIND c.touched AS key OPTIONAL MATCH (n:Zettel {key: key}) RETURN key, n
  }
  WITH DISTINCT key, n, n._kind = $kind AND n._head IS NOT NULL AND n._half IS NOT NULL AS searched
  RETURN key, CASE WHEN searched THEN n._half END, CASE WHEN searched THEN n._head END"""


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
    """One for a store, safe to share between threads. The spaces least recently asked go first."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[int, int], Matrix] = OrderedDict()

    def matrix(self, read: Read, space: int, kind: int, seq: int, dimension: int) -> Matrix:
        """As of the commit `seq` at least. One round trip when there is something new."""
        with self._lock:
            known = self._held.get((space, kind))
        if known is not None and known.seq >= seq:
            return known
        if known is None or seq - known.seq > MAX_COMMITS:
            low, high = node_range(space)
            made = _matrix(seq, read(ALL, {"low": low, "high": high, "kind": kind}), dimension)
        else:
            made = _newer(known, seq, read, space=space, kind=kind, dimension=dimension)
        return self._keep(space, kind, made)

    def _keep(self, space: int, kind: int, made: Matrix) -> Matrix:
        with self._lock:
            known = self._held.get((space, kind))
            if known is None or known.seq < made.seq:
                self._held[space, kind] = made
            self._held.move_to_end((space, kind))
            total = sum(matrix.size_bytes for matrix in self._held.values())
            for key in list(self._held):
                if total <= LIMIT_BYTES or key[0] == space:
                    break
                total -= self._held.pop(key).size_bytes
        return made

    def drop(self, space: int) -> None:
        """Forget a space, so that nothing erased stays in memory."""
        with self._lock:
            for key in list(self._held):
                if key[0] == space:
                    del self._held[key]


def _matrix(seq: int, found: Sequence[Sequence[Any]], dimension: int) -> Matrix:
    numbers = np.fromiter((row[0] for row in found), np.int64, len(found)) & NUMBER_MASK
    vectors = widened(b"".join(row[1] for row in found), dimension)
    heads = np.frombuffer(b"".join(row[2] for row in found), HEAD)
    return Matrix(seq, numbers, at_unit_length(vectors), heads)


def _newer(known: Matrix, seq: int, read: Read, *, space: int, kind: int, dimension: int) -> Matrix:
    base = node_range(space)[0]
    asked = {"space": space, "after": known.seq, "seq": seq, "kind": kind, "base": base}
    told = read(SINCE, asked)
    gone = [row[0] for row in told if row[1] is None]
    fresh = {row[0]: row for row in told if row[1] is not None}
    new = _matrix(seq, [fresh[key] for key in sorted(fresh)], dimension)
    kept = ~np.isin(known.numbers, np.concatenate([np.array(gone, np.int64) & NUMBER_MASK, new.numbers]))
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
