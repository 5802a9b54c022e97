"""Nodes leave the store with all that hangs on them: rows, edges, aliases, derived rows. Used to delete, to undo and
to erase; journaling is the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphmem.schema import EdgeType, NodeKind, Op
from graphmem.stores.chain import Logged
from graphmem.stores.edgekeys import Full
from graphmem.stores.images import image, pack
from graphmem.stores.sqlite import edges, heads
from graphmem.stores.sqlite.derived import UNSHELVE, Derived
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.rows import DELETE, load

KINDS = "SELECT n, kind, retired FROM node WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n"
ALIASES = """SELECT folded, entity, passage, seq FROM alias WHERE entity IN (SELECT value FROM json_each(?))
  ORDER BY entity, folded"""
DROP_ROWS = (
    "DELETE FROM alias WHERE (space, folded, entity) IN (SELECT space, folded, entity FROM alias "
    "WHERE entity IN (SELECT value FROM json_each(?)))",
    "DELETE FROM usage WHERE n IN (SELECT value FROM json_each(?))",
    UNSHELVE,
    "DELETE FROM node WHERE n IN (SELECT value FROM json_each(?))",
)

CHUNK = 2_000

AliasRow = tuple[str, int, int | None, int]


def remove(db: sqlite3.Connection, derived: Derived, space: int, keys: Sequence[int]) -> list[Full]:
    """Takes these nodes out; gives back the edges that went with them. Derived rows first: they are found by the
    text that is about to go."""
    found = db.execute(KINDS, (listed(list(keys)),)).fetchall()
    live = [n for n, _, retired in found if not retired]
    for start in range(0, len(live), CHUNK):
        derived.take_out(space, live[start : start + CHUNK], shelve=False)
    gone = edges.incident(db, [n for n, *_ in found])
    edges.remove(db, derived.adjacency, space, gone)
    for kind in sorted({kind for _, kind, _ in found}):
        db.execute(DELETE[NodeKind(kind)], (listed([n for n, of, _ in found if of == kind]),))
    for statement in DROP_ROWS:
        db.execute(statement, (listed([n for n, *_ in found]),))
    keys_gone = {n for n, *_ in found}
    heads.renew_with_notes(db, (row[0] for row in gone if row[1] == EdgeType.SPEAKER and row[0] not in keys_gone))
    return gone


def aliases(db: sqlite3.Connection, entities: Sequence[int]) -> list[AliasRow]:
    return db.execute(ALIASES, (listed(list(entities)),)).fetchall()


def delete_logged(
    db: sqlite3.Connection, derived: Derived, space: int, keys: Sequence[int]
) -> tuple[list[Logged], list[Full]]:
    """Deletes nodes; their images with their aliases, and the edges that went with them."""
    names: dict[int, list[tuple[str, int | None, int]]] = {}
    for folded, entity, passage, seq in aliases(db, keys):
        names.setdefault(entity, []).append((folded, passage, seq))
    logged: list[Logged] = []
    for start in range(0, len(keys), CHUNK):
        for n, node in sorted(load(db, keys[start : start + CHUNK]).items()):
            more = {"version": node.version} | ({"aliases": names[n]} if n in names else {})
            logged.append((n, bytes.fromhex(node.id), Op.DELETE, pack(image(node) | more)))
    return logged, remove(db, derived, space, keys)
