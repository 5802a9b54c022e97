"""What digests are made of, read in id order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from graphmem.stores import digests
from graphmem.stores.digests import EVIDENCE, Told
from graphmem.stores.keys import node_range
from graphmem.stores.sqlite.ids import ids_of
from graphmem.stores.sqlite.rows import load

CHUNK = 2_000

NODES = "SELECT n, id, kind, retired FROM node WHERE space = ? AND id > ? ORDER BY id LIMIT ?"
EDGES = "SELECT src, type, dst, start, stop, weight_q8, reason FROM edge WHERE src BETWEEN ? AND ?"
ALIASES = "SELECT entity, folded, passage FROM alias WHERE space = ? ORDER BY folded"


def digest(db: sqlite3.Connection, space: int) -> str:
    edges = db.execute(EDGES, node_range(space)).fetchall()
    names = db.execute(ALIASES, (space,)).fetchall()
    keys = {n for row in edges for n in (row[0], row[2])} | {n for row in names for n in (row[0], row[2]) if n}
    return digests.digest(_nodes(db, space), edges, names, ids_of(db, sorted(keys)))


def evidence_digest(db: sqlite3.Connection, space: int) -> str:
    return digests.evidence_digest(_nodes(db, space, evidence=True))


def _nodes(db: sqlite3.Connection, space: int, *, evidence: bool = False) -> Iterator[Told]:
    last = b""
    while rows := db.execute(NODES, (space, last, CHUNK)).fetchall():
        last = rows[-1][1]
        wanted = [row for row in rows if not evidence or row[2] in EVIDENCE]
        nodes = load(db, [row[0] for row in wanted])
        for n, _, _, retired in wanted:
            yield nodes[n], bool(retired)
