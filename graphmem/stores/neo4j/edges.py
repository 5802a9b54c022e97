"""Edges as relationships: written in sorted order, found by their ends, journaled when they change or go.

Two edges of a type between the same ends (a note that quotes a passage twice) are two relationships and count as one
neighbour: `_parallel` of both ends holds the type once for each beyond the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphmem.schema import ONE_Q8, EdgeType, Op
from graphmem.stores.edgekeys import NO_START, Full, Key, Value
from graphmem.stores.neo4j.model import RELATION, TYPE_OF, edge_row, full_edge
from graphmem.stores.neo4j.server import Tx, rows

CREATE = """UNWIND $rows AS r MATCH (a:Zettel {key: r[0]}) MATCH (b:Zettel {key: r[2]})
  CREATE (a)-[:$(r[1]) {start: r[3], end: r[4], weight: r[5], reason: r[6]}]->(b)"""
CREATE_PLAIN = """UNWIND $rows AS r MATCH (a:Zettel {key: r[0]}) MATCH (b:Zettel {key: r[2]})
  CREATE (a)-[:$(r[1])]->(b)"""
BETWEEN = """UNWIND $ends AS r MATCH (a:Zettel {key: r[0]})-[e]->(b:Zettel {key: r[2]}) WHERE type(e) = r[1]
  RETURN a.key, type(e), b.key, e.start, e.end, e.weight, e.reason"""
CHANGE = """UNWIND $rows AS r MATCH (a:Zettel {key: r[0]})-[e]->(b:Zettel {key: r[2]})
  WHERE type(e) = r[1] AND coalesce(e.start, -1) = coalesce(r[3], -1)
  SET e.end = r[4], e.weight = r[5], e.reason = r[6]"""
DROP = """UNWIND $rows AS r MATCH (a:Zettel {key: r[0]})-[e]->(b:Zettel {key: r[2]})
  WHERE type(e) = r[1] AND coalesce(e.start, -1) = coalesce(r[3], -1) DELETE e"""
INCIDENT = """UNWIND $keys AS key MATCH (a:Zettel {key: key})-[e]->(b:Zettel)
    RETURN a.key, type(e), b.key, e.start, e.end, e.weight, e.reason
  UNION UNWIND $keys AS key MATCH (a:Zettel)-[e]->(b:Zettel {key: key})
    RETURN a.key, type(e), b.key, e.start, e.end, e.weight, e.reason"""
COUNT_PARALLEL = """UNWIND $keys AS key MATCH (n:Zettel {key: key})
  SET n._parallel = COLLECT { MATCH (n)-[e]-(m:Zettel) WHERE type(e) IN $relations
    WITH type(e) AS relation, startNode(e) = n AS forward, m, count(*) AS times WHERE times > 1
    UNWIND range(2, times) AS more RETURN relation }"""
LOG = """UNWIND $rows AS r
  MERGE (c:_EdgeChange {space: $space, seq: $seq, src: r[0], type: r[1], dst: r[2], start: r[3]})
  ON CREATE SET c.op = $op, c.stop = r[4], c.weight_q8 = r[5], c.reason = r[6]"""

Ends = tuple[int, int, int]
USUAL: list[object] = [NO_START, NO_START, ONE_Q8, ""]


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it: keys of new edges, and the old rows of those that gained weight."""

    new: list[Key]
    heavier: list[Full]


def write(tx: Tx, edges: Mapping[Key, Value], first_new: int) -> Written:
    """Enters edges. Only those between nodes from before this batch (keys under `first_new`) can be there already."""
    stored = between(tx, {at[:3] for at in edges if at[0] < first_new and at[2] < first_new})
    new = sorted(at for at in edges if at not in stored)
    heavier = sorted(at for at, full in stored.items() if at in edges and edges[at][1] > full[5])
    create(tx, [(*at, *edges[at]) for at in new])
    if heavier:
        rows(tx, CHANGE, rows=[edge_row((*at, *edges[at])) for at in heavier])
    recount(tx, repeated([*stored, *new]))
    return Written(new, [stored[at] for at in heavier])


def create(tx: Tx, new: Sequence[Full]) -> None:
    """Most edges have none but the usual values: they travel as three."""
    plain = [[src, RELATION[EdgeType(type)], dst] for src, type, dst, *value in new if value == USUAL]
    other = [edge_row(full) for full in new if list(full[3:]) != USUAL]
    for statement, part in ((CREATE_PLAIN, plain), (CREATE, other)):
        if part:
            rows(tx, statement, rows=part)


def between(tx: Tx, ends: Iterable[Ends]) -> dict[Key, Full]:
    """Edges between these ends and of these types, whatever their start."""
    asked = [[src, RELATION[EdgeType(type)], dst] for src, type, dst in sorted(ends)]
    found = rows(tx, BETWEEN, ends=asked) if asked else []
    return {full[:4]: full for full in map(full_edge, found)}


def repeated(keys: Iterable[Key]) -> set[Ends]:
    """Ends that more than one of these edges has."""
    seen, twice = set[Ends](), set[Ends]()
    for at in keys:
        (twice if at[:3] in seen else seen).add(at[:3])
    return twice


def recount(tx: Tx, ends: Iterable[Ends]) -> None:
    """Counts parallel edges anew at these ends."""
    nodes, types = set[int](), set[int]()
    for src, type, dst in ends:
        nodes |= {src, dst}
        types.add(type)
    if nodes:
        relations = [RELATION[EdgeType(type)] for type in sorted(types)]
        rows(tx, COUNT_PARALLEL, keys=sorted(nodes), relations=relations)


def incident(tx: Tx, keys: Sequence[int]) -> list[Full]:
    """All edges with an end among these nodes, sorted."""
    found = rows(tx, INCIDENT, keys=list(keys)) if keys else []
    return sorted(full_edge(row) for row in found if row[1] in TYPE_OF)


def remove(tx: Tx, gone: Sequence[Full]) -> None:
    """Takes edges out."""
    if not gone:
        return
    rows(tx, DROP, rows=[edge_row(full) for full in gone])
    left = between(tx, {full[:3] for full in gone})
    recount(tx, repeated([*(full[:4] for full in gone), *left]))


def restore(tx: Tx, back: Sequence[Full]) -> int:
    """Puts edges back as they were, whether they are gone or only changed; how many had gone."""
    there = between(tx, {full[:3] for full in back})
    changed = [full for full in back if full[:4] in there]
    absent = sorted(full for full in back if full[:4] not in there)
    if changed:
        rows(tx, CHANGE, rows=[edge_row(full) for full in changed])
    if absent:
        create(tx, absent)
        recount(tx, repeated([*there, *(full[:4] for full in absent)]))
    return len(absent)


def log(tx: Tx, space: int, seq: int, op: Op, old: Iterable[Full]) -> int:
    """Journals old rows of edges; how many."""
    logged = [list(full) for full in old]
    if logged:
        rows(tx, LOG, space=space, seq=seq, op=op.value, rows=logged)
    return len(logged)
