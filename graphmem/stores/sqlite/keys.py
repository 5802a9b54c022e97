"""How a node of a space is keyed in the derived tables: space << 40 | number, so that a space is one range of each.

Numbers of a space are below 2**32 (packed rows keep them in four bytes), spaces below 2**22.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from graphmem.errors import StoreError

Numbers = npt.NDArray[np.int64]

SPACE_BITS = 40
NUMBER_LIMIT = 1 << 32
NUMBER_MASK = (1 << SPACE_BITS) - 1


def checked(numbers: npt.ArrayLike) -> Numbers:
    """The numbers as int64; StoreError when one does not fit four bytes, before anything is written."""
    array = np.asarray(numbers, np.int64)
    if len(array) and (int(array.min()) < 0 or int(array.max()) >= NUMBER_LIMIT):
        raise StoreError(
            f"a node number is not between 0 and {NUMBER_LIMIT - 1}",
            hint="numbers are counted within their space; a space holds at most 4 billion nodes",
        )
    return array


def node_keys(space: int, numbers: Numbers) -> list[int]:
    keys: list[int] = ((space << SPACE_BITS) + numbers).tolist()
    return keys


def node_range(space: int) -> tuple[int, int]:
    """First and last key of the space, both within it."""
    return space << SPACE_BITS, (space << SPACE_BITS) | NUMBER_MASK


def listed(keys: list[int]) -> str:
    """Keys as the JSON list that `IN (SELECT value FROM json_each(?))` reads: one statement for any number of them."""
    return json.dumps(keys)
