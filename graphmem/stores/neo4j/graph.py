"""A hop of spreading: the edges of a frontier in one round trip, degrees by type without reading edges.

Of a node at most WINDOW relationships of a type and direction are read, however many it has: the server's chains give
those of the latest transactions first. Of these the newest (highest numbers) are kept. 22 degrees of 256 nodes take
3 ms more than two: a node of many relationships holds its counts by type.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from graphmem.schema import EdgeType
from graphmem.stores.base import Neighbours, Numbers
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.model import RELATION, TYPE_OF

TYPES = 64
WINDOW = 512


@lru_cache(maxsize=64)
def statement(types: tuple[EdgeType, ...]) -> str:
    """The statement for these types, of a closed set: degrees, then edges out and in of each type."""
    degrees = ", ".join(f"COUNT {{ (n)-[:{RELATION[type]}]-() }}" for type in types)
    edges = ", ".join(
        f"COLLECT {{ MATCH (n){left}[e:{RELATION[type]}]{right}(m:Zettel) RETURN [m.key, e.weight, m._head] LIMIT $window }}"
        for type in types
        for left, right in (("-", "->"), ("<-", "-"))
    )
    return f"""UNWIND $keys AS key MATCH (n:Zettel {{key: key}})
  RETURN key, n._parallel, [{degrees}], [{edges}]"""


def told(
    found: Sequence[Sequence[Any]], frontier: Numbers, types: Sequence[EdgeType], *, limit: int, before: int
) -> Neighbours:
    """What the statement found, by frontier position, within it oldest first, at most `limit` a node."""
    at = {row[0] & NUMBER_MASK: row for row in found}
    degree = np.zeros((len(frontier), TYPES), np.int64)
    parts: list[tuple[int, int, int, bool, float]] = []
    cut = False
    for i, number in enumerate(frontier.tolist()):
        row = at.get(number)
        if row is None:
            continue
        degree[i, [int(type) for type in types]] = row[2]
        for name in row[1] or ():
            degree[i, TYPE_OF[name]] -= TYPE_OF[name] in types
        mine = _edges_of(row, types, before)
        whole = int(degree[i].sum())
        cut |= whole > len(mine) or len(mine) > limit
        parts += [(i, *edge) for edge in mine[max(0, len(mine) - limit) :]]
    table = np.array([(i, number, type, forward) for i, number, type, forward, _ in parts], np.int64).reshape(-1, 4)
    return Neighbours(
        row=table[:, 0],
        number=table[:, 1],
        type=table[:, 2].astype(np.uint8),
        forward=table[:, 3].astype(bool),
        weight=np.array([part[4] for part in parts], np.float32),
        degree=degree,
        cut=cut,
    )


def _edges_of(row: Sequence[Any], types: Sequence[EdgeType], before: int) -> list[tuple[int, int, bool, float]]:
    """(number, type, forward, weight) of one node, each once with its highest weight, by number."""
    best: dict[tuple[int, int, bool], float] = {}
    for j, listed in enumerate(row[3]):
        type, forward = int(types[j // 2]), j % 2 == 0
        for key, weight, _ in listed:
            number = key & NUMBER_MASK
            value = 1.0 if weight is None else weight
            if number < before and value >= best.get((number, type, forward), 0.0):
                best[number, type, forward] = value
    return [(*edge, best[edge]) for edge in sorted(best)]
