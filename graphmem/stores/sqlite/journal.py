"""The journal: commits in a chain, and what each did, told again from ids and old values.

New nodes of a commit are one range of numbers and new edges packed arrays (18 bytes a note with four links, where
before- and after-images would take 175 to 805); the content stands in the tables. Updates keep the old values of the
fields that changed; a full before-image is put together from them and the row, going back in time.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.errors import NotFound
from graphmem.schema import Change, Commit, Id, Op
from graphmem.stores.chain import Entry, breaks, commitment, link, pack_edges, unpack_edges
from graphmem.stores.edgekeys import NO_START, Key, edge_id
from graphmem.stores.images import Image, image, unpack
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS
from graphmem.stores.sqlite.ids import ids_of, look_up, packed
from graphmem.stores.sqlite.rows import load

SPACE = "SELECT seq, next, chain FROM space WHERE number = ?"
ADVANCE = "UPDATE space SET seq = ?, next = ?, chain = ? WHERE number = ?"
PUT_COMMIT = "INSERT INTO commit_ VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PUT_CHANGE = "INSERT INTO change VALUES(?, ?, ?, ?, ?, ?)"
COMMITS = """SELECT seq, job, actor, at_us, cause, changes, chain FROM commit_ WHERE space = ? AND seq > ?
  ORDER BY seq LIMIT ?"""
COMMIT = "SELECT seq, job, actor, at_us, cause, changes, chain FROM commit_ WHERE space = ? AND seq = ?"
BODY = "SELECT first, nodes, body FROM commit_ WHERE space = ? AND seq = ?"
MADE = """SELECT seq, first, nodes FROM commit_ WHERE space = ? AND first <= ? AND nodes > 0
  ORDER BY first DESC LIMIT 1"""
CHANGES = "SELECT n, id, op, before FROM change WHERE space = ? AND seq = ? ORDER BY n"
CHANGES_OF = "SELECT seq, n, op, before FROM change WHERE space = ? AND id = ? ORDER BY seq"
EDGE_CHANGES = """SELECT src, type, dst, start, op, stop, weight_q8, reason FROM edge_change
  WHERE space = ? AND seq = ? ORDER BY src, type, dst, start"""
NEW_ALIASES = "SELECT folded, entity FROM alias WHERE space = ? AND seq = ? ORDER BY folded, entity"
CHAIN = """SELECT seq, job, actor, cause, at_us, changes, first, nodes, body, salt, commitment, chain FROM commit_
  WHERE space = ? ORDER BY seq"""
MADE_IDS = "SELECT id FROM node WHERE n >= ? AND n < ? ORDER BY n"


@dataclass(slots=True)
class Counters:
    """The space's row: the last commit, the next number, the chain so far."""

    seq: int
    next: int
    chain: bytes

    @classmethod
    def of(cls, db: sqlite3.Connection, space: int, name: str) -> Counters:
        row = db.execute(SPACE, (space,)).fetchone()
        if row is None:
            raise NotFound(f"no space {name!r} in this store", hint="it was erased; open it again")
        return cls(*row)


def put(db: sqlite3.Connection, space: int, name: str, counters: Counters, entry: Entry) -> Commit:
    """Writes the commit, its changes and the space's counters."""
    seq, nodes = counters.seq + 1, len(entry.made) // 16
    at_us = time.time_ns() // 1000 if entry.at_us is None else entry.at_us
    body, salt = pack_edges(entry.edges), secrets.token_bytes(16)
    sealed = commitment(salt, entry.made, body, [(id, op.value, before) for _, id, op, before in entry.logged])
    fields = (seq, entry.job, entry.actor, entry.cause, at_us, entry.changes, entry.first, nodes)
    chain = link(counters.chain, fields, sealed)
    db.execute(
        PUT_COMMIT,
        (space, *fields[:3], entry.cause, at_us, entry.changes, entry.first, nodes, body, salt, sealed, chain),
    )
    db.executemany(PUT_CHANGE, [(space, seq, n, id, op.value, before) for n, id, op, before in entry.logged])
    db.execute(ADVANCE, (seq, entry.first + nodes, chain, space))
    return Commit(name, seq, entry.job, entry.actor, at_us, entry.cause, entry.changes, chain.hex())


def check(db: sqlite3.Connection, space: int) -> list[str]:
    """Where the chain does not verify."""
    counters = Counters.of(db, space, str(space))
    found = db.execute(CHAIN, (space,))
    return breaks(found, lambda seq, made, of: _opens(db, space, seq, made, of=of), (counters.seq, counters.chain))


