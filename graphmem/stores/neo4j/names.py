"""What names stand for, and what a recall asks of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmem.schema import Alias, Id
from graphmem.stores.base import Found, Named
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.nodes import Read

ALIASES = """UNWIND $ids AS id MATCH (e:Zettel {space: $space, id: id})
  OPTIONAL MATCH (a:_Alias {entity: e.key}) OPTIONAL MATCH (p:Zettel {key: a.passage})
  RETURN e.key, id, a.folded, p.id ORDER BY e.key, a.folded"""
ENTITIES = """UNWIND range(0, size($names) - 1) AS i
  MATCH (a:_Alias {space: $space, folded: $names[i]}) WHERE a.entity IS NOT NULL
  MATCH (e:Zettel {key: a.entity}) WHERE e._head IS NOT NULL AND e.key < $before
  RETURN i, e.key AS key ORDER BY i, key"""
NAMED = """UNWIND range(0, size($names) - 1) AS i
  MATCH (a:_Alias {space: $space, folded: $names[i]}) WHERE a.entity IS NOT NULL
  MATCH (e:Zettel {key: a.entity}) WHERE e._head IS NOT NULL AND e.key < $before
  RETURN i, e.key AS key, EXISTS { (e)-[:SPEAKER]-() } AS speaks, COLLECT {
    MATCH (e)<-[:TITLE]-(s:Zettel) WITH s LIMIT $limit
    CALL (s) { MATCH (s)<-[:PART_OF]-(p:Zettel) WITH p LIMIT $window WITH p ORDER BY p.key DESC LIMIT $limit
      WITH p WHERE p._kind = 3 AND p._head IS NOT NULL AND p.key < $before RETURN p.key AS passage }
    RETURN passage } AS titled ORDER BY i, key"""


def aliases_of(read: Read, space: int, entities: Sequence[Id]) -> dict[Id, tuple[str, ...]]:
    told: dict[Id, tuple[str, ...]] = {}
    for _, id, folded, _ in read(ALIASES, {"space": space, "ids": list(entities)}) if entities else ():
        told[id] = (*told.get(id, ()), *((folded,) if folded is not None else ()))
    return told


def aliases(read: Read, space: int, entities: Sequence[Id]) -> list[Alias]:
    found = read(ALIASES, {"space": space, "ids": list(entities)}) if entities else ()
    return [Alias(folded, id, passage) for _, id, folded, passage in found if folded is not None]


def entities(read: Read, space: int, folded: Sequence[str], before: int) -> Found:
    asked = {"space": space, "names": list(folded), "before": before}
    table = np.array(read(ENTITIES, asked) if len(folded) else [], np.int64).reshape(-1, 2)
    return Found(table[:, 0], table[:, 1] & NUMBER_MASK)


def named(read: Read, space: int, folded: Sequence[str], *, before: int, limit: int, window: int) -> Named:
    """At most `limit` titles a name and as many passages a source, of `window` read."""
    asked = {"space": space, "names": list(folded), "before": before, "limit": limit, "window": window}
    found = read(NAMED, asked) if len(folded) else []
    titled = [(row, key & NUMBER_MASK) for row, (*_, keys) in enumerate(found) for key in keys]
    pairs = np.array(titled, np.int64).reshape(-1, 2)
    return Named(
        np.array([row[0] for row in found], np.int64),
        np.array([row[1] for row in found], np.int64) & NUMBER_MASK,
        np.array([row[2] for row in found], bool),
        pairs[:, 0],
        pairs[:, 1],
    )
