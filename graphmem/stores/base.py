"""The store protocol: where a memory is kept. Two halves.

`Store` writes, governs and hands out readers; `Reader` is one consistent snapshot of one space, with a deadline.
Every method is set-based (never one row at a time) and synchronous. No vendor word appears above this seam.
A `Store` may be used from several threads; a `Reader` from the one that opened it.

Inside a space, nodes also have small integers (`number`: grows, never reused, not in digests) so that recall works on
arrays. Derived rows (postings, vector codes, adjacency, degrees) are written in the transaction of the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphmem.schema import (
    Alias,
    Batch,
    Change,
    Commit,
    Edge,
    EdgeType,
    ForgetReport,
    Id,
    Item,
    Job,
    JobState,
    Node,
    NodeKind,
    Passage,
    Recall,
    Refusal,
    Source,
    Space,
)

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Nodes with a score, best first (ties by number). `exact` is False when some better node may be missing."""

    numbers: Numbers
    scores: Floats
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Heads:
    """The fixed-size part of passages and notes, as columns aligned with the numbers asked for. 0 or -1: none.

    `owner`: the passage a note stands in first (a passage: itself). `speaker`, `section`, `source`: node numbers.
    """

    numbers: Numbers
    kind: npt.NDArray[np.uint8]  # NodeKind; 0 where the number is unknown, deleted or retired
    owner: Numbers
    source: Numbers
    section: Numbers
    speaker: Numbers
    ordinal: Numbers
    at_us: Numbers  # NO_TIME when unknown
    form: npt.NDArray[np.uint8]  # Form bits of the owning passage


NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Usage:
    """How often nodes were of use, as columns aligned with the numbers asked for. `count`: uses less the times that one
    was of no use; `last_us`: the last use, NO_TIME where there never was any."""

    count: Numbers
    last_us: Numbers


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The edges of a frontier as arrays, one row an edge.

    `row` indexes the frontier that was asked for; `number` is the node at the other end; `forward` is True when the
    frontier node is the edge's src. `degree[i, t]` counts all edges of frontier node i of an asked type t, both
    directions, known without reading them, read or not (t is the EdgeType number, 64 columns; a store may fill those
    of other types too). `cut` tells that a hub's older edges were not read.
    """

    row: Numbers
    number: Numbers
    type: npt.NDArray[np.uint8]
    forward: npt.NDArray[np.bool_]
    weight: Floats  # 0..1
    degree: npt.NDArray[np.int64]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Entities that a folded name stands for: `name` indexes the names asked for."""

    name: Numbers
    number: Numbers


@dataclass(frozen=True, slots=True)
class Named(Found):
    """What names stand for, and what recall asks of it. `speaks`: somebody who said a passage. `titled[i]` is a passage
    of a source that `number[titled_row[i]]` is the title of."""

    speaks: npt.NDArray[np.bool_]
    titled_row: Numbers
    titled: Numbers


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one search looks for: passages by `terms`, notes by `vector`, both by the interval when there is one; at
    most so many of each."""

    terms: Sequence[str]
    vector: Floats
    passages: int
    notes: int
    interval_us: tuple[int, int] | None = None
    timed: int = 0


@dataclass(frozen=True, slots=True)
class Searched:
    """What one search found. `note_owner[i]` is the passage that `notes.numbers[i]` stands in first (0: none), `timed`
    the passages of the interval and those of its notes, best first, repeats kept."""

    text: Candidates
    notes: Candidates
    note_owner: Numbers
    timed: Numbers


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a source (and of one section of it), so that the next passage can be appended."""

    next_ordinal: int
    last_passage: Id | None  # of the section
    last_section: Id | None  # of the source
    sections: int


