"""An organiser: the steps that turn notes into a memory, as a named value.

A step reads what evidence says and what the steps before it made, never what later ones make: so a second run over
the same memory finds nothing to change. What it writes is notes, hyperedges and links with their parents; evidence
is never touched, and of a note from text only context, keywords, tags, valid time and confidence may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphmem.embed import Embedder
from graphmem.errors import Conflict, InputError
from graphmem.schema import Alias, Batch, Commit, Edge, Id, Node, NodeKind, Note, Passage, Refusal, Source, Space
from graphmem.stores.base import Reader, Store

SOURCES_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """What one transaction of a step writes. A note that is new or has another text is embedded by who writes it.

    `delete`: ids with the version that each was read at. `told`: some lines for people, for a dry run."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    aliases: tuple[Alias, ...] = ()
    delete: tuple[tuple[Id, int], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    told: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges or self.aliases or self.delete or self.refusals)


@dataclass(frozen=True, slots=True)
class View:
    """What a step of a job may look at. `since`: the last commit that an earlier run of the whole organiser covered,
    0 for none; `now_us` is the one time it knows."""

    store: Store
    space: Space
    embedder: Embedder
    now_us: int
    since: int = 0

    def reader(self) -> AbstractContextManager[Reader]:
        return self.store.reader(self.space)

    def sources(self) -> Iterator[Source]:
        """All sources in the order of their ids, a page in memory, each page from a snapshot of its own."""
        after: Id | None = None
        while True:
            with self.reader() as reader:
                page = reader.page(NodeKind.SOURCE, after=after, limit=SOURCES_A_PAGE)
            yield from (node for node in page if isinstance(node, Source))
            if len(page) < SOURCES_A_PAGE:
                return
            after = page[-1].id


@dataclass(frozen=True, slots=True)
class New:
    """A batch about to be written. `before`: the passage before the first one of each section. `changed`: stored
    notes that an earlier step of this batch changed already."""

    key: bytes
    source: Source
    passages: tuple[Passage, ...]
    notes: tuple[Note, ...]
    edges: tuple[Edge, ...]
    vectors: Mapping[Id, npt.NDArray[np.float16]]
    before: Mapping[Id | None, Passage] = field(default_factory=dict)
    changed: Mapping[Id, Note] = field(default_factory=dict)

    def after(self, piece: Piece) -> New:
        """The batch with what a step added to it."""
        told = {node.id: node for node in piece.nodes if isinstance(node, Note)}
        ours = {note.id for note in self.notes}
        return replace(
            self,
            notes=tuple(told.get(note.id, note) for note in self.notes),
            edges=(*self.edges, *piece.edges),
            changed={**self.changed, **{id: note for id, note in told.items() if id not in ours}},
        )


class Step(Protocol):
    """One mechanism. `pieces` yields what to write in bounded parts, each one transaction, and reads a fresh snapshot
    for each; over what it wrote it yields nothing that changes anything."""

    @property
    def name(self) -> str: ...

    def pieces(self, view: View) -> Iterator[Piece]: ...


@runtime_checkable
class AtWrite(Protocol):
    """A step that also looks at each batch before it is written, in bounded work a note."""

    def at_write(self, reader: Reader, new: New) -> Piece: ...


@dataclass(frozen=True, slots=True)
class Organizer:
    """Steps in their order. Each step is a value that holds its own scalars."""

    name: str
    steps: tuple[Step, ...]

    def at_write(self, reader: Reader, new: New) -> tuple[New, tuple[Piece, ...]]:
        """The batch after every step that looks at batches, and what each added."""
        pieces = []
        for step in self.steps:
            if isinstance(step, AtWrite):
                piece = step.at_write(reader, new)
                if piece:
                    new = new.after(piece)
                    pieces.append(piece)
        return new, tuple(pieces)


def without(organizer: Organizer, *names: str) -> Organizer:
    """The organiser with these steps left out, for an ablation. Raises InputError for a step that it has not."""
    known = [step.name for step in organizer.steps]
    for name in names:
        if name not in known:
            raise InputError(f"organiser {organizer.name} has no step {name!r}", hint=f"its steps: {', '.join(known)}")
    steps: Sequence[Step] = [step for step in organizer.steps if step.name not in names]
    return Organizer(f"{organizer.name} without {', '.join(names)}", tuple(steps))


def next_version(note: Note, stored: Node | None) -> Note | None:
    """The note as the next version of the stored one; None when that says the same."""
    if not isinstance(stored, Note):
        return note
    told = replace(note, version=stored.version)
    return None if told == stored else told


def written(store: Store, space: Space, batch: Batch) -> Commit | None:
    """Writes what steps have made. A note that a step linked to may have been forgotten since it was read: then
    nothing is written and that is a Conflict, so that the batch is computed again."""
    try:
        return store.write(space, batch)
    except InputError as error:
        ours = {node.id for node in batch.nodes}
        ends = list(dict.fromkeys(id for edge in batch.edges for id in (edge.src, edge.dst) if id not in ours))
        with store.reader(space) as reader:
            gone = bool((reader.numbers(ends) < 0).any())
        if not gone:
            raise
        raise Conflict("a node that the batch links to is gone", hint="read again and compute it anew") from error