def _opens(
    db: sqlite3.Connection, space: int, seq: int, range: tuple[int, int], *, of: tuple[bytes, bytes, bytes]
) -> bool:
    """Whether the commit's changes, as far as they are all there, give its commitment again."""
    (first, nodes), (salt, body, sealed) = range, of
    base = space << SPACE_BITS
    made = b"".join(row[0] for row in db.execute(MADE_IDS, (base + first, base + first + nodes)))
    if len(made) != 16 * nodes:
        return True  # some were deleted since: their ids are with their deletion, the chain still holds
    logged = [(id, op, before) for _, id, op, before in db.execute(CHANGES, (space, seq))]
    return commitment(salt, made, body, logged) == sealed


# -- reading


def commits(db: sqlite3.Connection, space: int, name: str, after: int, limit: int) -> list[Commit]:
    return [_commit(name, row) for row in db.execute(COMMITS, (space, after, limit))]


def _commit(name: str, row: tuple[Any, ...]) -> Commit:
    seq, job, actor, at_us, cause, changes, chain = row
    return Commit(name, seq, job, actor, at_us, cause, changes, chain.hex())


def changes(db: sqlite3.Connection, space: int, seq: int) -> list[Change]:
    """What one commit did: nodes, then aliases and edges (their ids spell their ends). What was erased is left out."""
    row = db.execute(BODY, (space, seq)).fetchone()
    if row is None:
        raise NotFound(f"no commit {seq}", hint="`commits` lists them")
    first, nodes, body = row
    base = space << SPACE_BITS
    logged = db.execute(CHANGES, (space, seq)).fetchall()
    gone = {n for n, *_ in logged}
    made = ids_of(db, [n for n in range(base + first, base + first + nodes) if n not in gone])
    told = [Change(seq, id, Op.INSERT, None) for _, id in sorted(made.items())]
    for _, raw, op, before in logged:
        full = _before(db, space, raw.hex(), seq) if before is not None else None
        told.append(Change(seq, raw.hex(), Op(op), full))
    return told + _alias_changes(db, space, seq) + _edge_changes(db, space, seq, unpack_edges(space, body))


def _alias_changes(db: sqlite3.Connection, space: int, seq: int) -> list[Change]:
    rows = db.execute(NEW_ALIASES, (space, seq)).fetchall()
    ids = ids_of(db, [entity for _, entity in rows])
    return [Change(seq, f"{ids[entity]}:alias:{folded}", Op.INSERT, None) for folded, entity in rows if entity in ids]


def _edge_changes(db: sqlite3.Connection, space: int, seq: int, new: list[Key]) -> list[Change]:
    old = db.execute(EDGE_CHANGES, (space, seq)).fetchall()
    ids = ids_of(db, sorted({n for row in (*new, *old) for n in (row[0], row[2])}))
    told = [Change(seq, edge_id(ids, at), Op.INSERT, None) for at in new if at[0] in ids and at[2] in ids]
    for src, type, dst, start, op, stop, weight, reason in old:
        if src in ids and dst in ids:
            before = {"weight_q8": weight, "reason": reason, "end": None if stop == NO_START else stop}
            told.append(Change(seq, edge_id(ids, (src, type, dst, start)), Op(op), before))
    return told


def history(db: sqlite3.Connection, space: int, name: str, id: Id) -> list[tuple[Commit, Change]]:
    """All that happened to a node, oldest first, with full before-images."""
    logged = db.execute(CHANGES_OF, (space, packed([id]))).fetchall()
    now = look_up(db, space, [id]).get(id)
    lives = {n for _, n, _, _ in logged} | ({now.n} if now else set())
    told: dict[int, Change] = {}
    for n in lives:
        row = db.execute(MADE, (space, n & NUMBER_MASK)).fetchone()
        if row is not None and (n & NUMBER_MASK) < row[1] + row[2]:
            told[row[0]] = Change(row[0], id, Op.INSERT, None)
    images = _images(db, now.n if now else None, [(seq, before) for seq, _, _, before in logged])
    for (seq, _, op, _), full in zip(logged, images, strict=True):
        told[seq] = Change(seq, id, Op(op), full)
    return [
        (_commit(name, db.execute(COMMIT, (space, seq)).fetchone()), change) for seq, change in sorted(told.items())
    ]


def _before(db: sqlite3.Connection, space: int, id: Id, seq: int) -> Image | None:
    logged = [(at, before) for at, _, _, before in db.execute(CHANGES_OF, (space, packed([id]))) if at >= seq]
    now = look_up(db, space, [id]).get(id)
    return _images(db, now.n if now else None, logged)[0]


def _images(db: sqlite3.Connection, n: int | None, logged: Sequence[tuple[int, bytes | None]]) -> list[Image | None]:
    """Before-images of changes in order of time: each is the next one's, with the old values put back."""
    node = load(db, [n]).get(n) if n is not None else None
    current: Image = image(node) if node is not None else {}
    images: list[Image | None] = []
    for _, before in reversed(logged):
        if before is None:
            images.append(None)
            continue
        current = {**current, **unpack(before)}
        images.append(current)
    return images[::-1]