class Reader(Protocol):
    """One snapshot of one space. Every method raises `DeadlineExceeded` once the deadline has passed.

    What was written after the reader was opened is in no search, hop or count of it. Beyond that SQLite shows the
    snapshot to the last byte; on Neo4j, which reads what is committed, an update or erasure may show at once."""

    space: Space
    seq: int  # the last commit it sees

    # -- rows
    def get(self, ids: Sequence[Id]) -> dict[Id, Node]: ...
    def numbers(self, ids: Sequence[Id]) -> Numbers: ...  # -1 where unknown
    def nodes(self, numbers: Numbers) -> list[Node]: ...  # aligned; raises NotFound for an unknown number
    def heads(self, numbers: Numbers) -> Heads: ...
    def usage(self, numbers: Numbers) -> Usage: ...  # beside the snapshot: what is counted may show at once
    def notes_of(self, passages: Numbers) -> tuple[Numbers, Numbers]: ...  # (row into passages, note number)
    def page(self, kind: NodeKind, *, after: Id | None = None, limit: int = 100) -> list[Node]: ...  # in id order
    def edges(
        self, ids: Sequence[Id], types: Iterable[EdgeType] | None = None, *, out_only: bool = False, limit: int = 1000
    ) -> list[Edge]: ...  # both directions unless `out_only`, by (src, type, dst, start)
    def aliases_of(self, entities: Sequence[Id]) -> dict[Id, tuple[str, ...]]: ...
    def aliases(self, entities: Sequence[Id]) -> list[Alias]: ...  # with where each was seen first, by entity and name
    def counts(self) -> dict[str, int]: ...  # live nodes by kind, edges, retired, commits, vectors

    # -- candidates: exact within the space unless `exact` says otherwise
    def dense(self, query: Floats, k: int, kinds: Sequence[NodeKind]) -> Candidates: ...  # cosine, per kinds together
    def cosine(self, query: Floats, numbers: Numbers) -> Floats: ...  # NaN where a node has no vector
    # those that retired nodes had, too; `vectors`: (n, dimension), zeros where there is none
    def vectors(self, numbers: Numbers) -> Floats: ...
    def tokens(
        self, numbers: Numbers
    ) -> tuple[Numbers, npt.NDArray[np.uint8]]: ...  # offsets (n + 1), codes (total, dim/8)
    def text(self, terms: Sequence[str], k: int | None) -> Candidates: ...  # BM25 k1 1.2 b .75 over passages; None: all
    def entities(self, folded: Sequence[str]) -> Found: ...
    def times(
        self, start_us: int, end_us: int, k: int
    ) -> Candidates: ...  # passages said, notes valid, in the interval

    # -- what a recall asks, each in one go: a store behind a network answers it in one round trip
    def named(self, folded: Sequence[str], *, limit: int) -> Named: ...  # at most `limit` titles and passages a node
    def search(self, wanted: Wanted) -> Searched: ...
    def said(self, numbers: Numbers) -> tuple[list[str], Floats]: ...  # texts ("" for no passage) and vectors

    # -- graph
    def neighbours(self, frontier: Numbers, types: Sequence[EdgeType], *, limit: int = 512) -> Neighbours: ...

    # -- sources
    def find_source(self, kind: str, outside_id: str) -> Source | None: ...  # the newest revision
    def passages_of(self, source: Id) -> list[Id]: ...  # by ordinal
    def tail(self, source: Id, section: Id | None) -> Tail: ...

    # -- journal
    def commits(self, *, after: int = 0, limit: int = 100) -> list[Commit]: ...
    def changes(self, seq: int) -> list[Change]: ...
    def history(self, id: Id) -> list[tuple[Commit, Change]]: ...  # oldest first
    def jobs(self) -> list[Job]: ...
    def items(self, job: Id) -> list[Item]: ...
    def refusals(self, job: Id | None = None, *, limit: int = 1000) -> list[Refusal]: ...
    def digest(self) -> str: ...
    def evidence_digest(self) -> str: ...
    def check(self) -> list[str]: ...  # where derived rows disagree with the truth; empty when sound


