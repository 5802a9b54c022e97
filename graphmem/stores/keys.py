"""How a node is keyed: space << 40 | number, so that a space is one range of keys, and no reference names another.

Numbers of a space are below 2**32 (packed rows keep them in four bytes), spaces below 2**22.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphmem.errors import InputError, StoreError
from graphmem.schema import Id

Numbers = npt.NDArray[np.int64]

SPACE_BITS = 40
NUMBER_LIMIT = 1 << 32
NUMBER_MASK = (1 << SPACE_BITS) - 1


class Keys(dict[Id, int]):
    """Id to key, of all that a batch names. What is missing is an InputError, at no cost to what is there."""

    def __missing__(self, id: Id) -> int:
        raise InputError(f"the batch names {id}, which is neither in it nor in the store", hint="write the node first")


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


def local(keys: Sequence[int]) -> Numbers:
    """The numbers within their space of these keys."""
    return np.array(keys, np.int64) & NUMBER_MASK
