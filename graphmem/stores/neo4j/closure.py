"""What an erasure reaches: from the nodes that are named to all that is derived from them, now or in the past."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.schema import ROLES, EdgeType, Id
from graphmem.stores.images import named_in, unpack
from graphmem.stores.neo4j.model import RELATION
from graphmem.stores.neo4j.server import Tx, rows

_STEMS = "|".join(RELATION[type] for type in (EdgeType.FROM, EdgeType.DERIVED, *ROLES))

REACHING = f"""UNWIND $keys AS key MATCH (n:Section {{_source: key}}) RETURN n.key
  UNION UNWIND $keys AS key MATCH (n:Passage {{_source: key}}) RETURN n.key
  UNION UNWIND $keys AS key MATCH (n:Passage {{_section: key}}) RETURN n.key
  UNION UNWIND $keys AS key MATCH (:Zettel {{key: key}})<-[:{_STEMS}]-(n:Zettel) RETURN n.key
  UNION UNWIND $keys AS key MATCH (s:Zettel {{key: key}}) MATCH (n:Note {{space: s.space, subject: s.id}}) RETURN n.key
  UNION UNWIND $keys AS key MATCH (s:Source {{key: key}})
    MATCH (n:Source {{space: s.space, kind: s.kind, outside_id: s.outside_id}}) WHERE n.revision < s.revision
    RETURN n.key"""
COPIES = """UNWIND $keys AS key MATCH (p:Passage {key: key}) MATCH (mine:Source {key: p._source})
  MATCH (other:Source {space: mine.space, kind: mine.kind, outside_id: mine.outside_id}) WHERE other.key <> mine.key
  MATCH (q:Passage {_source: other.key})
  WHERE q.ordinal IS NOT NULL AND q.retired IS NOT NULL AND q.text = p.text RETURN DISTINCT q.key"""
EMPTY = """UNWIND $keys AS key MATCH (p:Passage {key: key}) WITH DISTINCT p._source AS source
    WHERE NOT EXISTS { MATCH (o:Passage {_source: source}) WHERE o.ordinal IS NOT NULL AND NOT o.key IN $keys }
    RETURN source AS key, true AS whole
  UNION UNWIND $keys AS key MATCH (p:Passage {key: key}) WHERE p._section IS NOT NULL
    WITH DISTINCT p._section AS section
    WHERE NOT EXISTS { MATCH (o:Passage {_section: section}) WHERE o.ordinal IS NOT NULL AND NOT o.key IN $keys }
    RETURN section AS key, false AS whole"""
SECTIONS_OF = "UNWIND $keys AS key MATCH (n:Section {_source: key}) WHERE n.ordinal IS NOT NULL RETURN n.key"
NAMED = "UNWIND $keys AS key MATCH (:Zettel {key: key})-->(e:Entity) RETURN DISTINCT e.key"
STILL_NAMED = """UNWIND $entities AS key MATCH (e:Entity {key: key})
  WHERE EXISTS { MATCH (e)<-[r]-(n:Zettel) WHERE type(r) <> 'ALSO_KNOWN_AS' AND NOT n.key IN $keys } RETURN key"""
PAST_DELETES = """MATCH (c:_Change {space: $space}) WHERE c.id IS NOT NULL AND c.op = 'delete' AND c.before IS NOT NULL
  RETURN c.key, c.id, c.before"""
PAST_EDGES = "MATCH (c:_EdgeChange {space: $space}) WHERE c.seq > 0 AND c.op = 'delete' RETURN c.src, c.dst"


def _keys(tx: Tx, statement: str, keys: set[int]) -> set[int]:
    return {row[0] for row in rows(tx, statement, keys=sorted(keys))} if keys else set()


def reached(tx: Tx, named: Sequence[int]) -> set[int]:
    """Keys of the nodes to erase: parts of sources, copies in superseded revisions, what is derived, then sections
    and sources left without a passage, and entities that nothing else names."""
    found = set(named) | _keys(tx, COPIES, set(named))
    fresh = found
    while fresh:
        fresh = _keys(tx, REACHING, fresh) - found
        found |= fresh
    empty = rows(tx, EMPTY, keys=sorted(found))
    found |= {key for key, _ in empty}
    found |= _keys(tx, SECTIONS_OF, {key for key, whole in empty if whole})
    return found | orphans(tx, found)


def orphans(tx: Tx, gone: set[int]) -> set[int]:
    """Entities that only what goes names."""
    named = _keys(tx, NAMED, gone) - gone
    if not named:
        return set()
    return named - {row[0] for row in rows(tx, STILL_NAMED, entities=sorted(named), keys=sorted(gone))}


def past_deletes(tx: Tx, space: int, ids: set[Id], gone: set[int]) -> set[int]:
    """Keys of nodes that were deleted or undone earlier and whose journaled images stem from these ids, or that only
    what goes named."""
    images = [(n, id, unpack(before)) for n, id, before in rows(tx, PAST_DELETES, space=space)]
    named_by: dict[int, set[int]] = {}
    for src, dst in rows(tx, PAST_EDGES, space=space):
        named_by.setdefault(dst, set()).add(src)
    found, known, growing = set[int](), set(ids), True
    while growing:
        growing = False
        for n, id, fields in images:
            by = named_by.get(n, set()) if "type" in fields else set()  # an entity
            if n not in found and ((named_in(fields) | {id}) & known or (by and by <= found | gone)):
                found.add(n)
                known.add(id)
                growing = True
    return found
