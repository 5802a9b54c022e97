"""Arrays that a process keeps of spaces between questions, and what the journal tells to bring them up to date."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from graphmem.stores.keys import NUMBER_MASK, node_range
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.scan import Numbers

MAX_COMMITS = 500  # more than so many commits behind: everything is read again

# What came, and of older nodes what changed: without vector and head when it went. Collected, because a row of its own
# costs the driver four times what it costs in a list (22 for 6 ms, 1,000 rows).
SINCE = """MATCH (c:_Commit {space: $space}) WHERE c.seq > $after AND c.seq <= $seq
  CALL (c) {
    MATCH (n:Zettel) WHERE n.key >= $base + c.first AND n.key < $base + c.first + c.nodes AND n._kind = $kind
      RETURN n.key AS key, n
    UNION ALL UNWIND c.touched AS key OPTIONAL MATCH (n:Zettel {key: key}) RETURN key, n
  }
  WITH DISTINCT key, n, n._kind = $kind AND n._head IS NOT NULL AND n._half IS NOT NULL AS searched
  RETURN collect([key, CASE WHEN searched THEN n._half END, CASE WHEN searched THEN n._head END])"""


class AsOfCommit(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...


Arrays = TypeVar("Arrays", bound=AsOfCommit)


class Held(Generic[Arrays]):
    """By space and kind, at most `limit_bytes` together: the spaces least recently asked go first. Threads may share
    it."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._by_kind: OrderedDict[tuple[int, int], Arrays] = OrderedDict()

    def get(self, space: int, kind: int) -> Arrays | None:
        with self._lock:
            known = self._by_kind.get((space, kind))
            if known is not None:
                self._by_kind.move_to_end((space, kind))
            return known

    def keep(self, space: int, kind: int, made: Arrays) -> Arrays:
        """Keeps them unless those of a later commit are kept already."""
        with self._lock:
            known = self._by_kind.get((space, kind))
            if known is None or known.seq < made.seq:
                self._by_kind[space, kind] = made
            self._by_kind.move_to_end((space, kind))
            total = sum(arrays.size_bytes for arrays in self._by_kind.values())
            for key in list(self._by_kind):
                if total <= self._limit_bytes or key[0] == space:
                    break
                total -= self._by_kind.pop(key).size_bytes
        return made

    def drop(self, space: int) -> None:
        """Forget a space, so that nothing erased stays in memory."""
        with self._lock:
            for key in list(self._by_kind):
                if key[0] == space:
                    del self._by_kind[key]


@dataclass(frozen=True, slots=True)
class Told:
    """`changed`: numbers of all nodes that came, changed or went, any kind, ascending. `numbers`: those of the asked
    kind that are searched now, ascending, with their float16 rows and heads."""

    changed: Numbers
    numbers: Numbers
    halves: bytes
    heads: bytes


def told_since(read: Read, space: int, kind: int, after: int, seq: int) -> Told:
    """What the commits after `after` up to `seq` did to the vectors of a kind. One round trip."""
    base = node_range(space)[0]
    found = read(SINCE, {"space": space, "after": after, "seq": seq, "kind": kind, "base": base})[0][0]
    searched = {key: (half, head) for key, half, head in sorted(found) if half is not None}
    return Told(
        np.unique(np.array([row[0] for row in found], np.int64) & NUMBER_MASK),
        np.fromiter(searched, np.int64, len(searched)) & NUMBER_MASK,
        b"".join(half for half, _ in searched.values()),
        b"".join(head for _, head in searched.values()),
    )
