"""The journal: one commit a transaction, one change an object; jobs and their items; what is written in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphmem.schema.ids import Id
from graphmem.schema.kinds import ItemState, JobState, Op
from graphmem.schema.nodes import Alias, Edge, Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction. `chain` = H(previous chain, this commit's fields, a salted commitment to its changes)."""

    space: str
    seq: int  # 1, 2, 3 … within the space, in commit order
    job: Id | None
    actor: str
    at_us: int
    cause: str
    changes: int
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit did to one object. `before` is its image before (None on insert, no vectors); the after-image
    is the next change's before, or the row itself."""

    seq: int
    id: Id
    op: Op
    before: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Job:
    """The unit of ingest that can be resumed and undone."""

    id: Id
    state: JobState
    spec: Mapping[str, object]
    opened_us: int
    closed_us: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a job. `cursor` counts the passages of it already written, committed with their batch."""

    job: Id
    key: str  # the path, or path#part
    state: ItemState
    cursor: int = 0
    error: str = ""
    position: str = ""  # where in the input: "line 12", "byte 4096"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal (of a model) that the evidence did not bear out: recorded, not swallowed."""

    step: str
    input_id: Id
    reason: str
    proposal: str = ""  # cut to 2,000 characters


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one transaction writes. Order within a field is kept; a node is written before edges that name it.

    `vectors`: ids and a float16 array (n, dimension) of unit vectors, for notes and passages.
    `tokens`: passage id to sign-bit token codes, uint8 (tokens, dimension / 8).
    `retire`: passages and notes that a newer revision supersedes: kept, left out of every search.
    `replays`: another store's commit that this batch repeats. Its commit then has that sequence number (Conflict when
    the space is not just before it) and that time, and is written even when it changes nothing.
    """

    actor: str = "user"
    cause: str = "remember"
    job: Id | None = None
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    aliases: tuple[Alias, ...] = ()
    vector_ids: tuple[Id, ...] = ()
    vectors: npt.NDArray[np.float16] | None = None
    tokens: Mapping[Id, npt.NDArray[np.uint8]] = field(default_factory=dict)
    delete: tuple[tuple[Id, int], ...] = ()  # (id, base version)
    retire: tuple[Id, ...] = ()
    items: tuple[Item, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    replays: Commit | None = None
    durable: bool = True  # False: a bulk job's batch, safe against a killed process, not against power loss
