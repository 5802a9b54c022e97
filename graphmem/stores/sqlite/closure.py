"""What an erasure reaches: from the nodes that are named to all that is derived from them, now or in the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphmem.schema import ROLES, EdgeType, Id, NodeKind
from graphmem.stores.images import named_in, unpack
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.rows import TEXTS

PARTS = """SELECT n FROM section WHERE source IN (SELECT value FROM json_each(?1))
  UNION SELECT n FROM passage WHERE source IN (SELECT value FROM json_each(?1))
  UNION SELECT n FROM passage WHERE section IN (SELECT value FROM json_each(?1))"""
DERIVED = f"""SELECT src FROM edge WHERE dst IN (SELECT value FROM json_each(?))
  AND type IN ({int(EdgeType.FROM)}, {int(EdgeType.DERIVED)}, {", ".join(str(int(role)) for role in ROLES)})"""
SUBJECTS = """SELECT note.n FROM json_each(?) AS asked JOIN node ON node.n = asked.value
  JOIN note ON note.space = node.space AND note.subject = lower(hex(node.id))"""
OLDER = """SELECT older.n FROM source AS newer JOIN source AS older ON older.space = newer.space
  AND older.kind = newer.kind AND older.outside_id = newer.outside_id AND older.revision < newer.revision
  WHERE newer.n IN (SELECT value FROM json_each(?))"""
FAMILY = """SELECT DISTINCT other.n FROM passage JOIN source AS mine ON mine.n = passage.source
  JOIN source AS other ON other.space = mine.space AND other.kind = mine.kind AND other.outside_id = mine.outside_id
  WHERE passage.n IN (SELECT value FROM json_each(?)) AND other.n <> mine.n"""
RETIRED_IN = """SELECT passage.n, text FROM passage JOIN node ON node.n = passage.n
  WHERE source IN (SELECT value FROM json_each(?)) AND node.retired"""
REACHING = (PARTS, DERIVED, SUBJECTS, OLDER)
EMPTY_SECTIONS = """SELECT section.n FROM section WHERE n IN (SELECT section FROM passage
    WHERE n IN (SELECT value FROM json_each(?1)))
  AND NOT EXISTS (SELECT 1 FROM passage WHERE section = section.n AND n NOT IN (SELECT value FROM json_each(?1)))"""
EMPTY_SOURCES = """SELECT source.n FROM source WHERE n IN (SELECT source FROM passage
    WHERE n IN (SELECT value FROM json_each(?1)))
  AND NOT EXISTS (SELECT 1 FROM passage WHERE source = source.n AND n NOT IN (SELECT value FROM json_each(?1)))"""
SECTIONS_OF = "SELECT n FROM section WHERE source IN (SELECT value FROM json_each(?))"
NAMED = f"""SELECT DISTINCT edge.dst FROM edge JOIN node ON node.n = edge.dst AND node.kind = {int(NodeKind.ENTITY)}
  WHERE edge.src IN (SELECT value FROM json_each(?))"""
STILL_NAMED = f"""SELECT DISTINCT dst FROM edge WHERE dst IN (SELECT value FROM json_each(?1))
  AND edge.type <> {int(EdgeType.ALSO_KNOWN_AS)} AND src NOT IN (SELECT value FROM json_each(?2))"""
PAST_DELETES = "SELECT n, id, before FROM change WHERE space = ? AND op = 'delete' AND before IS NOT NULL"
PAST_EDGES = "SELECT src, dst FROM edge_change WHERE space = ? AND op = 'delete'"


def reached(db: sqlite3.Connection, named: Sequence[int]) -> set[int]:
    """Keys of the nodes to erase: parts of sources, copies in superseded revisions, what is derived, then sections
    and sources left without a passage, and entities that nothing else names."""
    found = set(named) | copies(db, named)
    fresh = found
    while fresh:
        keys = listed(sorted(fresh))
        fresh = {n for statement in REACHING for (n,) in db.execute(statement, (keys,))} - found
        found |= fresh
    keys = listed(sorted(found))
    sources = {n for (n,) in db.execute(EMPTY_SOURCES, (keys,))}
    found |= sources | {n for (n,) in db.execute(EMPTY_SECTIONS, (keys,))}
    found |= {n for (n,) in db.execute(SECTIONS_OF, (listed(sorted(sources)),))}
    return found | orphans(db, found)


def copies(db: sqlite3.Connection, passages: Sequence[int]) -> set[int]:
    """Retired passages of other revisions of the same source that say the same: searches no longer show them."""
    keys = listed(list(passages))
    family = [n for (n,) in db.execute(FAMILY, (keys,))]
    texts = {text for _, text in db.execute(TEXTS, (keys,))}
    return {n for n, text in db.execute(RETIRED_IN, (listed(family),)) if text in texts}


def orphans(db: sqlite3.Connection, gone: set[int]) -> set[int]:
    """Entities that only what goes names."""
    keys = listed(sorted(gone))
    named = {n for (n,) in db.execute(NAMED, (keys,))} - gone
    return named - {n for (n,) in db.execute(STILL_NAMED, (listed(sorted(named)), keys))}


def past_deletes(db: sqlite3.Connection, space: int, ids: set[Id], gone: set[int]) -> set[int]:
    """Keys of nodes that were deleted or undone earlier and whose journaled images stem from these ids, or that only
    what goes named."""
    images = [(n, raw.hex(), unpack(before)) for n, raw, before in db.execute(PAST_DELETES, (space,))]
    named_by: dict[int, set[int]] = {}
    for src, dst in db.execute(PAST_EDGES, (space,)):
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
