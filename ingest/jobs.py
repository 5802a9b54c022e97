"""The job runner: files and folders in, one item a source, each batch committed together with its item's cursor.

A killed job is resumed behind the last committed batch; since batches are cut by position in the source, it ends in
the state of an undisturbed run. A file that cannot be read fails alone, before any of it is written.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from graphmem.errors import GraphmemError, InputError, JobError
from graphmem.ingest.encoding import File, NothingToRead
from graphmem.ingest.plan import Entry, absolute, expand
from graphmem.ingest.progress import Meter, ProgressCallback
from graphmem.pipeline import AHEAD_CHARS
from graphmem.schema import Id, Item, ItemState, Job, JobState, PassageDraft, Report, SourceDraft

if TYPE_CHECKING:
    from graphmem.memory import Memory

MAX_ERROR_CHARS = 2000
#: Files up to this are embedded together with their neighbours; a larger one fills calls of its own.
SMALL_BYTES = 20_000
#: What a proposer took and gave.
ASKED = ("accepted", "calls", "prompt_chars", "answer_chars")
SUMMED = ("passages", "notes", "entities", "hyperedges", "edges", "refusals", *ASKED)
UNCHANGED = "unchanged since it was last read"


def ingest(
    memory: Memory,
    paths: Iterable[str | Path] = (),
    *,
    progress: ProgressCallback | None = None,
    resume: Id | None = None,
) -> Report:
    """Reads files and folders as a job, or goes on with the job `resume` (`paths` are then those of the job).

    Report: `sources`, `skipped` and `failed` count items of this run, the rest what it wrote. Items that fail are
    recorded with error and position, and the job ends as FAILED; it can be resumed once they are put right. Raises
    InputError when a path is not there or there is nothing to read, JobError when it is stopped by Ctrl-C (which ends
    the batch first) or cannot be resumed; the store's own errors leave the job resumable.
    """
    if resume is not None:
        job = _resumable(memory, resume)
        entries = _entries_of(memory, job)
        if job.state is JobState.FAILED:
            memory.store.close_job(memory.space, job.id, JobState.OPEN)
    else:
        roots = absolute(paths)
        entries = expand(roots)
        proposing = {"proposer": memory.proposer.name} if memory.proposer is not None else {}
        job = memory.store.open_job(memory.space, {"kind": "ingest", "paths": roots, **proposing})
        pending = [Item(job.id, entry.key, ItemState.PENDING) for entry in entries]
        memory.store.put_items(memory.space, pending)
    meter = Meter(job.id, len(entries), sum(entry.size_bytes for entry in entries), progress)
    return _Run(memory, job, entries, meter).run()


def resume(memory: Memory, job: Id, *, progress: ProgressCallback | None = None) -> Report:
    """Goes on with a job that was killed, stopped, or ended with failed items (which are tried again)."""
    return ingest(memory, progress=progress, resume=job)


def _resumable(memory: Memory, id: Id) -> Job:
    job = memory.job(id)
    if job.spec.get("kind") != "ingest" or job.state is JobState.UNDONE:
        why = "was undone" if job.state is JobState.UNDONE else "is not an ingest job"
        raise JobError(f"job {job.id[:12]} {why}", hint="start a new one with `graphmem ingest PATH`")
    return job


def _entries_of(memory: Memory, job: Job) -> list[Entry]:
    """The job's own items, in their order; what came into its folders since is left to another job."""
    paths = job.spec.get("paths")
    roots = [str(path) for path in paths] if isinstance(paths, list | tuple) else []
    found = {entry.key: entry for entry in expand([root for root in roots if Path(root).exists()] or roots)}
    items = memory.items(job.id)
    if not items:  # killed before its items were written
        return list(found.values())
    order = {key: at for at, key in enumerate(found)}
    keys = sorted((item.key for item in items), key=lambda key: (order.get(key, len(order)), key))
    return [found[key] if key in found else _gone(key) for key in keys]


