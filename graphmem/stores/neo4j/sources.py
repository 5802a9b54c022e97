"""Sources as a writer finds them: the newest revision, its passages, where it ends."""

from __future__ import annotations

from graphmem.schema import Id
from graphmem.stores.base import Tail
from graphmem.stores.neo4j.nodes import Read

FIND_SOURCE = """MATCH (s:Source {space: $space, kind: $kind, outside_id: $outside_id})
  RETURN s.id ORDER BY s.revision DESC LIMIT 1"""
PASSAGES_OF = """MATCH (s:Zettel {space: $space, id: $id}) MATCH (p:Passage {_source: s.key})
  WHERE p.ordinal IS NOT NULL RETURN p.id ORDER BY p.ordinal, p.key"""
TAIL = """OPTIONAL MATCH (s:Zettel {space: $space, id: $source})
  OPTIONAL MATCH (part:Zettel {space: $space, id: $section})
  RETURN COLLECT { MATCH (p:Passage {_source: s.key}) WHERE p.ordinal IS NOT NULL
      RETURN p.ordinal + 1 ORDER BY p.ordinal DESC LIMIT 1 }[0],
    CASE WHEN $section IS NULL
      THEN COLLECT { MATCH (p:Passage {_source: s.key}) WHERE p.ordinal IS NOT NULL AND p._section IS NULL
        RETURN p.id ORDER BY p.ordinal DESC, p.key DESC LIMIT 1 }[0]
      ELSE COLLECT { MATCH (p:Passage {_section: part.key}) WHERE p.ordinal IS NOT NULL
        RETURN p.id ORDER BY p.ordinal DESC, p.key DESC LIMIT 1 }[0] END,
    COLLECT { MATCH (c:Section {_source: s.key}) WHERE c.ordinal IS NOT NULL
      RETURN c.id ORDER BY c.ordinal DESC, c.key DESC LIMIT 1 }[0],
    COUNT { MATCH (c:Section {_source: s.key}) WHERE c.ordinal IS NOT NULL }"""


def find_source(read: Read, space: int, kind: str, outside_id: str) -> Id | None:
    """The newest revision."""
    found = read(FIND_SOURCE, {"space": space, "kind": kind, "outside_id": outside_id})
    return found[0][0] if found else None


def passages_of(read: Read, space: int, source: Id) -> list[Id]:
    return [row[0] for row in read(PASSAGES_OF, {"space": space, "id": source})]


def tail(read: Read, space: int, source: Id, section: Id | None) -> Tail:
    asked = {"space": space, "source": source, "section": section}
    next_ordinal, passage, latest, sections = read(TAIL, asked)[0]
    return Tail(next_ordinal or 0, passage, latest, sections)
