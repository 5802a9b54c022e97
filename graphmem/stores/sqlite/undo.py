"""Undo of a job: what it wrote is taken back, newest first, as one new commit. What came later is never overwritten:
when anything else builds on the job's objects, nothing is touched and Conflict says what."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphmem.errors import Conflict, NotFound
from graphmem.schema import Commit, EdgeType, Id, JobState, Node, Op, Space
from graphmem.stores.chain import Entry, Logged, unpack_edges
from graphmem.stores.edgekeys import Full, Key
from graphmem.stores.images import Image, from_image, image, kind_of, older_values, pack, unpack
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.sqlite import edges, heads, jobs, journal
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.ids import ids_of, look_up
from graphmem.stores.sqlite.journal import Counters
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.removal import delete_logged
from graphmem.stores.sqlite.rows import INSERT, TEXTS, load, row
from graphmem.stores.sqlite.scrub import DROP_ALIAS, SEEN_ELSEWHERE, naming, texts_of

STATE = "SELECT state FROM job WHERE space = ? AND id = ?"
COMMITS = "SELECT seq, first, nodes, body FROM commit_ WHERE space = ? AND job = ? ORDER BY seq DESC"
THERE = "SELECT n FROM node WHERE n >= ? AND n < ? ORDER BY n"
CHANGES = "SELECT n, id, op, before FROM change WHERE space = ? AND seq = ? ORDER BY n"
TOUCHED = "SELECT n, seq FROM change WHERE n IN (SELECT value FROM json_each(?))"
EDGE_CHANGES = """SELECT src, type, dst, start, stop, weight_q8, reason, op FROM edge_change
  WHERE space = ? AND seq = ?"""
LATER_EDGE_CHANGES = "SELECT seq, src, type, dst, start FROM edge_change WHERE space = ? AND seq > ?"
PASSAGES_IN = """SELECT n FROM passage WHERE source IN (SELECT value FROM json_each(?1))
  UNION SELECT n FROM passage WHERE section IN (SELECT value FROM json_each(?1))"""
NEW_ALIASES = "SELECT entity, folded FROM alias WHERE space = ? AND seq IN (SELECT value FROM json_each(?))"
PUT_ALIAS = "INSERT OR IGNORE INTO alias VALUES(?, ?, ?, ?, ?)"
STATES = "SELECT n, version, retired FROM node WHERE n IN (SELECT value FROM json_each(?))"
SET_NODE = "UPDATE node SET version = ?, retired = ? WHERE n = ?"
PUT_NODE = "INSERT INTO node VALUES(?, ?, ?, ?, ?, 0)"


@dataclass(slots=True)
class Past:
    """What the job did, as what must be again. `made`: keys of its nodes that are there. `before`: key to id, image
    fields to put back and whether it was deleted or retired. `edges`: each edge's old row; None: there was none."""

    seqs: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    first_seq: dict[int, int] = field(default_factory=dict)
    before: dict[int, tuple[Id, Image, set[Op]]] = field(default_factory=dict)
    edges: dict[Key, Full | None] = field(default_factory=dict)


def undo(db: sqlite3.Connection, derived: Derived, within: Space, counters: Counters, job: Id) -> Commit | None:
    """None when the job wrote nothing, or is undone already."""
    space = within.number
    state = db.execute(STATE, (space, job)).fetchone()
    past = read(db, space, job)
    if state is None and not past.seqs:
        raise NotFound(f"no job {job}", hint="`graphmem jobs list` shows them")
    if not past.seqs or (state and state[0] == JobState.UNDONE.value):
        return None
    refuse_what_is_built_on(db, space, past)
    seq = counters.seq + 1
    now = load(db, sorted(past.before))
    for n in [n for n, (_, fields, _) in past.before.items() if n not in now and not fields]:
        del past.before[n]  # erased since: there is nothing to put back
    removed, gone = delete_logged(db, derived, space, sorted(past.made))
    logged = put_back(db, space, past, now)
    changes = put_edges_back(db, derived, space, seq, past)
    changes += drop_aliases(db, space, past)
    returned = [n for n, (_, _, ops) in past.before.items() if ops & {Op.DELETE, Op.RETIRE}]
    derived.bring_back(space, returned)
    heads.renew(db, sorted(past.before))
    changes += edges.log(db, space, seq, Op.DELETE, gone)
    everything = sorted([*logged, *removed])
    if state:
        jobs.close_job(db, space, job, JobState.UNDONE)
    entry = Entry(None, "user", f"undo {job}", counters.next, b"", [], everything, changes + len(everything))
    return journal.put(db, space, within.name, counters, entry)


def read(db: sqlite3.Connection, space: int, job: Id) -> Past:
    """The job's commits, newest first, so that the oldest values win."""
    past, base, ranges = Past(), space << SPACE_BITS, list[range]()
    for seq, first, nodes, body in db.execute(COMMITS, (space, job)).fetchall():
        past.seqs.add(seq)
        ranges.append(range(base + first, base + first + nodes))
        there = [n for (n,) in db.execute(THERE, (base + first, base + first + nodes))]
        past.made.update(there)
        past.first_seq.update(dict.fromkeys(there, seq))
        for n, raw, op, before in db.execute(CHANGES, (space, seq)):
            _, fields, ops = past.before.get(n, ("", {}, set[Op]()))
            older = unpack(before) if before is not None else {}
            past.before[n] = (raw.hex(), {**fields, **older}, ops | {Op(op)})
            past.first_seq[n] = seq
        past.edges.update(dict.fromkeys(unpack_edges(space, body)))
        for *full, _ in db.execute(EDGE_CHANGES, (space, seq)):
            past.edges[full[0], full[1], full[2], full[3]] = (*full,)
    for n in [n for n in past.before if any(n in numbers for numbers in ranges)]:
        del past.before[n]  # the job made it: it goes as a whole, or is gone already
    return past


