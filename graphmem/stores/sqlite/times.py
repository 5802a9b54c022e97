"""What was said, and what held, in an interval of time."""

from __future__ import annotations

import sqlite3

import numpy as np

from graphmem.stores.base import Candidates
from graphmem.stores.sqlite.keys import NUMBER_MASK

SAID = """SELECT passage.n FROM passage JOIN head ON head.n = passage.n
  WHERE space = ? AND at_us >= ? AND at_us < ? ORDER BY passage.n"""
HELD = """SELECT note.n, valid_from_us, valid_to_us FROM note JOIN head ON head.n = note.n
  WHERE space = ?1 AND valid_from_us < ?3 AND (valid_to_us > ?2 OR valid_to_us IS NULL) ORDER BY note.n"""

SAID_SCORE = 0.5


def search(db: sqlite3.Connection, space: int, start_us: int, end_us: int, k: int) -> Candidates:
    """Notes by how well their interval fits (overlap over union; a half where they have no end), and passages said
    within it, half a point each: when something was said tells less than when it held. O(rows in the interval)."""
    said = np.array([n for (n,) in db.execute(SAID, (space, start_us, end_us))], np.int64)
    rows = db.execute(HELD, (space, start_us, end_us)).fetchall()
    scores = [_fit(since, until, start_us, end_us) for _, since, until in rows]
    numbers = np.concatenate([said, np.array([n for n, *_ in rows], np.int64)]) & NUMBER_MASK
    score = np.concatenate([np.full(len(said), SAID_SCORE), scores]).astype(np.float32)
    order = np.lexsort((numbers, -score))[:k]
    return Candidates(numbers[order], score[order])


def _fit(since: int, until: int | None, start_us: int, end_us: int) -> float:
    if until is None:
        return SAID_SCORE
    union = max(until, end_us) - min(since, start_us)
    return (min(until, end_us) - max(since, start_us)) / union
