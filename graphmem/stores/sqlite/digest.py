"""Digests: canonical JSON of identity and journaled fields, in id order. Left out: vectors, use counts, wall-clock
times, sequence numbers, versions and job ids. The digest of what came by the same commits in the same order is equal;
the evidence digest (sources, passages, notes from text) does not depend on the order either."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

from graphmem.schema import EdgeType, Note
from graphmem.schema.kinds import NodeKind
from graphmem.stores.canonical import as_json
from graphmem.stores.images import image
from graphmem.stores.keys import node_range
from graphmem.stores.sqlite.ids import ids_of
from graphmem.stores.sqlite.rows import load

CHUNK = 2_000

NODES = "SELECT n, id, kind, retired FROM node WHERE space = ? AND id > ? ORDER BY id LIMIT ?"
EDGES = "SELECT src, type, dst, start, stop, weight_q8, reason FROM edge WHERE src BETWEEN ? AND ?"
ALIASES = "SELECT entity, folded, passage FROM alias WHERE space = ? ORDER BY folded"
EVIDENCE = (NodeKind.SOURCE, NodeKind.PASSAGE, NodeKind.NOTE)


def digest(db: sqlite3.Connection, space: int) -> str:
    state = hashlib.blake2b(digest_size=32)
    for kind, retired, line in _nodes(db, space):
        state.update(f"{kind} {retired} {line}\n".encode())
    for edge in _edges(db, space):
        state.update(edge)
    return state.hexdigest()


def evidence_digest(db: sqlite3.Connection, space: int) -> str:
    state = hashlib.blake2b(digest_size=32)
    for kind, _, line in _nodes(db, space, evidence=True):
        state.update(f"{kind} {line}\n".encode())
    return state.hexdigest()


def _nodes(db: sqlite3.Connection, space: int, *, evidence: bool = False) -> Iterator[tuple[int, int, str]]:
    last = b""
    while rows := db.execute(NODES, (space, last, CHUNK)).fetchall():
        last = rows[-1][1]
        wanted = [row for row in rows if not evidence or row[2] in EVIDENCE]
        nodes = load(db, [row[0] for row in wanted])
        for n, raw, kind, retired in wanted:
            node = nodes[n]
            if not evidence or not isinstance(node, Note) or node.spans:
                yield kind, retired, as_json([raw.hex(), image(node)])


def _edges(db: sqlite3.Connection, space: int) -> Iterator[bytes]:
    """Edges and aliases as lines, sorted."""
    rows = db.execute(EDGES, node_range(space)).fetchall()
    names = db.execute(ALIASES, (space,)).fetchall()
    keys = {n for row in rows for n in (row[0], row[2])} | {n for row in names for n in (row[0], row[2]) if n}
    ids = ids_of(db, sorted(keys))
    lines = [
        as_json([ids[src], EdgeType(type).name, ids[dst], start, stop, weight, reason])
        for src, type, dst, start, stop, weight, reason in rows
    ]
    lines += [as_json([ids[entity], folded, ids.get(seen)]) for entity, folded, seen in names]
    for line in sorted(lines):
        yield line.encode() + b"\n"
