"""Keeps what a reflection found: its merged hyperedges, and a summary note whose parents are the notes they join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphmem.embed import Embedder
from graphmem.errors import NotFound
from graphmem.jobs import until_no_conflict, write_as_job
from graphmem.schema import (
    Batch,
    EdgeType,
    Hyperedge,
    Id,
    Node,
    Note,
    NoteKind,
    Reflection,
    Space,
    WorkingEdge,
    fold,
    note_id,
)
from graphmem.stores.base import Reader, Store
from graphmem.stores.images import image

KIND = "reflect"
#: Merged hyperedges of one reflection that are kept, the best ones, and notes that its summary is made of.
MAX_KEPT = 4
MAX_PARENTS = 8
MAX_TEXT_CHARS = 1_200


def keep(store: Store, space: Space, embedder: Embedder, done: Reflection) -> Reflection:
    """Writes it as one commit of one job, so that it can be undone. The same result again changes nothing and opens no
    job. Raises NotFound when some of its evidence has been forgotten since, Conflict when others wrote the same five
    times in a row."""

    def write() -> Reflection:
        with store.reader(space) as reader:
            nodes = changed(reader, nodes_of(reader, space.key, done))
            told = reader.refusals()
        refusals = tuple(refusal for refusal in done.refusals if refusal not in told)
        if not nodes and not refusals:
            return done
        return replace(done, job=_written(store, space, embedder, replace(done, refusals=refusals), nodes))

    return until_no_conflict(write)


def nodes_of(reader: Reader, key: bytes, done: Reflection) -> list[Node]:
    """The best merged hyperedges, or the best single fact when nothing was merged, and the summary of their notes."""
    kept = best_edges(done)
    ids = list(dict.fromkeys(member.node for edge in kept for member in edge.members if member.role is EdgeType.OBJECT))
    there = reader.get([*ids, *(member.node for edge in kept for member in edge.members)])
    missing = [member.node for edge in kept for member in edge.members if member.node not in there]
    if missing:
        raise NotFound(
            f"{len(set(missing))} of what the reflection found are not in memory any more", hint="reflect again"
        )
    parents = [node for id in ids[:MAX_PARENTS] if isinstance(node := there[id], Note)]
    if not parents:
        return []
    subject = f"reflect:{fold(done.question)}"
    id = note_id(key, NoteKind.SUMMARY, (), subject)
    stored = reader.get([id]).get(id)
    summary = Note(
        id,
        NoteKind.SUMMARY,
        summed(parents),
        parents=tuple(sorted(note.id for note in parents)),
        context=done.question[:MAX_TEXT_CHARS],
        made_by="reflect",
        subject=subject,
        version=stored.version if isinstance(stored, Note) else 0,
    )
    known = reader.get([edge.id for edge in kept])
    return [*(replace(edge, version=known[edge.id].version if edge.id in known else 0) for edge in kept), summary]


def best_edges(done: Reflection) -> list[Hyperedge]:
    """Those whose evidence is ranked, widest first of equals; what another one extends is left out."""
    ranked = {one.passage.id: one.score for one in done.recall.passages}
    joined = [edge for edge in done.edges if edge.joins] or list(done.edges[:1])
    extended = {id for edge in joined for id in edge.joins}

    def worth(edge: WorkingEdge) -> tuple[float, int, Id]:
        weakest = min((ranked.get(span.passage, float("-inf")) for span in edge.edge.spans), default=float("-inf"))
        return -weakest, -len(edge.edge.spans), edge.edge.id

    fit = [edge for edge in sorted(joined, key=worth) if worth(edge)[0] < float("inf")]
    return [edge.edge for edge in fit if edge.edge.id not in extended][:MAX_KEPT]


def summed(notes: Sequence[Note]) -> str:
    """The notes' texts one after another, cut at a note."""
    text = notes[0].text[:MAX_TEXT_CHARS]
    for note in notes[1:]:
        if len(text) + 1 + len(note.text) > MAX_TEXT_CHARS:
            break
        text = f"{text} {note.text}"
    return text


def changed(reader: Reader, nodes: Sequence[Node]) -> list[Node]:
    """Those that are not stored as they are."""
    stored = reader.get([node.id for node in nodes])
    return [node for node in nodes if node.id not in stored or image(stored[node.id]) != image(node)]


def _written(store: Store, space: Space, embedder: Embedder, done: Reflection, nodes: Sequence[Node]) -> Id:
    notes = [node for node in nodes if isinstance(node, Note)]
    vectors = np.asarray(embedder.texts([note.text for note in notes]).vectors, np.float16) if notes else None
    batch = Batch(
        actor="reflect",
        cause="reflect",
        nodes=tuple(nodes),
        vector_ids=tuple(note.id for note in notes),
        vectors=vectors,
        refusals=done.refusals,
    )
    spec = {"kind": KIND, "question": done.question[:500]}
    return write_as_job(store, space, spec, batch, item="kept")[0]
