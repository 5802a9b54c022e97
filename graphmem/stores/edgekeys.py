"""Edges by key: each once, those that a batch names and those that its nodes imply (FROM their spans, DERIVED from
their parents, roles of their members)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphmem.schema import ONE_Q8, Edge, EdgeType, Hyperedge, Id, Node, Note
from graphmem.stores.keys import Keys

NO_START = -1
FROM, DERIVED = int(EdgeType.FROM), int(EdgeType.DERIVED)  # plain ints: an enum's hash is a call

Key = tuple[int, int, int, int]  # src, type, dst, start
Value = tuple[int, int, str]  # stop, weight_q8, reason
PLAIN: Value = (NO_START, ONE_Q8, "")

Full = tuple[int, int, int, int, int, int, str]  # a key and its value


def implied(node: Node, n: int, keys: Keys) -> list[tuple[Key, Value]]:
    """The edges that a node's own fields stand for."""
    kind = type(node)
    if kind is not Note and kind is not Hyperedge:
        return []
    made: list[tuple[Key, Value]] = [((n, FROM, keys[s.passage], s.start), (s.end, ONE_Q8, "")) for s in node.spans]  # type: ignore[union-attr]
    if isinstance(node, Note):
        made += [((n, DERIVED, keys[id], NO_START), PLAIN) for id in node.parents]
    elif isinstance(node, Hyperedge):
        made += [((n, int(member.role), keys[member.node], NO_START), PLAIN) for member in node.members]
    return made


def collect(edges: Sequence[Edge], nodes: Iterable[tuple[Node, int]], keys: Keys) -> dict[Key, Value]:
    """Each edge once, with its highest weight, in order of arrival."""
    found: dict[Key, Value] = {}
    for edge in edges:
        start, stop, weight = edge.start, edge.end, edge.weight_q8
        at = (keys[edge.src], int(edge.type), keys[edge.dst], NO_START if start is None else start)
        value = (NO_START if stop is None else stop, weight, edge.reason)
        if found.setdefault(at, value)[1] < weight:
            found[at] = value
    for node, n in nodes:
        for at, value in implied(node, n, keys):
            found.setdefault(at, value)
    return found


def edge(row: Full, ids: dict[int, Id]) -> Edge:
    src, type, dst, start, stop, weight, reason = row
    return Edge(
        ids[src],
        EdgeType(type),
        ids[dst],
        weight,
        reason,
        None if start == NO_START else start,
        None if stop == NO_START else stop,
    )


def edge_id(ids: dict[int, Id], at: Key) -> Id:
    """An edge's id spells what identifies it: its ends, type and start."""
    src, type, dst, start = at
    return f"{ids[src]}:{EdgeType(type).name}:{ids[dst]}" + ("" if start == NO_START else f":{start}")
