"""A memory in eras: stretches of its numbers, each small enough to be clustered as a whole, and what is in one.

Numbers grow and are never given again, so an era that is full stays as it is, and new notes fall into the last one:
organising costs what changed, whatever the memory's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphmem.organize.gist import sessions_of
from graphmem.schema import LINK_KINDS, EdgeType, NodeKind, Note
from graphmem.stores.base import NO_TIME, Floats, Numbers, Reader

#: Numbers of an era: about 5,000 notes with their passages, entities and relations.
SPAN = 8_192
#: Eight million numbers in a row that were erased are taken for the end.
EMPTY = 1_024
DAY_US = 86_400_000_000
#: Turns on each side that say whether a statement belongs where it stands.
AROUND = 2
#: Links that hold notes together; a contradiction and a correction do not.
HOLDING = tuple(kind for kind in LINK_KINDS if kind not in (EdgeType.CONTRADICTS, EdgeType.SUPERSEDES))


@dataclass(frozen=True, slots=True)
class Era:
    """The notes from text of one era, by number; all columns are aligned.

    `subject`: the number of who speaks; minus the number of the source where nobody is named. `near`: the greatest
    cosine to a turn close by, 0 where there is none. `session`: what was said in one go."""

    index: int
    notes: tuple[Note, ...]
    numbers: Numbers
    subject: Numbers
    session: Numbers
    vectors: Floats
    near: Floats


@dataclass(frozen=True, slots=True)
class Bonds:
    """What joins notes of an era beside their likeness: rows of two notes, for each entity named or link between."""

    entity: Numbers  # number of the entity
    row: Numbers  # the note that names it
    linked: Numbers  # (n, 2) rows
    weights: Floats


def eras(reader: Reader) -> Iterator[int]:
    """All eras with notes, ascending. Ends when every live note was seen, or at EMPTY eras in a row: on a store that
    shows erasures at once the count may be out of date."""
    left, index, empty = reader.counts()["note"], 0, 0
    while left > 0 and empty < EMPTY:
        count = int((reader.heads(numbers_of(index)).kind == NodeKind.NOTE).sum())
        if count:
            yield index
        empty = 0 if count else empty + 1
        left -= count
        index += 1


def numbers_of(index: int) -> Numbers:
    return np.arange(max(1, index * SPAN), (index + 1) * SPAN, dtype=np.int64)


def read(reader: Reader, index: int) -> Era:
    """The era's live notes that stand in a passage."""
    heads = reader.heads(numbers_of(index))
    rows = np.flatnonzero((heads.kind == NodeKind.NOTE) & (heads.owner > 0))
    numbers, owners = heads.numbers[rows], heads.owner[rows]
    vectors = reader.vectors(numbers)
    turns = np.union1d(heads.numbers[heads.kind == NodeKind.PASSAGE], owners)
    speaker, source = heads.speaker[rows], heads.source[rows]
    return Era(
        index,
        tuple(node for node in reader.nodes(numbers) if isinstance(node, Note)),
        numbers,
        np.where(speaker > 0, speaker, -source),
        sessions_of(heads.section[rows], source, days(heads.at_us[rows])),
        vectors,
        nearness(reader, turns, owners, vectors),
    )


def days(at_us: Numbers) -> Numbers:
    """The day of each time; 0 where it is unknown."""
    return np.asarray(np.where(at_us == NO_TIME, 0, at_us // DAY_US), np.int64)


def nearness(reader: Reader, turns: Numbers, owners: Numbers, vectors: Floats) -> Floats:
    """The greatest cosine of each note to one of the turns around its own, in the same source."""
    heads = reader.heads(turns)
    order = np.lexsort((heads.ordinal, heads.source))
    source, around = heads.source[order], reader.vectors(turns[order])
    place = np.empty(len(turns), np.int64)
    place[order] = np.arange(len(turns))
    mine = place[np.searchsorted(turns, owners)]
    near = np.zeros(len(owners), np.float32)
    for offset in (*range(-AROUND, 0), *range(1, AROUND + 1)):
        other = np.clip(mine + offset, 0, len(turns) - 1)
        there = (other != mine) & (source[other] == source[mine])
        cosine = np.einsum("ij,ij->i", vectors, around[other])
        near = np.where(there, np.maximum(near, cosine), near)
    return near.round(4)


def bonds(reader: Reader, numbers: Numbers) -> Bonds:
    """Entities that these notes name and links among them."""
    edges = reader.neighbours(numbers, (EdgeType.ABOUT, *HOLDING))
    about = edges.forward & (edges.type == EdgeType.ABOUT)
    link = edges.forward & (edges.type != EdgeType.ABOUT) & np.isin(edges.number, numbers)
    at = np.argsort(numbers)
    other = at[np.searchsorted(numbers[at], edges.number[link])] if link.any() else np.zeros(0, np.int64)
    linked = np.stack([edges.row[link], other], axis=1)
    return Bonds(edges.number[about], edges.row[about], linked, edges.weight[link])