def _gone(key: str) -> Entry:
    file = File(Path(key), key)
    return Entry(key, file, fault=file.fault("is no longer there", hint="put it back and resume, or undo the job"))


@dataclass(slots=True)
class _Run:
    """One run over a job's items."""

    memory: Memory
    job: Job
    entries: list[Entry]
    meter: Meter
    items: dict[str, Item] = field(default_factory=dict)
    states: dict[str, ItemState] = field(default_factory=dict)  # of the items this run came to
    cursor: int = 0  # of the item under way: its passages that are committed
    embedded: int = 0  # entries before this one were embedded ahead, or are too large for it
    total: Report = field(default_factory=Report)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Report:
        self.items = {item.key: item for item in self.memory.items(self.job.id)}
        earlier = _Earlier(self.memory, self.job.id)
        with _interrupts_set(self.stop), self._left_resumable():
            for at, entry in enumerate(self.entries):
                if self.stop.is_set():
                    raise self._stopped()
                if at >= self.embedded:
                    self.embedded = self._embed_ahead(at)
                self._item(entry, earlier)
            counts = list(self.states.values()).count
            state = JobState.FAILED if counts(ItemState.FAILED) else JobState.DONE
            self.memory.store.close_job(self.memory.space, self.job.id, state)
        return replace(
            self.total,
            job=self.job.id,
            sources=counts(ItemState.DONE),
            skipped=counts(ItemState.SKIPPED),
            failed=counts(ItemState.FAILED),
            seconds=self.meter.seconds,
        )

    def _embed_ahead(self, at: int) -> int:
        """Embeds the small sources from this entry on together; returns the entry behind them. What cannot be read is
        passed over: it is told when its turn comes."""
        small: list[tuple[SourceDraft, list[PassageDraft]]] = []
        size = 0
        while at < len(self.entries):
            entry = self.entries[at]
            size += entry.size_bytes
            if entry.size_bytes > SMALL_BYTES or size > AHEAD_CHARS:
                break
            at += 1
            if (read := self._small(entry)) is not None:
                small.append(read)
        if len(small) > 1:
            self.memory.embed_ahead(small)
        return at

    def _small(self, entry: Entry) -> tuple[SourceDraft, list[PassageDraft]] | None:
        """A source that this run has yet to write, with all its passages; None when there is nothing to write."""
        before = self.items.get(entry.key)
        if entry.skip or entry.fault or (before and before.state in (ItemState.DONE, ItemState.SKIPPED)):
            return None
        try:
            source, drafts = entry.open()
            return None if self._stored_digest(source) == source.digest else (source, list(drafts))
        except InputError:
            return None

    def _item(self, entry: Entry, earlier: _Earlier) -> None:
        before = self.items.get(entry.key)
        self.cursor = before.cursor if before is not None else 0
        written, share = 0, 0.0
        if before is not None and before.state in (ItemState.DONE, ItemState.SKIPPED):
            pass
        elif entry.skip:
            self._put(entry, ItemState.SKIPPED, self.cursor, entry.skip)
        else:
            try:
                written, share = self._read(entry, earlier)
            except InputError as error:
                is_nothing = isinstance(error, NothingToRead) and not entry.named
                why = f"{error.message}; {error.hint}" if error.hint else error.message
                state = ItemState.SKIPPED if is_nothing else ItemState.FAILED
                self._put(entry, state, self.cursor, why, error.position)
        self.meter.item(entry.key, entry.size_bytes, written, share)

    def _read(self, entry: Entry, earlier: _Earlier) -> tuple[int, float]:
        """Reads a source twice: first to see that all of it can be read and how much it is, then to write it.

        Reading costs little beside embedding, and a file with a fault in its last line writes nothing. Returns the
        passages written, and the share of the source that this run had to write.
        """
        if entry.fault is not None:
            raise entry.fault
        state = _state_of(entry.file)
        source, drafts = entry.open()
        is_stored = self._stored_digest(source) == source.digest
        if is_stored and self.cursor == 0 and earlier.finished(entry.key):
            self._put(entry, ItemState.SKIPPED, 0, UNCHANGED)
            return 0, 0.0
        count = sum(1 for _ in drafts)
        start = self.cursor = self.cursor if is_stored else 0
        report = self._write(entry, source, start, count)
        if _state_of(entry.file) != state:
            raise _changed(entry.file)
        if report.passages == 0 and start == 0:
            self._put(entry, ItemState.SKIPPED, count, UNCHANGED)
            return 0, 0.0
        self.states[entry.key] = ItemState.DONE
        return report.passages, 1 - start / count

    def _write(self, entry: Entry, source: SourceDraft, start: int, count: int) -> Report:
        again, drafts = entry.open()
        if again.digest != source.digest:
            raise _changed(entry.file)

        def batch_written(at: int) -> None:
            self.cursor = at
            self.meter.batch(entry.key, entry.size_bytes, start, at, count)
            if self.stop.is_set():
                raise self._stopped()

        try:
            report = self.memory.remember_many(
                drafts,
                source=source,
                job=self.job,
                item=entry.key,
                start=start,
                progress=batch_written,
                durable=False,
                is_stopped=self.stop.is_set,
            )
        except KeyboardInterrupt:
            if not self.stop.is_set():
                raise
            raise self._stopped() from None
        sums = {name: getattr(self.total, name) + getattr(report, name) for name in SUMMED}
        self.total = replace(self.total, seq=max(self.total.seq, report.seq), **sums)
        return report

    def _stored_digest(self, source: SourceDraft) -> str | None:
        with self.memory.reader() as reader:
            stored = reader.find_source(source.kind, source.outside_id)
        return stored.digest if stored is not None else None

    def _put(self, entry: Entry, state: ItemState, cursor: int, error: str = "", position: str = "") -> None:
        item = Item(self.job.id, entry.key, state, cursor, error[:MAX_ERROR_CHARS], position)
        self.memory.store.put_items(self.memory.space, [item])
        self.states[entry.key] = state

    def _stopped(self) -> JobError:
        done, total = self.meter.items_done, len(self.entries)
        return JobError(f"stopped after {done} of {total} inputs; what was written is kept", hint=self._how_to_go_on())

    def _how_to_go_on(self) -> str:
        return f"go on with: graphmem jobs resume {self.job.id[:12]}"

    @contextmanager
    def _left_resumable(self) -> Iterator[None]:
        """Adds to what the store or a model raises that the job can be gone on with."""
        try:
            yield
        except JobError:
            raise
        except GraphmemError as error:
            error.hint = f"{error.hint}; then {self._how_to_go_on()}" if error.hint else self._how_to_go_on()
            raise


