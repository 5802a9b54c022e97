"""Edges as packed arrays at both their ends, so that a hop over 256 nodes is one statement and no loop over edges.

A node has one open chunk: its newest entries, at most 512, in order of arrival. When it overflows, the oldest entries
of its most numerous (type, direction) are sealed into chunks of that kind, so that a hub's rare edges (NEXT, TITLE)
stay where a hop sees them. A hop reads open chunks only; the header counts what is sealed, so degree is always exact.
An edge is the triple (src, dst, type). Every method works inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.errors import StoreCorrupt
from graphmem.stores.base import Neighbours, Numbers
from graphmem.stores.sqlite.keys import NUMBER_MASK, checked, listed, node_keys, node_range

FORMAT = 1
OPEN_LIMIT = 512  # entries: 4 kB, about half a page
CHUNK = 256
TYPES = 64
FORWARD, BACKWARD = 0, 1

ENTRY = np.dtype([("to", "<u4"), ("weight", "<f2"), ("type", "u1"), ("direction", "u1")])
SEALED = np.dtype([("type", "u1"), ("direction", "u1"), ("next", "<u2"), ("count", "<u4")])
Entries = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]
Change = Callable[[Entries, npt.NDArray[np.bool_], Entries], Entries]  # entries, which are found, the wanted

READ = "SELECT node, sealed, body FROM adjacency WHERE node IN (SELECT value FROM json_each(?))"
READ_SPACE = "SELECT node, sealed, body FROM adjacency WHERE node BETWEEN ? AND ?"
WRITE = """INSERT INTO adjacency VALUES(?, ?, ?)
  ON CONFLICT(node) DO UPDATE SET sealed = excluded.sealed, body = excluded.body"""
DROP = "DELETE FROM adjacency WHERE node = ?"
SEAL = "INSERT INTO adjacency_sealed VALUES(?, ?, ?, ?, ?)"
CHUNKS = (
    """SELECT chunk, body FROM adjacency_sealed WHERE node = ? AND type = ? AND direction = ? ORDER BY chunk DESC"""
)
REWRITE_CHUNK = "UPDATE adjacency_sealed SET body = ? WHERE node = ? AND type = ? AND direction = ? AND chunk = ?"
DROP_CHUNK = "DELETE FROM adjacency_sealed WHERE node = ? AND type = ? AND direction = ? AND chunk = ?"
SEALED_SPACE = "SELECT node, type, direction, body FROM adjacency_sealed WHERE node BETWEEN ? AND ?"
CLEAR = (
    "DELETE FROM adjacency WHERE node BETWEEN ? AND ?",
    "DELETE FROM adjacency_sealed WHERE node BETWEEN ? AND ?",
)


@dataclass(slots=True)
class _Rows:
    """Open chunks of several nodes as one array: those of node i are entries[starts[i] : starts[i] + counts[i]]."""

    keys: list[int]
    starts: Numbers
    counts: Numbers
    entries: Entries
    headers: list[bytes]

    @classmethod
    def read(cls, db: sqlite3.Connection, keys: list[int]) -> _Rows:
        """Keys ascending and distinct; a node without a row has no entries."""
        found = db.execute(READ, (listed(keys),)).fetchall()
        if len(found) == len(keys):
            bodies = [row[2] for row in found]
            headers = [row[1] for row in found]
        else:
            at = {row[0]: row for row in found}
            none = (0, b"", b"")
            rows = [at.get(key, none) for key in keys]
            bodies, headers = [row[2] for row in rows], [row[1] for row in rows]
        counts = np.fromiter(map(len, bodies), np.int64, len(bodies)) // ENTRY.itemsize
        return cls(keys, np.cumsum(counts) - counts, counts, np.frombuffer(b"".join(bodies), ENTRY), headers)

    def owner(self) -> Numbers:
        return np.repeat(np.arange(len(self.keys)), self.counts)


def _entry_keys(owner: Numbers, entries: Entries) -> Keys:
    """(owner, to, type, direction) in 64 bits: 23, 32, 8, 1. A batch touches fewer than 8 million nodes."""
    kind = entries["type"].astype(np.uint64) << np.uint64(1) | entries["direction"].astype(np.uint64)
    keys: Keys = owner.astype(np.uint64) << np.uint64(41) | entries["to"].astype(np.uint64) << np.uint64(9) | kind
    return keys


def _both_ends(src: Numbers, dst: Numbers, type: npt.ArrayLike, weight: npt.ArrayLike) -> tuple[Numbers, Entries]:
    entries = np.empty(2 * len(src), ENTRY)
    entries["to"][0::2], entries["to"][1::2] = dst, src
    entries["type"] = np.repeat(np.asarray(type, np.uint8), 2)
    entries["weight"] = np.repeat(np.broadcast_to(np.asarray(weight, np.float16), len(src)), 2)
    entries["direction"][0::2], entries["direction"][1::2] = FORWARD, BACKWARD
    nodes = np.empty(2 * len(src), np.int64)
    nodes[0::2], nodes[1::2] = src, dst
    return nodes, entries


def _without_repeats(owner: Numbers, entries: Entries) -> tuple[Numbers, Entries]:
    """Repeated entries become the first of them, with the highest weight. Without repeats: one sort."""
    keys = _entry_keys(owner, entries)
    ordered = np.sort(keys)
    if not np.any(ordered[1:] == ordered[:-1]):
        return owner, entries
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    highest = np.zeros(len(first), np.float32)
    np.maximum.at(highest, inverse, entries["weight"].astype(np.float32))
    entries = entries.copy()
    entries["weight"][first] = highest
    kept = np.sort(first)
    return owner[kept], entries[kept]


class Adjacency:
    """The adjacency of all spaces on one connection. Keeps no state; use it from the connection's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def add(self, space: int, src: Numbers, dst: Numbers, type: npt.ArrayLike, weight: npt.ArrayLike) -> None:
        """Enter new edges. One that an open chunk already holds is not doubled: the higher weight stays."""
        if not len(src):
            return
        nodes, new = _both_ends(checked(src), checked(dst), type, weight)
        distinct, owner = np.unique(nodes, return_inverse=True)
        rows = _Rows.read(self.db, node_keys(space, distinct))
        owner = np.concatenate([rows.owner(), owner])
        order = np.argsort(owner, kind="stable")
        owner, entries = _without_repeats(owner[order], np.concatenate([rows.entries, new])[order])
        counts = np.bincount(owner, minlength=len(distinct))
        self._write(rows, np.cumsum(counts) - counts, counts, entries)

    def _write(self, rows: _Rows, starts: Numbers, counts: Numbers, entries: Entries) -> None:
        packed, size = entries.tobytes(), ENTRY.itemsize
        out = [
            (key, header, packed[a * size : (a + n) * size])
            for key, header, a, n in zip(rows.keys, rows.headers, starts.tolist(), counts.tolist(), strict=True)
        ]
        for i in np.flatnonzero(counts > OPEN_LIMIT).tolist():
            out[i] = self._seal(rows.keys[i], rows.headers[i], entries[starts[i] : starts[i] + counts[i]])
        self.db.executemany(WRITE, out)

    def _seal(self, key: int, header: bytes, entries: Entries) -> tuple[int, bytes, bytes]:
        """Move the oldest entries of the most numerous kinds out, until the rest fits the open chunk."""
        kinds = entries["type"].astype(np.int64) * 2 + entries["direction"]
        left = np.bincount(kinds, minlength=2 * TYPES)
        places = {int(kind): np.flatnonzero(kinds == kind) for kind in np.flatnonzero(left)}
        counted = {(int(s["type"]), int(s["direction"])): s.copy() for s in np.frombuffer(header, SEALED)}
        kept = np.ones(len(entries), bool)
        total, chunks = len(entries), []
        while total > OPEN_LIMIT:
            kind = int(left.argmax())
            size = min(CHUNK, (int(left[kind]) + 1) // 2)
            begin = len(places[kind]) - int(left[kind])
            which = places[kind][begin : begin + size]
            kept[which] = False
            pair = kind // 2, kind % 2
            s = counted.setdefault(pair, np.array((*pair, 0, 0), SEALED)[()])
            chunks.append((key, *pair, int(s["next"]), entries[which].tobytes()))
            s["next"] += 1
            s["count"] += size
            left[kind] -= size
            total -= size
        self.db.executemany(SEAL, chunks)
        return key, _header(counted), entries[kept].tobytes()

    def remove(self, space: int, src: Numbers, dst: Numbers, type: npt.ArrayLike) -> None:
        """Take edges out and rewrite what held them. StoreCorrupt when one is not there."""
        self._change(space, _both_ends(checked(src), checked(dst), type, 0), lambda entries, found, _: entries[~found])

    def update(self, space: int, src: Numbers, dst: Numbers, type: npt.ArrayLike, weight: npt.ArrayLike) -> None:
        """Give edges that are there a new weight (zero is one). StoreCorrupt when one is not there."""

        def put(entries: Entries, found: npt.NDArray[np.bool_], wanted: Entries) -> Entries:
            entries = entries.copy()
            there = _entry_keys(np.zeros(len(entries), np.int64), entries)[found]
            keys = _entry_keys(np.zeros(len(wanted), np.int64), wanted)
            order = np.argsort(keys)
            entries["weight"][found] = wanted["weight"][order[np.searchsorted(keys, there, sorter=order)]]
            return entries

        self._change(space, _both_ends(checked(src), checked(dst), type, weight), put)

    def _change(self, space: int, ends: tuple[Numbers, Entries], apply: Change) -> None:
        nodes, wanted = ends
        if not len(nodes):
            return
        distinct, owner = np.unique(nodes, return_inverse=True)
        order = np.argsort(owner, kind="stable")
        wanted, stops = wanted[order], np.cumsum(np.bincount(owner)).tolist()
        rows = _Rows.read(self.db, node_keys(space, distinct))
        begin = 0
        for i, end in enumerate(stops):
            body = rows.entries[rows.starts[i] : rows.starts[i] + rows.counts[i]]
            self._change_node(rows.keys[i], rows.headers[i], body, wanted[begin:end], apply)
            begin = end

    def _change_node(
        self,
        key: int,
        header: bytes,
        body: Entries,
        wanted: Entries,
        apply: Change,
    ) -> None:
        found, missing = _find(body, wanted)
        changed = apply(body, found, wanted) if found.any() else body
        counted = {(int(s["type"]), int(s["direction"])): s.copy() for s in np.frombuffer(header, SEALED)}
        for pair in sorted({(int(e["type"]), int(e["direction"])) for e in missing}):
            mine = missing[(missing["type"] == pair[0]) & (missing["direction"] == pair[1])]
            for chunk, packed in self.db.execute(CHUNKS, (key, *pair)).fetchall() if pair in counted else ():
                old = np.frombuffer(packed, ENTRY)
                found, mine = _find(old, mine)
                if found.any():
                    new = apply(old, found, wanted)
                    counted[pair]["count"] -= len(old) - len(new)
                    self._put_chunk((key, *pair, chunk), new)
                if not len(mine):
                    break
            if len(mine):
                raise StoreCorrupt(
                    f"the adjacency of node {key & NUMBER_MASK} lacks an edge of type {pair[0]} "
                    f"to {int(mine['to'][0])}",
                    hint="rebuild the derived rows of the space",
                )
        self._put_open(key, counted, changed)

    def _put_chunk(self, where: tuple[int, int, int, int], entries: Entries) -> None:
        if len(entries):
            self.db.execute(REWRITE_CHUNK, (entries.tobytes(), *where))
        else:
            self.db.execute(DROP_CHUNK, where)

    def _put_open(self, key: int, counted: dict[tuple[int, int], Any], entries: Entries) -> None:
        """Write an open chunk after a change; sealed entries come back while it is less than half full."""
        for pair in sorted(counted):
            while len(entries) <= CHUNK and counted[pair]["count"]:
                chunk, packed = self.db.execute(CHUNKS + " LIMIT 1", (key, *pair)).fetchone()
                self.db.execute(DROP_CHUNK, (key, *pair, chunk))
                counted[pair]["count"] -= len(packed) // ENTRY.itemsize
                entries = np.concatenate([np.frombuffer(packed, ENTRY), entries])
        counted = {pair: s for pair, s in counted.items() if s["count"]}
        if len(entries) or counted:
            self.db.execute(WRITE, (key, _header(counted), entries.tobytes()))
        else:
            self.db.execute(DROP, (key,))

    def neighbours(
        self, space: int, frontier: Numbers, types: Sequence[int] = (), limit: int = OPEN_LIMIT
    ) -> Neighbours:
        """The newest edges of each frontier node, at most `limit` a node after the type filter (none asked: all).

        Costs one statement and at most 4 kB a node, however large the hub: what its open chunk no longer holds is
        left out and `cut` says so. Rows come by frontier position, within it oldest first.
        """
        distinct, at = np.unique(np.asarray(frontier, np.int64), return_inverse=True)
        rows = _Rows.read(self.db, node_keys(space, distinct))
        counts = rows.counts[at]
        row = np.repeat(np.arange(len(at)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = rows.entries[np.repeat(rows.starts[at], counts) + within]
        sealed = _sealed_counts(rows.headers)[at]
        degree = sealed + _tally(row, entries["type"], len(at))
        asked = np.zeros(256, bool)
        asked[list(types) if len(types) else slice(None)] = True
        if len(types):
            kept = asked[entries["type"]]
            row, entries = row[kept], entries[kept]
        counts = np.bincount(row, minlength=len(at))
        over = bool(len(counts)) and int(counts.max()) > limit
        if over:
            behind = np.repeat(np.cumsum(counts), counts) - np.arange(len(row))  # 1 is the newest of its node
            kept = behind <= limit
            row, entries = row[kept], entries[kept]
        return Neighbours(
            row=row,
            number=entries["to"].astype(np.int64),
            type=entries["type"].copy(),
            forward=entries["direction"] == FORWARD,
            weight=entries["weight"].astype(np.float32),
            degree=degree,
            cut=over or bool(sealed[:, asked[:TYPES]].any()),
        )

    def degree(self, space: int, frontier: Numbers) -> npt.NDArray[np.int64]:
        """(n, 64): edges of each node by type, both directions, sealed ones included."""
        return self.neighbours(space, frontier, (), 0).degree

    def clear(self, space: int) -> None:
        for statement in CLEAR:
            self.db.execute(statement, node_range(space))

    def check(self, space: int, src: Numbers, dst: Numbers, type: npt.ArrayLike, weight: npt.ArrayLike) -> list[str]:
        """Where the chunks differ from these edges, the truth (repeated triples: the highest weight)."""
        nodes, wanted = _both_ends(checked(src), checked(dst), type, weight)
        stored_nodes, stored, wrong = self._stored(space)
        a, b = _in_order(nodes, wanted), _in_order(stored_nodes, stored)
        repeats = np.zeros(len(a), bool)
        if len(a):
            repeats[:-1] = (a["edge"][:-1] == a["edge"][1:]) & (a["node"][:-1] == a["node"][1:])
        a = a[~repeats]
        if len(a) != len(b):
            wrong.append(f"adjacency: {len(b)} entries stored, {len(a)} edge ends in the truth")
        elif len(a) and not np.array_equal(a, b):
            bad = np.flatnonzero(a != b)
            wrong.append(f"adjacency: {len(bad)} entries differ, the first at node {int(a['node'][bad[0]])}")
        return wrong

    def _stored(self, space: int) -> tuple[Numbers, Entries, list[str]]:
        wrong: list[str] = []
        nodes: list[int] = []
        bodies: list[bytes] = []
        promised: dict[tuple[int, int, int], int] = {}
        for node, header, body in self.db.execute(READ_SPACE, node_range(space)):
            nodes.append(node & NUMBER_MASK)
            bodies.append(body)
            if len(body) > OPEN_LIMIT * ENTRY.itemsize:
                wrong.append(f"adjacency: the open chunk of node {node & NUMBER_MASK} is too large")
            for s in np.frombuffer(header, SEALED):
                promised[node, int(s["type"]), int(s["direction"])] = int(s["count"])
        for node, type, direction, body in self.db.execute(SEALED_SPACE, node_range(space)):
            nodes.append(node & NUMBER_MASK)
            bodies.append(body)
            key = (node, type, direction)
            promised[key] = promised.get(key, 0) - len(body) // ENTRY.itemsize
        wrong += [
            f"adjacency: node {node & NUMBER_MASK} counts {n:+d} sealed entries of type {type} too many"
            for (node, type, _), n in promised.items()
            if n
        ]
        counts = np.fromiter(map(len, bodies), np.int64, len(bodies)) // ENTRY.itemsize
        return np.repeat(np.array(nodes, np.int64), counts), np.frombuffer(b"".join(bodies), ENTRY), wrong


def _find(entries: Entries, wanted: Entries) -> tuple[npt.NDArray[np.bool_], Entries]:
    """Which entries of one node are wanted, and the wanted ones that are not among them."""
    have = _entry_keys(np.zeros(len(entries), np.int64), entries)
    keys = _entry_keys(np.zeros(len(wanted), np.int64), wanted)
    return np.isin(have, keys), wanted[~np.isin(keys, have)]


def _header(counted: dict[tuple[int, int], Any]) -> bytes:
    return b"".join(counted[pair].tobytes() for pair in sorted(counted))


def _tally(row: Numbers, type: npt.NDArray[np.uint8], n: int) -> npt.NDArray[np.int64]:
    return np.bincount(row * TYPES + type, minlength=n * TYPES).reshape(n, TYPES)


def _sealed_counts(headers: list[bytes]) -> npt.NDArray[np.int64]:
    """(n, 64): sealed entries by type. Most nodes have none, and only those that do are looked at."""
    counts = np.zeros((len(headers), TYPES), np.int64)
    for i, header in enumerate(headers):
        if header:
            sealed = np.frombuffer(header, SEALED)
            np.add.at(counts[i], sealed["type"], sealed["count"])
    return counts


IN_ORDER = np.dtype([("node", "<i8"), ("edge", "<u8"), ("weight", "<f2")])


def _in_order(nodes: Numbers, entries: Entries) -> Entries:
    """Entries with their node, by node, edge and weight: the same for the same content, however it is chunked."""
    edges = _entry_keys(np.zeros(len(entries), np.int64), entries)
    order = np.lexsort((entries["weight"], edges, nodes))
    out = np.empty(len(order), IN_ORDER)
    out["node"], out["edge"], out["weight"] = nodes[order], edges[order], entries["weight"][order]
    return out
