"""The reflective pass (Bi-Mem): which of the statements that somebody made are hers, told from the memory as a whole.

A statement is plausible when it fits the talk around it and comes back on other occasions. One that somebody else made
in nearly the same words is that person's when it fits there as well or better, and speaks for neither's persona.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphmem.organize.clusters import BLOCK
from graphmem.stores.base import Floats, Numbers

Flags = npt.NDArray[np.bool_]
MAD = 1.4826  # makes a median absolute deviation a standard deviation
#: Cosines that differ by less tell nothing.
LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class Reflection:
    """`out`: a statement less plausible than so many deviations under the median leaves its scene. One that is to speak
    for the person is at least `kept` above the median, and so is the mean of its scene `scene`."""

    out: float = -2.0
    kept: float = 0.0
    clear: float = 0.5  # statements so far above it speak before others of their scene
    scene: float = -0.5
    same: float = 0.95  # cosine from which two statements are one in other words
    others: int = 3  # occasions that a statement should come back on


def plausibility(near: Floats, recurrence: Floats) -> Floats:
    """Robust z-scores (median, MAD) of both, summed."""
    return (robust(near) + robust(recurrence)).round(4)


def robust(values: Floats) -> Floats:
    """Deviations from the median, in robust standard deviations of at least LEAST_SPREAD."""
    middle = np.median(values)
    spread = MAD * float(np.median(np.abs(values - middle)))
    return np.asarray((values - middle) / max(spread, LEAST_SPREAD), np.float32)


def recurrence(vectors: Floats, session: Numbers, others: int) -> Floats:
    """Mean cosine of each statement to the `others` most alike that were made in other sessions; 0 without any."""
    found = np.zeros(len(vectors), np.float32)
    for at in range(0, len(vectors), BLOCK):
        block = vectors[at : at + BLOCK] @ vectors.T
        block[session[at : at + BLOCK, None] == session[None, :]] = 0
        count = min(others, block.shape[1])
        found[at : at + BLOCK] = -np.partition(-block, count - 1, axis=1)[:, :count].mean(axis=1)
    return found.round(4)


def echoes(vectors: Floats, theirs: Floats, their_near: Floats, same: float) -> Floats:
    """How well a statement that another speaker made too fits where it stands there; -1 for what nobody else said."""
    found = np.full(len(vectors), -1, np.float32)
    if not len(theirs):
        return found
    for at in range(0, len(vectors), BLOCK):
        block = (vectors[at : at + BLOCK] @ theirs.T).round(4)
        found[at : at + BLOCK] = np.where(block >= same, their_near[None, :], -1.0).max(axis=1)
    return found
