"""organize: every step over what is stored, as one job to be watched, resumed and undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphmem.jobs import until_no_conflict
from graphmem.organize.changed import ORGANIZED
from graphmem.organize.organizer import Organizer, Piece, Step, View, written
from graphmem.organize.standard import STANDARD
from graphmem.schema import (
    Batch,
    EdgeType,
    Hyperedge,
    Id,
    Item,
    ItemState,
    Job,
    JobState,
    Node,
    Note,
)
from graphmem.stores.base import Reader
from graphmem.stores.images import image

KIND = "organize"
#: The item that says up to which commit a run has looked.
COVERED = "covered"
#: Lines that a report shows of each step.
MAX_TOLD = 20


@dataclass(slots=True)
class Tally:
    """What one step made, changed and took away; `told` shows some of it in words."""

    notes: int = 0
    changed: int = 0
    deleted: int = 0
    hyperedges: int = 0
    links: int = 0
    refusals: int = 0
    told: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Organized:
    """What organising did, or in a dry run would do, by step. A dry run writes nothing, so each of its steps sees the
    memory without what the steps before it would add."""

    job: Id | None
    organizer: str
    dry_run: bool
    steps: dict[str, Tally] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        return sum(s.notes + s.changed + s.deleted + s.hyperedges + s.links for s in self.steps.values())


def organize(
    view: View,
    *,
    organizer: Organizer = STANDARD,
    job: Job | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> Organized:
    """Runs the steps one after another; goes on behind the steps that `job` has done. Running it again changes
    nothing. `progress` is told the step and how many pieces of it are done. Raises Conflict when another writer
    changed the same notes five times in a row."""
    opened = None if dry_run else job or _opened(view, organizer)
    done = _done(view, opened)
    with view.reader() as reader:
        seq = reader.seq
        view = View(view.store, view.space, view.embedder, view.now_us, covered(reader, organizer))
    total = Organized(opened.id if opened else None, organizer.name, dry_run)
    for step in organizer.steps:
        if step.name not in done:
            total.steps[step.name] = _run(view, step, opened, progress)
    if opened is not None:
        view.store.put_items(view.space, [Item(opened.id, COVERED, ItemState.DONE, seq)])
        view.store.close_job(view.space, opened.id, JobState.DONE)
    return total


def covered(reader: Reader, organizer: Organizer) -> int:
    """The last commit that a finished run of this organiser has looked at; 0 when there was none."""
    latest = 0
    for job in reader.jobs():
        if job.state is JobState.DONE and job.spec.get("kind") == KIND and job.spec.get("organizer") == organizer.name:
            latest = max([latest, *(item.cursor for item in reader.items(job.id) if item.key == COVERED)])
    return latest


def _opened(view: View, organizer: Organizer) -> Job:
    return view.store.open_job(view.space, {"kind": KIND, "organizer": organizer.name, "now_us": view.now_us})


def _done(view: View, job: Job | None) -> set[str]:
    if job is None:
        return set()
    with view.reader() as reader:
        return {item.key for item in reader.items(job.id) if item.state is ItemState.DONE}


def _run(view: View, step: Step, job: Job | None, progress: Callable[[str, int], None] | None) -> Tally:
    """One step to its end. When another writer came between, it looks again: what it has written it finds there."""
    tally = Tally()

    def run() -> None:
        for count, piece in enumerate(step.pieces(view)):
            _write(view, step, piece, job, tally)
            if progress is not None:
                progress(step.name, count + 1)

    until_no_conflict(run)
    if job is not None:
        view.store.put_items(view.space, [Item(job.id, step.name, ItemState.DONE, 0)])
    return tally


def _write(view: View, step: Step, piece: Piece, job: Job | None, tally: Tally) -> None:
    if not piece:
        return
    with view.reader() as reader:
        stored = reader.get([node.id for node in piece.nodes])
        added = _count(reader, piece, stored)
    if job is not None:
        texts = [node for node in piece.nodes if isinstance(node, Note) and _says_new(node, stored.get(node.id))]
        vectors = view.embedder.texts([note.text for note in texts]).vectors if texts else None
        written(
            view.store,
            view.space,
            Batch(
                actor=f"organizer:{step.name}",
                cause=f"{ORGANIZED}{step.name}",
                job=job.id,
                nodes=piece.nodes,
                edges=piece.edges,
                aliases=piece.aliases,
                delete=piece.delete,
                refusals=piece.refusals,
                vector_ids=tuple(note.id for note in texts),
                vectors=None if vectors is None else np.asarray(vectors, np.float16),
            ),
        )
    _add(tally, added)
    tally.told = [*tally.told, *piece.told][:MAX_TOLD]


def _says_new(note: Note, stored: Node | None) -> bool:
    return not isinstance(stored, Note) or stored.text != note.text


def _count(reader: Reader, piece: Piece, stored: dict[Id, Node]) -> Tally:
    new = [node for node in piece.nodes if node.id not in stored]
    links = [edge for edge in piece.edges if edge.type >= EdgeType.SIMILAR]
    there = _there(reader, [edge.src for edge in links])
    return Tally(
        notes=sum(isinstance(node, Note) for node in new),
        changed=sum(image(node) != image(stored[node.id]) for node in piece.nodes if node.id in stored),
        deleted=len(piece.delete),
        hyperedges=sum(isinstance(node, Hyperedge) for node in new),
        links=sum((edge.src, edge.type, edge.dst) not in there for edge in links),
        refusals=len(piece.refusals),
    )


def _there(reader: Reader, sources: Sequence[Id]) -> set[tuple[Id, EdgeType, Id]]:
    types = [type for type in EdgeType if type >= EdgeType.SIMILAR]
    ids = list(dict.fromkeys(sources))
    return {(edge.src, edge.type, edge.dst) for edge in reader.edges(ids, types, out_only=True, limit=100_000)}


def _add(total: Tally, part: Tally) -> None:
    total.notes += part.notes
    total.changed += part.changed
    total.deleted += part.deleted
    total.hyperedges += part.hyperedges
    total.links += part.links
    total.refusals += part.refusals
