"""What was said, and what held, in an interval of time."""

from __future__ import annotations

import sqlite3

import numpy as np

from graphmem.stores.base import Candidates
from graphmem.stores.keys import NUMBER_MASK

#: Of a passage said in the interval, and of a note without an end: when it was said tells less than when it held.
SAID_SCORE = 0.5

SAID = """SELECT passage.n FROM passage JOIN head ON head.n = passage.n
  WHERE space = ? AND at_us >= ? AND at_us < ? ORDER BY passage.n LIMIT ?"""
HELD = f"""SELECT note.n, CASE WHEN valid_to_us IS NULL THEN {SAID_SCORE}
    ELSE CAST(min(valid_to_us, ?3) - max(valid_from_us, ?2) AS REAL)
      / (max(valid_to_us, ?3) - min(valid_from_us, ?2)) END AS fit
  FROM note JOIN head ON head.n = note.n
  WHERE space = ?1 AND valid_from_us < ?3 AND (valid_to_us > ?2 OR valid_to_us IS NULL)
  ORDER BY fit DESC, note.n LIMIT ?4"""


def search(db: sqlite3.Connection, space: int, start_us: int, end_us: int, k: int) -> Candidates:
    """Notes by how well their interval fits (overlap over union), and passages said within it.

    O(rows in the interval) in the database, k rows of each leave it."""
    said = [(n, SAID_SCORE) for (n,) in db.execute(SAID, (space, start_us, end_us, k))]
    rows = [*said, *db.execute(HELD, (space, start_us, end_us, k))]
    numbers = np.array([n for n, _ in rows], np.int64) & NUMBER_MASK
    scores = np.array([score for _, score in rows], np.float32)
    order = np.lexsort((numbers, -scores))[:k]
    return Candidates(numbers[order], scores[order])
