"""What an erasure reaches: from the nodes that are named to all that is derived from them, now or in the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphmem.schema import ROLES, EdgeType, Id, NodeKind
from graphmem.stores.sqlite.images import unpack
from graphmem.stores.sqlite.keys import listed

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
COPIES = """SELECT copy.n FROM passage JOIN source AS mine ON mine.n = passage.source
  JOIN source AS other ON other.space = mine.space AND other.kind = mine.kind AND other.outside_id = mine.outside_id
  JOIN passage AS copy ON copy.source = other.n AND copy.text = passage.text JOIN node ON node.n = copy.n
  WHERE passage.n IN (SELECT value FROM json_each(?)) AND node.retired"""
REACHING = (PARTS, DERIVED, SUBJECTS, OLDER, COPIES)
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


def reached(db: sqlite3.Connection, named: Sequence[int]) -> set[int]:
    """Keys of the nodes to erase: parts of sources, copies in superseded revisions, what is derived, then sections
    and sources left without a passage, and entities that nothing else names."""
    found, fresh = set(named), set(named)
    while fresh:
        keys = listed(sorted(fresh))
        fresh = {
            n for statement in (PARTS, DERIVED, SUBJECTS, OLDER, COPIES) for (n,) in db.execute(statement, (keys,))
        }
        fresh -= found
        found |= fresh
    keys = listed(sorted(found))
    sources = {n for (n,) in db.execute(EMPTY_SOURCES, (keys,))}
    found |= sources | {n for (n,) in db.execute(EMPTY_SECTIONS, (keys,))}
    found |= {n for (n,) in db.execute(SECTIONS_OF, (listed(sorted(sources)),))}
    return found | orphans(db, found)


def orphans(db: sqlite3.Connection, gone: set[int]) -> set[int]:
    """Entities that only what goes names."""
    keys = listed(sorted(gone))
    named = {n for (n,) in db.execute(NAMED, (keys,))} - gone
    return named - {n for (n,) in db.execute(STILL_NAMED, (listed(sorted(named)), keys))}


def past_deletes(db: sqlite3.Connection, space: int, ids: set[Id]) -> set[int]:
    """Keys of nodes that were deleted or undone earlier and whose journaled images stem from these ids."""
    images = [(n, raw.hex(), unpack(before)) for n, raw, before in db.execute(PAST_DELETES, (space,))]
    found: set[int] = set()
    known, growing = set(ids), True
    while growing:
        growing = False
        for n, id, fields in images:
            if n in found:
                continue
            names = {span[0] for span in fields.get("spans", ())} | set(fields.get("parents", ()))
            names |= {member[1] for member in fields.get("members", ())} | {id}
            names |= {fields.get("source"), fields.get("section"), fields.get("subject")}
            if names & known:
                found.add(n)
                known.add(id)
                growing = True
    return found
