"""Heads: the fixed-size part of each live node as one packed row, so that recall reads 400 of them in 0.3 ms.

A note and a hyperedge carry what their first passage has; a node without a row is unknown, deleted or retired.
Derived: made from the rows of the truth, and compared with them by a check.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from graphmem.schema import EdgeType, NodeKind
from graphmem.stores.base import NO_TIME, Heads, Numbers
from graphmem.stores.headrows import HEAD, HeadRows, blank, columns
from graphmem.stores.keys import NUMBER_MASK, node_keys, node_range
from graphmem.stores.sqlite.keys import listed

FORMAT = 1

# In the order asked, repeats too: where all are there, rows and numbers are aligned as they come.
GET = "SELECT n, body FROM json_each(?) asked CROSS JOIN head ON n = asked.value"
PUT = "INSERT INTO head VALUES(?, ?) ON CONFLICT(n) DO UPDATE SET body = excluded.body"
DROP = "DELETE FROM head WHERE n IN (SELECT value FROM json_each(?))"
ALL = "SELECT n, body FROM head WHERE n BETWEEN ? AND ? ORDER BY n"
CLEAR = "DELETE FROM head WHERE n BETWEEN ? AND ?"
LIVE = "SELECT n FROM node WHERE n BETWEEN ? AND ? AND NOT retired ORDER BY n"
LIVE_KINDS = "SELECT n, kind FROM node WHERE n IN (SELECT value FROM json_each(?)) AND NOT retired ORDER BY n"
PASSAGES = f"""SELECT p.n, p.source, coalesce(p.section, 0), p.ordinal, coalesce(p.at_us, {NO_TIME}), p.form,
  coalesce((SELECT min(dst) FROM edge WHERE src = p.n AND type = {int(EdgeType.SPEAKER)}), 0)
  FROM passage p WHERE p.n IN (SELECT value FROM json_each(?))"""
QUOTING = f"SELECT src FROM edge WHERE dst IN (SELECT value FROM json_each(?)) AND type = {int(EdgeType.FROM)}"
FIRST_SPANS = """SELECT n, substr(spans, 1, 4) FROM note WHERE n IN (SELECT value FROM json_each(?1))
  UNION ALL SELECT n, substr(spans, 1, 4) FROM hyperedge WHERE n IN (SELECT value FROM json_each(?1))"""


def put(db: sqlite3.Connection, keys: Sequence[int], rows: HeadRows) -> None:
    body, size = rows.tobytes(), HEAD.itemsize
    db.executemany(PUT, ((n, body[i * size : (i + 1) * size]) for i, n in enumerate(keys)))


def drop(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    db.execute(DROP, (listed(list(keys)),))


def read(db: sqlite3.Connection, space: int, numbers: Numbers) -> Heads:
    """Columns aligned with the numbers, in any order, repeats allowed."""
    numbers = np.asarray(numbers, np.int64)
    found = db.execute(GET, (listed(node_keys(space, numbers)),)).fetchall()
    bodies = np.frombuffer(b"".join([row[1] for row in found]), HEAD)
    if len(found) == len(numbers):
        return columns(numbers, bodies)
    rows = blank(len(numbers))
    there = np.isin(numbers, np.fromiter((row[0] for row in found), np.int64, len(found)) & NUMBER_MASK)
    rows[there] = bodies
    return columns(numbers, rows)


def of_truth(db: sqlite3.Connection, keys: Sequence[int]) -> tuple[list[int], HeadRows]:
    """The heads that live nodes among these keys should have, ascending by key. Four statements."""
    live = db.execute(LIVE_KINDS, (listed(list(keys)),)).fetchall()
    ns = [n for n, _ in live]
    first = {
        n: int.from_bytes(raw or b"", "little") | (n & ~NUMBER_MASK)
        for n, raw in db.execute(FIRST_SPANS, (listed(ns),))
    }
    owner = {n: first.get(n, 0) if kind in (NodeKind.NOTE, NodeKind.HYPEREDGE) else n for n, kind in live}
    passages = {row[0]: row for row in db.execute(PASSAGES, (listed(sorted(set(owner.values()))),))}
    rows = blank(len(live))
    for i, (n, kind) in enumerate(live):
        row = passages.get(owner[n])
        if row is None:
            rows[i]["kind"] = kind
            continue
        p, source, section, ordinal, at_us, form, speaker = row
        numbers = (p & NUMBER_MASK, source & NUMBER_MASK, section & NUMBER_MASK, speaker & NUMBER_MASK)
        rows[i] = (kind, form, *numbers, ordinal, at_us)
    return ns, rows


def renew(db: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Writes the heads of these nodes anew; those that are no longer live lose theirs."""
    drop(db, keys)
    put(db, *of_truth(db, keys))


def renew_with_notes(db: sqlite3.Connection, passages: Iterable[int]) -> None:
    """Likewise these passages' heads and those of what quotes them: the speaker of a passage stands in all of them."""
    keys = sorted(set(passages))
    if keys:
        quoting = {n for (n,) in db.execute(QUOTING, (listed(keys),))}
        renew(db, sorted(quoting.union(keys)))


def rebuild(db: sqlite3.Connection, space: int) -> None:
    db.execute(CLEAR, node_range(space))
    live = [n for (n,) in db.execute(LIVE, node_range(space))]
    for start in range(0, len(live), 4096):
        put(db, *of_truth(db, live[start : start + 4096]))


def check(db: sqlite3.Connection, space: int) -> list[str]:
    live = [n for (n,) in db.execute(LIVE, node_range(space))]
    stored: dict[int, bytes] = dict(db.execute(ALL, node_range(space)).fetchall())
    wrong = 0
    for start in range(0, len(live), 4096):
        keys, rows = of_truth(db, live[start : start + 4096])
        wrong += sum(stored.pop(n, b"") != row.tobytes() for n, row in zip(keys, rows, strict=True))
    said = [f"heads: {wrong} differ from their rows"] if wrong else []
    return [*said, f"heads: {len(stored)} are of no live node"] if stored else said
