"""Forgetting: what is named and all that stems from it leaves every row, the journal and every byte of the files.

What stays of it: a tombstone with a random id and counts, and commits that still verify (their commitments are salted,
the salts are dropped).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from graphmem.errors import NotFound
from graphmem.schema import ForgetReport, Id, NodeKind, Space
from graphmem.stores.canonical import as_json
from graphmem.stores.chain import Entry
from graphmem.stores.keys import SPACE_BITS, node_range
from graphmem.stores.sqlite import journal, scrub
from graphmem.stores.sqlite.closure import past_deletes, reached
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.ids import ids_of, look_up, packed
from graphmem.stores.sqlite.journal import Counters
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.removal import remove

KINDS = "SELECT kind, count(*) FROM node WHERE n IN (SELECT value FROM json_each(?)) GROUP BY kind"
DELETED = "SELECT n FROM change WHERE space = ? AND id = ?"
COMMITS = "SELECT seq, first, nodes, job FROM commit_ WHERE space = ? ORDER BY first"
CHANGED_IN = "SELECT DISTINCT seq FROM change WHERE n IN (SELECT value FROM json_each(?))"
NULL_BEFORES = """UPDATE change SET before = NULL, id = randomblob(16) WHERE n IN (SELECT value FROM json_each(?))"""
DROP_EDGE_CHANGES = """DELETE FROM edge_change WHERE src IN (SELECT value FROM json_each(?1))
  OR dst IN (SELECT value FROM json_each(?1))"""
EDGE_CHANGED_IN = """SELECT DISTINCT seq FROM edge_change WHERE src IN (SELECT value FROM json_each(?1))
  OR dst IN (SELECT value FROM json_each(?1))"""
DROP_SALTS = "UPDATE commit_ SET salt = NULL WHERE space = ? AND seq IN (SELECT value FROM json_each(?))"
PUT_TOMBSTONE = "INSERT INTO tombstone VALUES(?, ?, ?, ?, ?)"
BY_NODE = tuple(
    f"DELETE FROM {table} WHERE n BETWEEN ? AND ?"
    for table in "node source section passage note entity hyperedge head shelf usage".split()
)
BY_SPACE = tuple(
    f"DELETE FROM {table} WHERE space = ?"
    for table in "alias commit_ change edge_change job item refusal tombstone".split()
)
DROP_EDGES = "DELETE FROM edge WHERE src BETWEEN ? AND ?"
STILL_THERE = "erased bytes stay in the files until the store is next opened for writing"

DROP_SPACE = "DELETE FROM space WHERE number = ?"


def forget(db: sqlite3.Connection, derived: Derived, space: Space, ids: Sequence[Id], actor: str) -> ForgetReport:
    """Within one transaction. NotFound when an id is neither there nor in the journal; then nothing is erased."""
    number = space.number
    counters = Counters.of(db, number, space.name)
    live, past = _named(db, number, ids)
    gone = reached(db, live)
    names = ids_of(db, sorted(gone))
    past |= past_deletes(db, number, {*names.values(), *ids}, gone)
    counts = _counts(db, gone, past)
    text = scrub.Text.of(db, number, gone)
    seqs, jobs = _commits_of(db, number, gone | past)
    counts["edges"] = len(remove(db, derived, number, sorted(gone)))
    changed = text.scrub(db, jobs)
    everything = listed(sorted(gone | past | changed))
    seqs |= {seq for (seq,) in db.execute(CHANGED_IN, (everything,))}
    seqs |= {seq for (seq,) in db.execute(EDGE_CHANGED_IN, (listed(sorted(gone)),))}
    db.execute(NULL_BEFORES, (everything,))
    db.execute(DROP_EDGE_CHANGES, (listed(sorted(gone)),))
    db.execute(DROP_SALTS, (number, listed(sorted(seqs))))
    tombstone = _tombstone(db, number, actor, counts)
    entry = Entry(None, actor, "forget", counters.next, b"", [], [], sum(counts.values()))
    journal.put(db, number, space.name, counters, entry)
    return ForgetReport(tombstone, counts)


def _named(db: sqlite3.Connection, space: int, ids: Sequence[Id]) -> tuple[list[int], set[int]]:
    found = look_up(db, space, ids)
    past: set[int] = set()
    for id in ids:
        if id not in found:
            deleted = {n for (n,) in db.execute(DELETED, (space, packed([id])))}
            if not deleted:
                raise NotFound(f"no node {id} to forget", hint="it may be forgotten already")
            past |= deleted
    return [stored.n for stored in found.values()], past


def _counts(db: sqlite3.Connection, gone: set[int], past: set[int]) -> dict[str, int]:
    counts = Counter[str]()
    for kind, count in db.execute(KINDS, (listed(sorted(gone)),)):
        counts[NodeKind(kind).name.lower()] += count
    if past - gone:
        counts["journaled"] = len(past - gone)
    return dict(counts)


def _commits_of(db: sqlite3.Connection, space: int, keys: set[int]) -> tuple[set[int], set[Id]]:
    """Commits that made these nodes, and their jobs."""
    base, seqs, jobs = space << SPACE_BITS, set[int](), set[Id]()
    numbers = sorted(keys)
    for seq, first, nodes, job in db.execute(COMMITS, (space,)):
        at = bisect_left(numbers, base + first)
        if at < len(numbers) and numbers[at] < base + first + nodes:
            seqs.add(seq)
            if job is not None:
                jobs.add(job)
    return seqs, jobs


def _tombstone(db: sqlite3.Connection, space: int, actor: str, counts: dict[str, int]) -> Id:
    id = secrets.token_hex(16)
    db.execute(PUT_TOMBSTONE, (id, space, time.time_ns() // 1000, actor, as_json(counts)))
    return id


def forget_space(db: sqlite3.Connection, derived: Derived, space: Space) -> ForgetReport:
    """All of a space, its key included: what ids anyone noted can no longer be traced to their texts."""
    number = space.number
    Counters.of(db, number, space.name)
    keys = {n for (n,) in db.execute("SELECT n FROM node WHERE n BETWEEN ? AND ?", node_range(number))}
    counts = _counts(db, keys, set())
    for part in (derived.postings, derived.codes, derived.tokens, derived.adjacency):
        part.clear(number)
    counts["edges"] = db.execute(DROP_EDGES, node_range(number)).rowcount
    for statement in BY_NODE:
        db.execute(statement, node_range(number))
    for statement in BY_SPACE:
        db.execute(statement, (number,))
    db.execute(DROP_SPACE, (number,))
    return ForgetReport(_tombstone(db, number, "user", counts), counts)


def wipe(db: sqlite3.Connection) -> tuple[str, ...]:
    """Writes the file anew from what lives and folds the log in. secure_delete zeroes what is deleted, but pages that
    were split keep stale copies of moved rows: only the rewrite is sure. Remarks: what a reader still holds back."""
    db.execute("PRAGMA temp_store=FILE")  # the rewrite goes over a file, not through memory
    try:
        db.execute("VACUUM")
    finally:
        db.execute("PRAGMA temp_store=MEMORY")
    busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        return (f"a reader holds an older snapshot: {STILL_THERE}",)
    return ()
