"""Passages in, report out: place -> construct -> embed -> organize -> write, in batches. `remember` and
every job use it.

Batches are cut by position in the source, never by what is left to do: a resumed run equals an undisturbed one.
Everything slow (construction, embedding) happens before the store's writer lock is taken; on `Conflict` the batch is
computed again from what the store holds now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from graphmem.analysis import embedded_text
from graphmem.construct import Asking, Constructed, Constructor, note_texts
from graphmem.construct.proposing import go_on
from graphmem.embed import Ahead
from graphmem.jobs import until_no_conflict
from graphmem.oldnotes import near, standing
from graphmem.organize import STANDARD, AtWrite, New, Organizer, Piece, written
from graphmem.placing import Placed, Placer, resolve_source, retired_ids, tail_placer
from graphmem.schema import (
    Batch,
    Entity,
    Id,
    Item,
    ItemState,
    Note,
    Passage,
    PassageDraft,
    Report,
    Source,
    SourceDraft,
    Space,
)
from graphmem.stores.base import Reader, Store

#: Passages of one batch, one transaction: about four seconds of embedding, which is what a kill -9 can cost.
BATCH_PASSAGES = 256
#: A batch is also cut at this many characters, so that memory stays bounded whatever a chunk holds.
BATCH_CHARS = 1_000_000
#: Characters that small sources are embedded together for: about four seconds again, some twenty forward passes.
AHEAD_CHARS = 50_000


Made = TypeVar("Made", Entity, Note)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a batch belongs to: the job and its item, who asked and why."""

    job: Id | None = None
    item: str = ""
    actor: str = "user"
    cause: str = "remember"
    durable: bool = True
    is_stopped: Callable[[], bool] = go_on


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Holds no state of its own; safe to share between threads as far as its parts are."""

    store: Store
    space: Space
    embedder: Ahead
    constructor: Constructor
    organizer: Organizer = STANDARD

    def embed_ahead(self, sources: Iterable[tuple[SourceDraft, Sequence[PassageDraft]]]) -> None:
        """Embeds in one call what these small sources will need: a page of five sentences takes 52 ms of one core
        instead of 80. Construction by rules makes a passage's notes from its text alone, so they are known before."""
        passages = [
            passage
            for draft, drafts in sources
            for passage in Placer(self.space.key, Source("", draft.kind, draft.outside_id, draft.title))
            .place(drafts)
            .passages
        ]
        texts = [embedded_text(passage) for passage in passages]
        notes = [text for passage in passages for text in note_texts(passage.text)]
        self.embedder.ahead([*texts, *notes], [True] * len(texts) + [False] * len(notes))

    def append(self, draft: SourceDraft, drafts: Iterable[PassageDraft], origin: Origin) -> Report:
        """Adds to a live source (a conversation that goes on), after what it holds now."""
        began, total = time.perf_counter(), Report(job=origin.job)
        for chunk in batches(drafts):
            total = added(total, until_no_conflict(partial(self._append, draft, chunk, origin)))
        return replace(total, seconds=time.perf_counter() - began)

    def ingest(
        self,
        draft: SourceDraft,
        drafts: Iterable[PassageDraft],
        origin: Origin,
        *,
        start: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Report:
        """Writes a whole source. Its first `start` drafts are written already. `progress` is told the number of
        drafts behind it after each batch. The item's cursor is committed with each batch."""
        began, total, at = time.perf_counter(), Report(job=origin.job), 0
        with self.store.reader(self.space) as reader:
            source, superseded = resolve_source(self.space.key, reader, draft)
            retired = retired_ids(reader, superseded) if superseded is not None else ()
        placer = Placer(self.space.key, source)
        for chunk in batches(drafts):
            placed = placer.place(chunk)
            at += len(chunk)
            if at > start:
                write = partial(self._write, placed, origin, retired, cursor(origin, at))
                total = added(total, until_no_conflict(write))
                retired = ()
                if progress is not None:
                    progress(at)
        if origin.job is not None:
            self.store.put_items(self.space, [Item(origin.job, origin.item, ItemState.DONE, at)])
        return replace(total, seconds=time.perf_counter() - began)

    def _append(self, draft: SourceDraft, drafts: Sequence[PassageDraft], origin: Origin) -> Report:
        with self.store.reader(self.space) as reader:
            source, _ = resolve_source(self.space.key, reader, draft)
            placer = tail_placer(self.space.key, reader, source, drafts)
            stored = reader.get(placer.ids(drafts))
        there = {id: node for id, node in stored.items() if isinstance(node, Passage)}
        return self._write(placer.place(drafts, there), origin, (), ())

    def _write(self, placed: Placed, origin: Origin, retired: tuple[Id, ...], items: tuple[Item, ...]) -> Report:
        """One batch: nothing slow happens under the writer's lock, and what is there already costs no embedding."""
        with self.store.reader(self.space) as reader:
            numbers = reader.numbers([passage.id for passage in placed.passages])
            if (numbers >= 0).all() and not retired:
                if items:
                    self.store.put_items(self.space, items)
                return Report(job=origin.job, seq=reader.seq, skipped=len(placed.passages))
            known = self._known(reader, placed.source, placed.passages)
        asking = Asking(origin.job, partial(near, self.store, self.space), origin.is_stopped)
        built = self.constructor.build(
            self.space.key, placed.source, placed.passages, known=known, before=placed.before, asking=asking
        )
        built = replace(built, entities=self._unknown(built.entities), notes=self._unknown(built.notes))
        built = standing(self.store, self.space, built)
        commit = written(self.store, self.space, self._batch(placed, built, origin, retired, items))
        return self._asked(report(placed, built, origin.job, commit.seq if commit else 0))

    def _asked(self, done: Report) -> Report:
        """The report with what asking a proposer has taken."""
        proposer = self.constructor.proposer
        if proposer is None:
            return done
        took = proposer.told(done.job)
        return replace(done, calls=took.calls, prompt_chars=took.prompt_chars, answer_chars=took.answer_chars)

    def _known(self, reader: Reader, source: Source, passages: Sequence[Passage]) -> dict[str, tuple[Entity, ...]]:
        """The entities that names in these passages stand for already, by folded name."""
        names = sorted(self.constructor.names(source, passages))
        found = reader.entities(names)
        known: dict[str, tuple[Entity, ...]] = {}
        for index, node in zip(found.name.tolist(), reader.nodes(found.number), strict=True):
            if isinstance(node, Entity):
                known[names[index]] = (*known.get(names[index], ()), node)
        return known

    def _unknown(self, nodes: tuple[Made, ...]) -> tuple[Made, ...]:
        """Those that the store does not hold. What is there stays as it is: an entity that a name did not lead to but
        that has the same identity is the same entity, and a note may have evolved since."""
        with self.store.reader(self.space) as reader:
            numbers = reader.numbers([node.id for node in nodes])
        return tuple(node for node, number in zip(nodes, numbers.tolist(), strict=True) if number < 0)

    def _batch(
        self, placed: Placed, built: Constructed, origin: Origin, retired: tuple[Id, ...], items: tuple[Item, ...]
    ) -> Batch:
        ids, texts = embeddable(placed.passages, built.notes)
        passages = len(placed.passages)
        embedded = self.embedder.texts(texts, tokens=[True] * passages + [False] * (len(ids) - passages))
        new, pieces = self._organized(placed, built, dict(zip(ids, embedded.vectors, strict=True)))
        batch = Batch(
            actor=origin.actor,
            cause=origin.cause,
            job=origin.job,
            nodes=(placed.source, *placed.sections, *placed.passages, *built.entities, *new.notes, *built.hyperedges),
            edges=(*placed.edges, *new.edges),
            aliases=built.aliases,
            vector_ids=tuple(ids),
            vectors=embedded.vectors,
            tokens=dict(zip(ids, embedded.tokens[:passages], strict=False)),
            retire=retired,
            items=items,
            refusals=built.refusals,
            durable=origin.durable,
        )
        return self._with(batch, new, pieces) if pieces else batch

    def _organized(
        self, placed: Placed, built: Constructed, vectors: Mapping[Id, npt.NDArray[np.float16]]
    ) -> tuple[New, tuple[Piece, ...]]:
        """What the organiser's steps make of the batch, from what the store holds now."""
        new = New(
            self.space.key,
            placed.source,
            tuple(placed.passages),
            built.notes,
            built.edges,
            vectors,
            placed.before,
        )
        if not any(isinstance(step, AtWrite) for step in self.organizer.steps):
            return new, ()
        with self.store.reader(self.space) as reader:
            return self.organizer.at_write(reader, new)

    def _with(self, batch: Batch, new: New, pieces: Sequence[Piece]) -> Batch:
        """The batch with what the steps made beside its notes and edges; what they wrote anew is embedded."""
        ours = {note.id for note in new.notes}
        nodes = {node.id: node for piece in pieces for node in piece.nodes if node.id not in ours} | dict(new.changed)
        said = [node for node in nodes.values() if isinstance(node, Note) and not (node.spans and node.version)]
        made = self.embedder.texts([note.text for note in said]).vectors if said else None
        known = batch.vectors
        return replace(
            batch,
            nodes=(*batch.nodes, *nodes.values()),
            aliases=(*batch.aliases, *(alias for piece in pieces for alias in piece.aliases)),
            delete=tuple(gone for piece in pieces for gone in piece.delete),
            refusals=(*batch.refusals, *(refusal for piece in pieces for refusal in piece.refusals)),
            vector_ids=(*batch.vector_ids, *(note.id for note in said)),
            vectors=known if made is None or known is None else np.concatenate([known, made]),
        )


def cursor(origin: Origin, at: int) -> tuple[Item, ...]:
    return (Item(origin.job, origin.item, ItemState.PENDING, at),) if origin.job is not None else ()


def batches(drafts: Iterable[PassageDraft]) -> Iterator[list[PassageDraft]]:
    """Cut by position and size of the drafts alone, so that the cuts are the same in every run."""
    iterator, pending = iter(drafts), list[PassageDraft]()
    while chunk := pending or list(islice(iterator, BATCH_PASSAGES)):
        size, end = 0, 0
        for draft in chunk:
            size += len(draft.text)
            if end and size > BATCH_CHARS:
                break
            end += 1
        yield chunk[:end]
        pending = chunk[end:]


def in_groups(
    sources: Iterable[tuple[SourceDraft, Sequence[PassageDraft]]],
) -> Iterator[list[tuple[SourceDraft, Sequence[PassageDraft]]]]:
    """Sources that are embedded together: up to BATCH_PASSAGES passages and AHEAD_CHARS, one source at least."""
    group: list[tuple[SourceDraft, Sequence[PassageDraft]]] = []
    passages = chars = 0
    for source, drafts in sources:
        size = sum(len(draft.text) for draft in drafts)
        if group and (passages + len(drafts) > BATCH_PASSAGES or chars + size > AHEAD_CHARS):
            yield group
            group, passages, chars = [], 0, 0
        group.append((source, drafts))
        passages, chars = passages + len(drafts), chars + size
    if group:
        yield group


def embeddable(passages: Sequence[Passage], notes: Sequence[Note]) -> tuple[list[Id], list[str]]:
    """Ids and texts to embed, passages before notes."""
    ids = [*(passage.id for passage in passages), *(note.id for note in notes)]
    return ids, [*(embedded_text(passage) for passage in passages), *(note.text for note in notes)]


def report(placed: Placed, built: Constructed, job: Id | None, seq: int) -> Report:
    return Report(
        job=job,
        seq=seq,
        sources=1,
        passages=len(placed.passages),
        notes=len(built.notes),
        entities=len(built.entities),
        hyperedges=len(built.hyperedges),
        edges=len(placed.edges) + len(built.edges),
        refusals=len(built.refusals),
        accepted=built.accepted,
        passage_ids=tuple(passage.id for passage in placed.passages),
    )


#: A report names at most this many passages: one remembered turn wants its id back, a job does not.
MAX_REPORTED_IDS = 1_000


def all_of(total: Report, part: Report) -> Report:
    """Reports of two sources as one."""
    return replace(added(total, part), sources=total.sources + part.sources)


def added(total: Report, part: Report) -> Report:
    """Reports of two batches of one source as one."""
    return Report(
        job=total.job,
        seq=max(total.seq, part.seq),
        sources=max(total.sources, part.sources),
        passages=total.passages + part.passages,
        notes=total.notes + part.notes,
        entities=total.entities + part.entities,
        hyperedges=total.hyperedges + part.hyperedges,
        edges=total.edges + part.edges,
        refusals=total.refusals + part.refusals,
        accepted=total.accepted + part.accepted,
        calls=total.calls + part.calls,
        prompt_chars=total.prompt_chars + part.prompt_chars,
        answer_chars=total.answer_chars + part.answer_chars,
        skipped=total.skipped + part.skipped,
        failed=total.failed + part.failed,
        seconds=total.seconds + part.seconds,
        passage_ids=(*total.passage_ids, *part.passage_ids)[:MAX_REPORTED_IDS],
    )