def refuse_what_is_built_on(db: sqlite3.Connection, space: int, past: Past) -> None:
    touched = sorted(past.first_seq)
    for n, seq in db.execute(TOUCHED, (listed(touched),)):
        if seq not in past.seqs and seq > past.first_seq[n]:
            raise _built_on(db, n, f"commit {seq} changed it")
    made = sorted(past.made)
    for full in edges.incident(db, made):
        if full[:4] not in past.edges:
            n = full[0] if full[0] in past.made else full[2]
            raise _built_on(db, n, "an edge was added to it later")
    for (n,) in db.execute(PASSAGES_IN, (listed(made),)):
        if n not in past.made:
            raise _built_on(db, n, "it was added later to a source of the job")
    for seq, *at in db.execute(LATER_EDGE_CHANGES, (space, min(past.seqs))):
        if seq not in past.seqs and tuple(at) in past.edges:
            raise _built_on(db, at[0], f"commit {seq} changed an edge of it")


def _built_on(db: sqlite3.Connection, n: int, why: str) -> Conflict:
    id = ids_of(db, [n]).get(n, f"number {n & NUMBER_MASK}")
    return Conflict(f"the job cannot be undone: node {id}: {why}", hint="undo what came later first")


def put_back(db: sqlite3.Connection, space: int, past: Past, now: Mapping[int, Node]) -> list[Logged]:
    """Rows with their old values; nodes that were deleted, under their old numbers. `now`: what is there of them."""
    keys = sorted(past.before)
    states = {n: (version, retired) for n, version, retired in db.execute(STATES, (listed(keys),))}
    images = {n: {**(image(now[n]) if n in now else {}), **past.before[n][1]} for n in keys}
    texts, at = _named(db, space, list(images.values()))
    logged: list[Logged] = []
    for n in keys:
        id, _, ops = past.before[n]
        fields = dict(images[n])
        names, version = fields.pop("aliases", ()), fields.pop("version", 0)
        kind = KIND_OF[type(now[n])] if n in now else kind_of(fields)
        node = from_image(kind, id, fields, texts, 0)
        at[id] = n
        db.execute(INSERT[kind], row(node, n, at.__getitem__))
        raw = bytes.fromhex(id)
        if n in now:
            version, retired = states[n]
            db.execute(SET_NODE, (version + 1, 0 if Op.RETIRE in ops else retired, n))
            old: dict[str, Any] = older_values(image(now[n]), fields)
            logged.append((n, raw, Op.UPDATE, pack(old | ({"retired": True} if Op.RETIRE in ops else {}))))
        else:
            db.execute(PUT_NODE, (n, space, raw, int(kind), version + 1))
            db.executemany(PUT_ALIAS, [(space, folded, n, passage, seq) for folded, passage, seq in names])
            logged.append((n, raw, Op.INSERT, None))
    return logged


def _named(db: sqlite3.Connection, space: int, images: Sequence[Image]) -> tuple[dict[Id, str], dict[Id, int]]:
    """Texts of the passages that these images quote, and keys of all nodes that they name."""
    ids: set[Id] = set()
    for fields in images:
        ids.update(span[0] for span in fields.get("spans", ()))
        ids.update(fields.get("parents", ()))
        ids.update(member[1] for member in fields.get("members", ()))
        ids.update(fields[name] for name in ("source", "section") if fields.get(name))
    at = {id: found.n for id, found in look_up(db, space, sorted(ids)).items()}
    texts = dict(db.execute(TEXTS, (listed(sorted(at.values())),)).fetchall())
    return {id: texts[n] for id, n in at.items() if n in texts}, at


def put_edges_back(db: sqlite3.Connection, derived: Derived, space: int, seq: int, past: Past) -> int:
    """Edges between nodes that stay, as they were before the job. How many changes that is."""
    wanted = {at: old for at, old in past.edges.items() if at[0] not in past.made and at[2] not in past.made}
    ends = sorted({n for at in wanted for n in (at[0], at[2])})
    there = {full[:4]: full for full in edges.incident(db, ends) if full[:4] in wanted}
    gone = [there[at] for at, old in wanted.items() if old is None and at in there]
    known = ids_of(db, ends)
    back = [old for at, old in wanted.items() if old is not None and at[0] in known and at[2] in known]
    changes = edges.log(db, space, seq, Op.DELETE, gone)
    changes += edges.log(db, space, seq, Op.UPDATE, [there[full[:4]] for full in back if full[:4] in there])
    changes += edges.log(db, space, seq, Op.INSERT, [full for full in back if full[:4] not in there])
    edges.remove(db, derived.adjacency, space, gone)
    edges.restore(db, derived.adjacency, space, back)
    heads.renew_with_notes(db, (row[0] for row in (*gone, *back) if row[1] == EdgeType.SPEAKER))
    return changes


def drop_aliases(db: sqlite3.Connection, space: int, past: Past) -> int:
    """The job's names for entities that stay, unless what came later spells them too."""
    rows = db.execute(NEW_ALIASES, (space, listed(sorted(past.seqs)))).fetchall()
    stay = [(entity, folded) for entity, folded in rows if entity not in past.made]
    spelled = {entity: texts_of(db, naming(db, entity, past.made)) for entity, _ in stay}
    dropped = 0
    for entity, folded in stay:
        where = next((n for n, text in spelled[entity] if folded in text), None)
        if where is None:
            db.execute(DROP_ALIAS, (space, folded, entity))
            dropped += 1
        else:
            db.execute(SEEN_ELSEWHERE, (where, space, folded, entity))
    return dropped
