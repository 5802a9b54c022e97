"""Edges as packed arrays at both their ends, so that a hop over 256 nodes is one statement and no loop over edges.

A node has one open chunk: its newest entries, at most 512, in order of arrival. When it overflows, the oldest entries
of its most numerous (type, direction) are sealed into chunks of that kind, so that a hub's rare edges (NEXT, TITLE)
stay where a hop sees them. A hop reads open chunks only; the header counts what is sealed, so degree is always exact.
An edge is the triple (src, dst, type). Every method works inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.errors import StoreCorrupt
from graphmem.stores.base import Neighbours, Numbers
from graphmem.stores.keys import NUMBER_MASK, checked, node_keys, node_range
from graphmem.stores.sqlite.keys import listed

FORMAT = 1
OPEN_LIMIT = 512  # entries: 4 kB, about half a page
CHUNK = 256
TYPES = 64
FORWARD, BACKWARD = 0, 1

ENTRY = np.dtype([("to", "<u4"), ("weight", "<f2"), ("type", "u1"), ("direction", "u1")])
SEALED = np.dtype([("type", "u1"), ("direction", "u1"), ("next", "<u2"), ("count", "<u4")])
Entries = npt.NDArray[Any]
Keys = npt.NDArray[np.uint64]
OWNER, KIND = np.uint64(41), np.uint64(0x1FF)  # a key's parts: owner << 41 | to << 9 | type << 1 | direction

READ = "SELECT node, sealed, body FROM json_each(?) asked CROSS JOIN adjacency ON node = asked.value"
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
    """(owner, to, type, direction) in 23, 32, 8 and 1 bits: one sort finds equals. A batch has < 8 million nodes."""
    kind = entries["type"].astype(np.uint64) << np.uint64(1) | entries["direction"].astype(np.uint64)
    keys: Keys = owner.astype(np.uint64) << OWNER | entries["to"].astype(np.uint64) << np.uint64(9) | kind
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


@dataclass(slots=True)
class _Change:
    """Entries to take out or to give another weight, by their keys in ascending order."""

    keys: Keys
    weights: npt.NDArray[np.float16]
    drop: bool

    @classmethod
    def of(cls, owner: Numbers, wanted: Entries, drop: bool) -> _Change:
        keys, first = np.unique(_entry_keys(owner, wanted), return_index=True)
        return cls(keys, wanted["weight"][first], drop)

    def only(self, keys: Keys) -> _Change:
        """The part of it that these keys name."""
        return _Change(keys, self.weights[np.searchsorted(self.keys, keys)], self.drop)

    def applied(self, owner: Numbers, entries: Entries) -> tuple[Numbers, Entries, Keys]:
        """What becomes of these entries, and the keys of the wanted ones that are not among them."""
        keys = _entry_keys(owner, entries)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found = self.keys[at] == keys
        absent = np.ones(len(self.keys), bool)
        absent[at[found]] = False
        if self.drop:
            return owner[~found], entries[~found], self.keys[absent]
        entries = entries.copy()
        entries["weight"][found] = self.weights[at[found]]
        return owner, entries, self.keys[absent]


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
        counted = _counted(header)
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
        self._change(space, *_both_ends(checked(src), checked(dst), type, 0), drop=True)

    def update(self, space: int, src: Numbers, dst: Numbers, type: npt.ArrayLike, weight: npt.ArrayLike) -> None:
        """Give edges that are there a new weight (zero is one). StoreCorrupt when one is not there."""
        self._change(space, *_both_ends(checked(src), checked(dst), type, weight), drop=False)

    def _change(self, space: int, nodes: Numbers, wanted: Entries, *, drop: bool) -> None:
        if not len(nodes):
            return
        distinct, owner = np.unique(nodes, return_inverse=True)
        change = _Change.of(owner, wanted, drop)
        rows = _Rows.read(self.db, node_keys(space, distinct))
        owner, entries, missing = change.applied(rows.owner(), rows.entries)
        counts = np.bincount(owner, minlength=len(distinct))
        starts, packed, size = np.cumsum(counts) - counts, entries.tobytes(), ENTRY.itemsize
        lacking = missing >> OWNER
        hubs = {i for i, header in enumerate(rows.headers) if header} | set(lacking.tolist())
        kept, empty = [], []
        for i, (key, first, n) in enumerate(zip(rows.keys, starts.tolist(), counts.tolist(), strict=True)):
            if i in hubs:
                self._change_hub(rows, i, entries[first : first + n], missing[lacking == i], change)
            elif n:
                kept.append((key, b"", packed[first * size : (first + n) * size]))
            else:
                empty.append((key,))
        self.db.executemany(WRITE, kept)
        self.db.executemany(DROP, empty)

    def _change_hub(self, rows: _Rows, i: int, entries: Entries, missing: Keys, change: _Change) -> None:
        """Change what the sealed chunks of one node hold, newest first, and write its open chunk."""
        key = rows.keys[i]
        counted = _counted(rows.headers[i])
        for kind in np.unique(missing & KIND).tolist():
            pair, left = (kind >> 1, kind & 1), missing[missing & KIND == kind]
            for chunk, packed in self.db.execute(CHUNKS, (key, *pair)).fetchall() if pair in counted else ():
                old = np.frombuffer(packed, ENTRY)
                owner, new, still = change.only(left).applied(np.full(len(old), i), old)
                if len(still) < len(left):
                    counted[pair]["count"] -= len(old) - len(owner)
                    self._put_chunk((key, *pair, chunk), new)
                left = still
                if not len(left):
                    break
            if len(left):
                raise StoreCorrupt(
                    f"the adjacency of node {key & NUMBER_MASK} lacks an edge of type {pair[0]} "
                    f"to {int(left[0] >> np.uint64(9)) & 0xFFFFFFFF}",
                    hint="rebuild the derived rows of the space",
                )
        self._put_open(key, counted, entries)

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


def _counted(header: bytes) -> dict[tuple[int, int], Any]:
    return {(int(s["type"]), int(s["direction"])): s.copy() for s in np.frombuffer(header, SEALED)}


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