@dataclass(slots=True)
class _Earlier:
    """What became of items in earlier jobs, newest first; jobs are read only as far as asked for."""

    memory: Memory
    job: Id
    states: dict[str, ItemState] = field(default_factory=dict)
    left: list[Job] | None = None

    def finished(self, key: str) -> bool:
        """Whether the last job that came to this item got to its end. A source alone does not tell: it may be half
        written by a job that was killed."""
        if self.left is None:
            jobs = (job for job in self.memory.jobs() if job.id != self.job and job.state is not JobState.UNDONE)
            self.left = sorted(jobs, key=lambda job: job.opened_us)
        while key not in self.states and self.left:
            for item in self.memory.items(self.left.pop().id):
                self.states.setdefault(item.key, item.state)
        return self.states.get(key) in (ItemState.DONE, ItemState.SKIPPED)


def _changed(file: File) -> InputError:
    return file.fault("changed while it was read", hint="ingest it again once nothing writes to it")


def _state_of(file: File) -> tuple[int, int]:
    """What tells that a file was not written to meanwhile."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise file.fault(f"cannot be read: {error.strerror or error}", hint="put it back and resume") from error
    return status.st_size, status.st_mtime_ns


@contextmanager
def _interrupts_set(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C sets `stop`, so that the batch under way is finished first (the call, while a model is asked about it); a
    second one interrupts at once."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
