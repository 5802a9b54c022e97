"""From how surely each statement states a matter to which of them holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Two statements nearer in time than this are one telling.
APART_US = 3_600_000_000


def holds(states: npt.NDArray[np.floating], order: npt.NDArray[np.int64]) -> Floats:
    """How likely each statement is the last one of its matter: p_i x product over later j of (1 - p_j), with p in
    `states` and `order` the rows by rising time. Rows that are not in `order` come after the time asked about: 0.
    O(n)."""
    found = np.zeros(len(states))
    left = 1.0
    for row in order[::-1].tolist():
        sure = min(max(float(states[row]), 1e-6), 1.0 - 1e-6)
        found[row] = sure * left
        left *= 1.0 - sure
    return found
