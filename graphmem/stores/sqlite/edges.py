"""Edges of a batch: those it names and those that its nodes imply (FROM their spans, DERIVED from their parents, roles
of their members), each once, entered in the truth and at both ends of the adjacency."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.schema import ONE_Q8, Op
from graphmem.stores.edgekeys import NO_START, Full, Key, Value
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.sqlite.adjacency import Adjacency
from graphmem.stores.sqlite.keys import listed

INSERT = "INSERT INTO edge VALUES(?, ?, ?, ?, ?, ?, ?)"
UPDATE = """UPDATE edge SET stop = ?, weight_q8 = ?, reason = ? WHERE src = ? AND type = ? AND dst = ?
  AND start = ?"""
SAME_ENDS = """SELECT src, edge.type, dst, start, stop, weight_q8, reason FROM json_each(?) AS ends
  CROSS JOIN edge ON src = ends.value ->> 0 AND edge.type = ends.value ->> 1 AND dst = ends.value ->> 2"""
DROP = "DELETE FROM edge WHERE src = ? AND type = ? AND dst = ? AND start = ?"
INCIDENT = """SELECT src, type, dst, start, stop, weight_q8, reason FROM edge
    WHERE src IN (SELECT value FROM json_each(?1))
  UNION SELECT src, type, dst, start, stop, weight_q8, reason FROM edge
    WHERE dst IN (SELECT value FROM json_each(?1)) ORDER BY 1, 2, 3, 4"""
LOG = "INSERT OR IGNORE INTO edge_change VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Arrays = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]  # src, dst, type, weight


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it: keys of new edges, and the old rows of those that gained weight."""

    new: list[Key]
    heavier: list[Full]


def write(db: sqlite3.Connection, adjacency: Adjacency, space: int, edges: dict[Key, Value], first_new: int) -> Written:
    """Enters edges. Only those between nodes from before this batch (keys under `first_new`) can be there already."""
    maybe = [at for at in edges if at[0] < first_new and at[2] < first_new]
    stored = _stored(db, maybe)
    new = {at: value for at, value in edges.items() if at not in stored} if stored else edges
    heavier = [at for at, row in stored.items() if at in edges and edges[at][1] > row[5]]
    ordered = sorted(new)
    db.executemany(INSERT, [(*at, *new[at]) for at in ordered])
    db.executemany(UPDATE, [edges[at] + at for at in heavier])
    ends = {at[:3]: row[5] for at, row in sorted(stored.items(), key=lambda pair: pair[1][5])}
    _connect(adjacency, space, [(at, value[1]) for at, value in new.items()], ends)
    raised = [(at, edges[at][1]) for at in heavier if edges[at][1] > ends[at[:3]]]
    _reweigh(adjacency, space, raised)
    return Written(ordered, [stored[at] for at in heavier])


def _stored(db: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, Full]:
    """Edges between the same ends and of the same type as these, whatever their start."""
    if not keys:
        return {}
    ends = json.dumps(list(dict.fromkeys(key[:3] for key in keys)))
    return {row[:4]: row for row in db.execute(SAME_ENDS, (ends,))}


def _connect(
    adjacency: Adjacency, space: int, new: list[tuple[Key, int]], ends: dict[tuple[int, int, int], int]
) -> None:
    """The adjacency has one entry for all edges of a type between two nodes, with their highest weight."""
    fresh = [pair for pair in new if pair[0][:3] not in ends] if ends else new
    if fresh:
        adjacency.add(space, *_arrays(fresh))
    _reweigh(adjacency, space, [(at, weight) for at, weight in new if weight > ends.get(at[:3], weight)])


def _reweigh(adjacency: Adjacency, space: int, changed: list[tuple[Key, int]]) -> None:
    best: dict[tuple[int, int, int], tuple[Key, int]] = {}
    for at, weight in changed:
        if at[:3] not in best or weight > best[at[:3]][1]:
            best[at[:3]] = (at, weight)
    if best:
        adjacency.update(space, *_arrays(list(best.values())))


def _arrays(edges: Sequence[tuple[Key, int]]) -> Arrays:
    src, type, dst, _ = np.array([at for at, _ in edges], np.int64).T
    weight = np.array([weight for _, weight in edges], np.float32) / ONE_Q8
    return src & NUMBER_MASK, dst & NUMBER_MASK, type.astype(np.uint8), weight


def incident(db: sqlite3.Connection, keys: Sequence[int]) -> list[Full]:
    """All edges with an end among these nodes."""
    return db.execute(INCIDENT, (listed(list(keys)),)).fetchall()


def remove(db: sqlite3.Connection, adjacency: Adjacency, space: int, gone: Sequence[Full]) -> None:
    """Takes edges out of truth and adjacency; one that shares its ends and type with another that stays keeps its
    entry there, with the weight of what stays."""
    db.executemany(DROP, [row[:4] for row in gone])
    left: dict[tuple[int, int, int], int] = {}
    for at, row in _stored(db, [row[:4] for row in gone]).items():
        left[at[:3]] = max(row[5], left.get(at[:3], 0))
    dropped = list({row[:3]: (row[:4], row[5]) for row in gone if row[:3] not in left}.values())
    if dropped:
        src, dst, type, _ = _arrays(dropped)
        adjacency.remove(space, src, dst, type)
    kept = [((*ends, NO_START), weight) for ends, weight in left.items()]
    if kept:
        adjacency.update(space, *_arrays(kept))


def restore(db: sqlite3.Connection, adjacency: Adjacency, space: int, rows: Sequence[Full]) -> None:
    """Puts rows back as they were, whether they are gone or only changed."""
    there = _stored(db, [row[:4] for row in rows])
    changed = [row for row in rows if row[:4] in there]
    remove(db, adjacency, space, [there[row[:4]] for row in changed])
    write(db, adjacency, space, {row[:4]: row[4:] for row in rows}, 1 << 62)


def log(db: sqlite3.Connection, space: int, seq: int, op: Op, rows: Iterable[Full]) -> int:
    """Journals old rows of edges; how many."""
    logged = [(space, seq, *row[:4], op.value, *row[4:]) for row in rows]
    db.executemany(LOG, logged)
    return len(logged)
