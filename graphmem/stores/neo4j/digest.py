"""What digests are made of, read in id order."""

from __future__ import annotations

from collections.abc import Iterator

from graphmem.schema import NodeKind
from graphmem.stores import digests
from graphmem.stores.digests import EVIDENCE, Told
from graphmem.stores.keys import node_range
from graphmem.stores.neo4j.model import FIELDS, QUOTED, TYPE_OF, full_edge, node
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.neo4j.server import pairs

CHUNK = 2_000

NODES = f"""MATCH (n:Zettel {{space: $space}}) WHERE n.id > $last AND n._kind IN $kinds
  WITH n ORDER BY n.id LIMIT $limit
  RETURN n._kind, n.id, n.version, {FIELDS}, {QUOTED}, n.retired IS NOT NULL"""
EDGES = """MATCH (n:Zettel)-[e]->(m:Zettel) WHERE n.key >= $low AND n.key <= $high
  RETURN n.key, type(e), m.key, e.start, e.end, e.weight, e.reason"""
ALIASES = """MATCH (a:_Alias {space: $space}) WHERE a.folded IS NOT NULL AND a.entity IS NOT NULL
  RETURN a.entity, a.folded, a.passage"""
IDS = "MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high RETURN n.key, n.id"


def digest(read: Read, space: int) -> str:
    low, high = node_range(space)
    edges = [full_edge(row) for row in read(EDGES, {"low": low, "high": high}) if row[1] in TYPE_OF]
    names = [(entity, folded, passage) for entity, folded, passage in read(ALIASES, {"space": space})]
    ids: dict[int, str] = pairs(read(IDS, {"low": low, "high": high}))
    return digests.digest(_nodes(read, space, list(NodeKind)), edges, names, ids)


def evidence_digest(read: Read, space: int) -> str:
    return digests.evidence_digest(_nodes(read, space, list(EVIDENCE)))


def _nodes(read: Read, space: int, kinds: list[NodeKind]) -> Iterator[Told]:
    last, wanted = "", [int(kind) for kind in kinds]
    while found := read(NODES, {"space": space, "last": last, "kinds": wanted, "limit": CHUNK}):
        last = found[-1][1]
        for kind, id, version, fields, quoted, retired in found:
            yield node(kind, id, version, fields, quoted), retired
