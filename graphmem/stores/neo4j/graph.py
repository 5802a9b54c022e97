"""A hop of spreading: the edges of a frontier in one round trip, degrees by type without reading edges.

Of a node at most WINDOW relationships of a type and direction are read, however many it has: the server's chains give
those of the latest transactions first. Of these the newest (highest numbers) are kept. 22 degrees of 256 nodes take
3 ms more than two: a node of many relationships holds its counts by type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from graphmem.schema import EdgeType
from graphmem.stores.base import Neighbours, Numbers
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.model import RELATION

TYPES = 64
WINDOW = 512

FarEdge = tuple[int, bool, float]  # number, forward, weight


@dataclass(frozen=True, slots=True)
class Hop:
    """The edges of one type at one node: how many there are, those read (each once, ascending by number), and of how
    many at most were asked for."""

    degree: int
    edges: tuple[FarEdge, ...]
    window: int

    @property
    def whole(self) -> bool:
        return len(self.edges) >= self.degree


Hops = dict[tuple[int, EdgeType], Hop]  # by the node's number


def columns(node: str, types: Sequence[EdgeType], far: str = "m._head") -> str:
    """What a statement returns for the hops of a node: parallel edges, degrees, then edges out and in of each type."""
    degrees = ", ".join(f"COUNT {{ ({node})-[:{RELATION[type]}]-() }}" for type in types)
    edges = ", ".join(
        f"COLLECT {{ MATCH ({node}){left}[e:{RELATION[type]}]{right}(m:Zettel) "
        f"RETURN [m.key, e.weight, {far}] LIMIT $window }}"
        for type in types
        for left, right in (("-", "->"), ("<-", "-"))
    )
    return f"{node}._parallel, [{degrees}], [{edges}]"


@lru_cache(maxsize=64)
def statement(types: tuple[EdgeType, ...]) -> str:
    """The statement for these types, of a closed set. Sources that a title leads to bring their parts along."""
    more = ""
    if EdgeType.TITLE in types:
        more = f""", COLLECT {{ MATCH (n)<-[:TITLE]-(s:Zettel) WITH s LIMIT $window
      RETURN [s.key, {columns("s", (EdgeType.PART,))}] }}"""
    return f"UNWIND $keys AS key MATCH (n:Zettel {{key: key}}) RETURN key, {columns('n', types)}{more}"


def hops(row: Sequence[Any], types: Sequence[EdgeType], window: int, before: int) -> Iterator[tuple[EdgeType, Hop]]:
    """The hops of one node, of what `columns` returns."""
    parallel, degrees, listed = row
    for i, type in enumerate(types):
        best: dict[tuple[int, bool], float] = {}
        for forward, edges in ((True, listed[2 * i]), (False, listed[2 * i + 1])):
            for key, weight, _ in edges:
                number, value = key & NUMBER_MASK, 1.0 if weight is None else weight
                if number < before and value >= best.get((number, forward), 0.0):
                    best[number, forward] = value
        more = (parallel or ()).count(RELATION[type])
        yield type, Hop(degrees[i] - more, tuple((*edge, best[edge]) for edge in sorted(best)), window)


def heads_in(row: Sequence[Any]) -> Iterator[tuple[int, bytes | None]]:
    """Keys and heads of the nodes at the other ends, of what `columns` returns."""
    for edges in row[2]:
        for key, _, head in edges:
            yield key, head


def missing(frontier: Iterable[int], types: Sequence[EdgeType], known: Mapping[Any, Hop], limit: int) -> list[int]:
    """Numbers whose hops are not known, or not far enough."""
    return [
        number
        for number in frontier
        if any((hop := known.get((number, type))) is None or (hop.window < limit and not hop.whole) for type in types)
    ]


def told(frontier: Numbers, types: Sequence[EdgeType], known: Mapping[Any, Hop], limit: int) -> Neighbours:
    """By frontier position, within it oldest first, at most `limit` a node. Only asked types have degrees."""
    degree = np.zeros((len(frontier), TYPES), np.int64)
    parts: list[tuple[int, int, bool, float, int]] = []
    cut = False
    for i, number in enumerate(frontier.tolist()):
        mine: list[tuple[int, int, bool, float]] = []
        for type in types:
            hop = known.get((number, type))
            if hop is not None and hop.degree:
                degree[i, type] = hop.degree
                cut |= not hop.whole
                mine += [(far, int(type), forward, weight) for far, forward, weight in hop.edges]
        mine.sort()
        cut |= len(mine) > limit
        parts += [(far, type, forward, weight, i) for far, type, forward, weight in mine[max(0, len(mine) - limit) :]]
    return Neighbours(
        row=np.array([part[4] for part in parts], np.int64),
        number=np.array([part[0] for part in parts], np.int64),
        type=np.array([part[1] for part in parts], np.uint8),
        forward=np.array([part[2] for part in parts], bool),
        weight=np.array([part[3] for part in parts], np.float32),
        degree=degree,
        cut=cut,
    )
