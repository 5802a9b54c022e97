"""A store in one SQLite file: one writer, many readers, truth and derived rows in the same transactions."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphmem.analysis import ANALYSER_VERSION
from graphmem.errors import NotFound, StoreBusy, StoreError, StoreReadOnly
from graphmem.schema import Batch, Commit, ForgetReport, Id, Item, Job, JobState, Space
from graphmem.stores.base import Reader
from graphmem.stores.batchwrite import fitting, prepare
from graphmem.stores.sqlite import adjacency, check, codes, erase, heads, jobs, postings, undo
from graphmem.stores.sqlite.codes import CodeCache
from graphmem.stores.sqlite.connect import (
    BULK_CHECKPOINT_PAGES,
    CHECKPOINT_PAGES,
    connect,
    migrate,
    translated,
)
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.ids import look_up
from graphmem.stores.sqlite.journal import Counters
from graphmem.stores.sqlite.reader import SqliteReader, end
from graphmem.stores.sqlite.write import Write

IDLE_READERS = 8

SPACE = "SELECT number, key, embedder FROM space WHERE name = ?"
SPACES = "SELECT name, key, number, embedder FROM space ORDER BY name"
NAME_EMBEDDER = "UPDATE space SET embedder = ? WHERE number = ?"
PUT_SPACE = "INSERT INTO space(name, key) VALUES(?, ?)"
SEQ = "SELECT seq FROM space WHERE number = ?"
META = "SELECT value FROM meta WHERE key = ?"
DROP_META = "DELETE FROM meta WHERE key = ?"
PUT_META = "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"

#: What derived rows are made by. A store of another make is rebuilt when it is opened for writing.
FORMATS = (
    f"analyser {ANALYSER_VERSION} heads {heads.FORMAT} postings {postings.FORMAT} codes {codes.FORMAT} "
    f"adjacency {adjacency.FORMAT}"
)


class SqliteStore:
    """Safe to use from several threads and, through the file's own locks, from several processes.

    `dimension` is that of the vectors; the first batch with vectors settles it for good. A write waits
    `busy_timeout_s` for another writer, then raises StoreBusy. Close it: the last one folds the log into the file.
    """

    def __init__(
        self, path: str | Path, *, read_only: bool = False, dimension: int = 384, busy_timeout_s: float = 5.0
    ) -> None:
        self.path = Path(path)
        self.url = f"sqlite:///{path}"
        self.read_only = read_only or (self.path.is_file() and not os.access(self.path, os.W_OK))
        self._busy_timeout_s = busy_timeout_s
        self._dimension = dimension
        self._cache = CodeCache()
        self._writing = threading.Lock()
        self._pool: list[Derived] = []
        self._pooling = threading.Lock()
        self._writer: Derived | None = None
        self._closed = False
        self._open()

    def _open(self) -> None:
        if self.read_only:
            db = self._connect(query_only=True)
            try:
                migrate(db, self.path, read_only=True)
            except BaseException:
                db.close()
                raise
            self._dimension = self._known_dimension(db)
            if self._meta(db, "formats") != FORMATS:
                db.close()
                raise StoreReadOnly(
                    "what is derived in the store was made by another version",
                    hint="open it once for writing",
                    source=str(self.path),
                )
            self._pool.append(Derived.on(db, self._dimension, self._cache))
            return
        db = self._connect()
        try:
            migrate(db, self.path, read_only=False)
        except BaseException:
            db.close()
            raise
        self._dimension = self._known_dimension(db)
        self._writer = Derived.on(db, self._dimension, self._cache)
        if self._meta(db, "formats") != FORMATS:
            self._rebuild_all()
        if self._meta(db, "unwiped"):
            self._wipe()

    def _meta(self, db: sqlite3.Connection, key: str) -> str:
        with translated(self.path):
            row = db.execute(META, (key,)).fetchone()
        return row[0] if row else ""

    def _rebuild_all(self) -> None:
        """In one transaction, so that no reader ever meets derived rows of two makes."""
        with self._write() as derived:
            for _, _, number, _ in derived.db.execute(SPACES).fetchall():
                check.rebuild(derived.db, derived, number)
            derived.db.execute(PUT_META, ("formats", FORMATS))

    def _connect(self, *, query_only: bool = False) -> sqlite3.Connection:
        return connect(self.path, read_only=self.read_only, busy_timeout_s=self._busy_timeout_s, query_only=query_only)

    def _known_dimension(self, db: sqlite3.Connection) -> int:
        return int(self._meta(db, "dimension") or self._dimension)

    # -- spaces

    def space(self, name: str, *, create: bool = True, key: bytes | None = None) -> Space:
        wanted = Space(name, key or secrets.token_bytes(16))
        with self._read() as derived:
            row = derived.db.execute(SPACE, (name,)).fetchone()
        if row is None:
            if not create:
                raise NotFound(f"no space {name!r} in {self.path}", hint="`remember` makes it")
            with self._write() as derived:
                row = derived.db.execute(SPACE, (name,)).fetchone()  # another writer may have been first
                if row is None:
                    number = derived.db.execute(PUT_SPACE, (name, wanted.key)).lastrowid
                    row = (number, wanted.key, "")
        return Space(name, row[1], row[0], row[2])

    def spaces(self) -> list[Space]:
        with self._read() as derived:
            return [Space(*row) for row in derived.db.execute(SPACES)]

    # -- reading

    @contextmanager
    def reader(self, space: Space, *, deadline_s: float | None = None) -> Iterator[Reader]:
        with self._read() as derived:
            row = derived.db.execute(SEQ, (space.number,)).fetchone()
            if row is None:
                raise NotFound(f"no space {space.name!r} in {self.path}", hint="it was erased; open it again")
            yield SqliteReader(derived, space, row[0], self.path, deadline_s=deadline_s)

    @contextmanager
    def _read(self) -> Iterator[Derived]:
        """A pooled connection within a read transaction."""
        derived = self._borrow()
        try:
            with translated(self.path):
                derived.db.execute("BEGIN")
                yield derived
        finally:
            end(derived.db)
            self._give_back(derived)

    def _borrow(self) -> Derived:
        with self._pooling:
            if self._closed:
                raise StoreError("the store is closed", hint="open it again", source=str(self.path))
            if self._pool:
                derived = self._pool.pop()
                derived.settle(self._dimension)
                return derived
        return Derived.on(self._connect(query_only=True), self._dimension, self._cache)

    def _give_back(self, derived: Derived) -> None:
        with self._pooling:
            if not self._closed and len(self._pool) < IDLE_READERS:
                self._pool.append(derived)
                return
        derived.db.close()

    # -- writing

    @contextmanager
    def _write(self, *, durable: bool = True) -> Iterator[Derived]:
        """The writer's connection within a write transaction: all of it is kept, or nothing."""
        if self._writer is None:
            raise StoreReadOnly("the store is open for reading only", hint="open it for writing", source=str(self.path))
        if not self._writing.acquire(timeout=self._busy_timeout_s):
            raise StoreBusy("another writer holds the store", hint="try again", source=str(self.path))
        try:
            db = self._writer.db
            with translated(self.path):
                db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES if durable else BULK_CHECKPOINT_PAGES}")
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        finally:
            self._writing.release()

    def write(self, space: Space, batch: Batch) -> Commit | None:
        with fitting(ValueError):
            prepared = prepare(batch)
        with self._write(durable=batch.durable) as derived:
            if batch.vectors is not None and len(batch.vectors):
                self._settle_dimension(derived, batch.vectors.shape[-1])
            counters = Counters.of(derived.db, space.number, space.name)
            with fitting():
                return Write(derived.db, derived, space, prepared, counters).run()

    def _settle_dimension(self, derived: Derived, dimension: int) -> None:
        """The first vectors of a store say how long its vectors are."""
        if not self._meta(derived.db, "dimension"):
            derived.db.execute(PUT_META, ("dimension", str(dimension)))
        self._dimension = self._known_dimension(derived.db)
        derived.settle(self._dimension)

    def name_embedder(self, space: Space, name: str) -> None:
        with self._write() as derived:
            derived.db.execute(NAME_EMBEDDER, (name, space.number))

    # -- jobs

    def open_job(self, space: Space, spec: dict[str, Any]) -> Job:
        with self._write() as derived:
            Counters.of(derived.db, space.number, space.name)
            return jobs.open_job(derived.db, space.number, spec)

    def close_job(self, space: Space, job: Id, state: JobState) -> None:
        with self._write() as derived:
            jobs.close_job(derived.db, space.number, job, state)

    def put_jobs(self, space: Space, repeated: Sequence[Job]) -> None:
        with self._write() as derived:
            jobs.put_jobs(derived.db, space.number, repeated)

    def put_items(self, space: Space, items: Sequence[Item]) -> None:
        with self._write() as derived:
            jobs.put_items(derived.db, space.number, items)

    def undo(self, space: Space, job: Id) -> Commit | None:
        with self._write() as derived:
            counters = Counters.of(derived.db, space.number, space.name)
            return undo.undo(derived.db, derived, space, counters, job)

    # -- governing

    def forget(self, space: Space, ids: Sequence[Id], *, actor: str = "user") -> ForgetReport:
        with self._write() as derived:
            report = erase.forget(derived.db, derived, space, ids, actor)
            derived.db.execute(PUT_META, ("unwiped", "1"))
        return self._wiped(space, report)

    def forget_space(self, space: Space) -> ForgetReport:
        with self._write() as derived:
            report = erase.forget_space(derived.db, derived, space)
            derived.db.execute(PUT_META, ("unwiped", "1"))
        return self._wiped(space, report)

    def _wiped(self, space: Space, report: ForgetReport) -> ForgetReport:
        self._cache.drop(space.number)
        return ForgetReport(report.tombstone, report.counts, (*report.remarks, *self._wipe()))

    def _wipe(self) -> tuple[str, ...]:
        """No byte stays: the file is written anew from what lives, the log is folded in and cut to nothing.

        What another process holds back is remarked; it is tried again when the store is next opened for writing."""
        assert self._writer is not None
        with self._writing:
            try:
                with translated(self.path):
                    remarks = erase.wipe(self._writer.db)
                    if not remarks:
                        self._writer.db.execute(DROP_META, ("unwiped",))
            except StoreBusy:
                return (f"another process writes: {erase.STILL_THERE}",)
        return remarks

    def used(self, space: Space, ids: Sequence[Id], now_us: int, *, useful: bool = True) -> None:
        with self._write(durable=False) as derived:
            found = look_up(derived.db, space.number, ids)
            jobs.count_use(derived.db, [stored.n for stored in found.values()], now_us, useful=useful)

    def rebuild(self, space: Space) -> None:
        with self._write() as derived:
            check.rebuild(derived.db, derived, space.number)
        self._cache.drop(space.number)

    def close(self) -> None:
        """Closes what is idle at once, what is still read when its reader ends."""
        with self._pooling:
            self._closed = True
            idle, self._pool = self._pool, []
        for derived in idle:
            derived.db.close()
        if self._writer is not None:
            with self._writing:
                self._writer.db.close()