class ComposedReads:
    """`named`, `search` and `said` made of a reader's other methods, for a store where a call costs little."""

    def named(self: Reader, folded: Sequence[str], *, limit: int) -> Named:
        found = self.entities(folded)
        none = np.zeros(0, np.int64)
        if not len(found.number):
            return Named(found.name, found.number, np.zeros(0, bool), none, none)
        edges = self.neighbours(found.number, (EdgeType.TITLE,), limit=limit)
        speaks = edges.degree[:, EdgeType.SPEAKER] > 0
        up = ~edges.forward
        row, source = edges.row[up], edges.number[up]
        if not len(source):
            return Named(found.name, found.number, speaks, none, none)
        down = self.neighbours(source, (EdgeType.PART,), limit=limit)
        back = ~down.forward
        back[back] = self.heads(down.number[back]).kind == NodeKind.PASSAGE
        return Named(found.name, found.number, speaks, row[down.row[back]], down.number[back])

    def search(self: Reader, wanted: Wanted) -> Searched:
        text = self.text(wanted.terms, wanted.passages)
        notes = self.dense(wanted.vector, wanted.notes, (NodeKind.NOTE,))
        timed = np.zeros(0, np.int64)
        if wanted.interval_us is not None:
            timed = self.heads(self.times(*wanted.interval_us, wanted.timed).numbers).owner
        return Searched(text, notes, self.heads(notes.numbers).owner, timed)

    def said(self: Reader, numbers: Numbers) -> tuple[list[str], Floats]:
        texts = [node.text if isinstance(node, Passage) else "" for node in self.nodes(numbers)]
        return texts, self.vectors(numbers)


class Store(Protocol):
    """Where a memory is kept. `write` is one transaction with its commit in the journal."""

    url: str

    def space(self, name: str, *, create: bool = True, key: bytes | None = None) -> Space:
        """The space of that name. A new one gets a random key, or `key`: ids are the same in spaces of one key.
        Raises NotFound when it is absent and not to be created."""
        ...

    def spaces(self) -> list[Space]: ...
    def reader(self, space: Space, *, deadline_s: float | None = None) -> AbstractContextManager[Reader]: ...

    def write(self, space: Space, batch: Batch) -> Commit | None:
        """All of the batch or nothing; None when it changes nothing. Raises Conflict (nothing written) when an update
        or delete names another version than the stored one, InputError when a span's quote is not the passage's text
        or an edge names a node that is not there, StoreBusy, StoreReadOnly."""
        ...

    def name_embedder(self, space: Space, name: str) -> None: ...  # what its vectors are made with from now on
    def open_job(self, space: Space, spec: dict[str, Any]) -> Job: ...
    def close_job(self, space: Space, job: Id, state: JobState) -> None: ...
    def put_jobs(self, space: Space, repeated: Sequence[Job]) -> None: ...  # as they are in another store
    def put_items(self, space: Space, items: Sequence[Item]) -> None: ...
    def undo(self, space: Space, job: Id) -> Commit | None:
        """The job's before-images, newest first, as one commit. Raises Conflict when a later change touches them."""
        ...

    def forget(self, space: Space, ids: Sequence[Id], *, actor: str = "user") -> ForgetReport:
        """Erase passages, sources, notes or entities and all that is derived from them; no byte stays in any file."""
        ...

    def forget_space(self, space: Space) -> ForgetReport: ...
    def used(self, space: Space, ids: Sequence[Id], now_us: int, *, useful: bool = True) -> None:
        """Counts a use of each node that is there, or with `useful` False takes one off, which moves no last use.
        Outside journal and digest."""
        ...

    def rebuild(self, space: Space) -> None: ...  # derived rows anew from the truth
    def close(self) -> None: ...


@runtime_checkable
class ShowsGraph(Protocol):
    """A store whose graph people look at with the store's own tools."""

    def keep(self, space: Space, recalled: Recall) -> Id:
        """Puts what a recall found, and what led there, beside the memory to be looked at. A view: not journaled, in
        no digest; the newest few stay, and whatever is forgotten takes them along."""
        ...
