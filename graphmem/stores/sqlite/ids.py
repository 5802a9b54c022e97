"""Ids as bytes, and many of them in one statement: they travel as one blob that SQL cuts, so that no statement is ever
built from data and one prepared text serves any number."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphmem.schema import Id
from graphmem.schema.ids import ID_BYTES
from graphmem.stores.batchwrite import Stored
from graphmem.stores.sqlite.keys import listed

LOOK_UP = """WITH RECURSIVE wanted(k) AS (SELECT 0 WHERE ?2 > 0 UNION ALL SELECT k + 1 FROM wanted WHERE k + 1 < ?2)
  SELECT k, n, kind, version, retired FROM wanted
  CROSS JOIN node ON node.space = ?3 AND node.id = substr(?1, 16 * k + 1, 16)"""
IDS = "SELECT n, id FROM node WHERE n IN (SELECT value FROM json_each(?))"

NO_ID = bytes(ID_BYTES)


def packed(ids: Sequence[Id]) -> bytes:
    """16 bytes an id; what is no id at all becomes zeros, which no node has."""
    try:
        raw = bytes.fromhex("".join(ids))
    except ValueError:
        raw = b""
    if len(raw) == ID_BYTES * len(ids) and all(len(id) == 2 * ID_BYTES for id in ids):
        return raw
    return b"".join(_one(id) for id in ids)


def _one(id: Id) -> bytes:
    try:
        raw = bytes.fromhex(id)
    except ValueError:
        return NO_ID
    return raw if len(raw) == ID_BYTES else NO_ID


def look_up(db: sqlite3.Connection, space: int, ids: Sequence[Id]) -> dict[Id, Stored]:
    rows = db.execute(LOOK_UP, (packed(ids), len(ids), space))
    return {ids[k]: Stored(n, kind, version, bool(retired)) for k, n, kind, version, retired in rows}


def ids_of(db: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Id]:
    """Key to id, for those that are there."""
    return {n: raw.hex() for n, raw in db.execute(IDS, (listed(list(keys)),))}
