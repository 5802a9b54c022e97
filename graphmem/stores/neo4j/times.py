"""What was said, and what held, in an interval of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmem.stores.base import Candidates
from graphmem.stores.keys import NUMBER_MASK

#: Of a passage said in the interval, and of a note without an end: when it was said tells less than when it held.
SAID_SCORE = 0.5

SAID = f"""MATCH (n:Passage {{space: $space}}) WHERE n.at_us >= $start_us AND n.at_us < $end_us
  AND n._head IS NOT NULL AND n.key < $before
  RETURN n.key AS key, {SAID_SCORE} AS fit, n.key AS owner ORDER BY key LIMIT $timed"""
HELD = f"""MATCH (n:Note {{space: $space}}) WHERE n.valid_from_us < $end_us
  AND (n.valid_to_us > $start_us OR n.valid_to_us IS NULL) AND n._head IS NOT NULL AND n.key < $before
  WITH n.key AS key, n._owner AS owner, CASE WHEN n.valid_to_us IS NULL THEN {SAID_SCORE}
    ELSE toFloat(CASE WHEN n.valid_to_us < $end_us THEN n.valid_to_us ELSE $end_us END
        - CASE WHEN n.valid_from_us > $start_us THEN n.valid_from_us ELSE $start_us END)
      / (CASE WHEN n.valid_to_us > $end_us THEN n.valid_to_us ELSE $end_us END
        - CASE WHEN n.valid_from_us < $start_us THEN n.valid_from_us ELSE $start_us END) END AS fit
  RETURN key, fit, owner ORDER BY fit DESC, key LIMIT $timed"""
SEARCH = f"CALL () {{ {SAID} }} RETURN key, fit, owner UNION ALL CALL () {{ {HELD} }} RETURN key, fit, owner"


def ranked(found: Sequence[Sequence[float]], k: int) -> tuple[Candidates, np.ndarray]:
    """Notes by how well their interval fits (overlap over union), and passages said within it; and the passages that
    they stand in first."""
    numbers = np.array([row[0] for row in found], np.int64) & NUMBER_MASK
    scores = np.array([row[1] for row in found], np.float32)
    owners = np.array([row[2] or 0 for row in found], np.int64) & NUMBER_MASK
    order = np.lexsort((numbers, -scores))[:k]
    return Candidates(numbers[order], scores[order]), owners[order]
