"""A store on a Neo4j server: any number of processes write, one at a time in a space, spaces in parallel."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from graphmem.analysis import ANALYSER_VERSION
from graphmem.errors import NotFound, StoreReadOnly
from graphmem.schema import Batch, Commit, ForgetReport, Id, Item, Job, JobState, Recall, Space
from graphmem.stores.base import Reader
from graphmem.stores.batchwrite import fitting, prepare
from graphmem.stores.neo4j import check, erase, jobs, journal, kept, undo, vectors, words, write
from graphmem.stores.neo4j.code_cache import CodeCache
from graphmem.stores.neo4j.connect import Settings
from graphmem.stores.neo4j.counter import Counter, put_back, take
from graphmem.stores.neo4j.migrate import filters, migrate, server_version
from graphmem.stores.neo4j.reader import Neo4jReader
from graphmem.stores.neo4j.server import Server, Tx, rows
from graphmem.stores.neo4j.vector_cache import VectorCache
from graphmem.stores.neo4j.vectors import VectorWriter
from graphmem.stores.neo4j.words import Vocabulary
from graphmem.stores.neo4j.write import Means

RETRY_S = 30.0

SPACE = "MATCH (c:_Counter {name: $name}) RETURN c.name, c.key, c.space, c.embedder"
SPACES = "MATCH (c:_Counter) WHERE c.name IS NOT NULL RETURN c.name, c.key, c.space, c.embedder ORDER BY c.name"
# The number is taken from the one meta node, whose lock keeps two makers of spaces apart.
NEW_NUMBER = "MATCH (m:_Meta {name: 'graphmem'}) SET m.spaces = coalesce(m.spaces, 0) + 1 RETURN m.spaces"
PUT_SPACE = """CREATE (c:_Counter {space: $number, name: $name, key: $key, embedder: '', seq: 0, next: 1,
  chain: $chain})
  CREATE (:Space {graphmem: $number, name: $name})"""
NAME_EMBEDDER = """MATCH (c:_Counter {space: $space}) SET c.embedder = $name
  WITH c MATCH (s:Space) WHERE s.graphmem = c.space SET s.embedder = $name"""
FORMATS_HELD = "MATCH (m:_Meta {name: 'graphmem'}) RETURN m.formats"
PUT_FORMATS = "MATCH (m:_Meta {name: 'graphmem'}) SET m.formats = $formats"

#: What derived properties are made by. A store of another make is rebuilt when it is opened for writing.
FORMATS = f"analyser {ANALYSER_VERSION} words {words.FORMAT} vectors {vectors.FORMAT}"

T = TypeVar("T")


class Neo4jStore:
    """Safe to use from several threads and processes. Close it: it owns the driver and its connections.

    `url` as the official driver takes it: neo4j:// (routing, for clusters and hosted services) or bolt://, with +s or
    +ssc for TLS. Credentials and database come from NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE. `dimension` is
    that of the vectors; the first batch with vectors settles it for good. What the server or the network refuse for a
    moment is tried again for `retry_s`, then StoreBusy.
    """

    def __init__(self, url: str, *, read_only: bool = False, dimension: int = 384, retry_s: float = RETRY_S) -> None:
        self.read_only = read_only
        self._server = Server(Settings.of(url), retry_s=retry_s)
        self.url = self._server.url
        self._cache = VectorCache()
        self._codes = CodeCache(self._server.read_aside)
        self._vocabularies: dict[int, Vocabulary] = {}
        self._settling = threading.Lock()
        self._settled: int | None = None
        self._dimension = dimension
        try:
            self._open()
        except BaseException:
            self._server.close()
            raise

    def _open(self) -> None:
        version = server_version(self._server)
        migrate(self._server, read_only=self.read_only)
        self._packed = filters(version)
        self._settle()
        self._filtered = self._packed and vectors.can_filter(self._server)
        held = self._server.read(FORMATS_HELD, {})
        if held and held[0][0] != FORMATS:
            if self.read_only:
                raise StoreReadOnly(
                    "what is derived in the store was made by another version",
                    hint="open it once for writing",
                    source=self.url,
                )
            for space in self.spaces():
                self.rebuild(space)
            self._server.schema(PUT_FORMATS, {"formats": FORMATS})
        if not self.read_only:
            erase.sweep(self._server)

    def _settle(self) -> None:
        self._settled = vectors.dimension(self._server)
        self._dimension = self._settled or self._dimension

    @property
    def round_trips(self) -> int:
        """Of reads, since the store was opened."""
        return self._server.round_trips

    # -- spaces

    def space(self, name: str, *, create: bool = True, key: bytes | None = None) -> Space:
        wanted = Space(name, key or secrets.token_bytes(16))
        found = self._server.read(SPACE, {"name": name})
        if not found:
            if not create or self.read_only:
                raise NotFound(f"no space {name!r} in {self.url}", hint="`remember` makes it")
            found = self._write(lambda tx, token, again: self._make_space(tx, wanted))  # noqa: ARG005
        return self._space(found[0])

    def _make_space(self, tx: Tx, wanted: Space) -> list[list[Any]]:
        number = rows(tx, NEW_NUMBER)[0][0]
        found = rows(tx, SPACE, name=wanted.name)  # another writer may have been first
        if not found:
            rows(tx, PUT_SPACE, number=number, name=wanted.name, key=wanted.key, chain=b"")
            found = [[wanted.name, wanted.key, number, ""]]
        return found

    def _space(self, row: Sequence[Any]) -> Space:
        return Space(row[0], bytes(row[1]), row[2], row[3])

    def spaces(self) -> list[Space]:
        return [self._space(row) for row in self._server.read(SPACES, {})]

    def _vocabulary(self, space: Space) -> Vocabulary:
        known = self._vocabularies.get(space.number)
        if known is None:
            known = self._vocabularies[space.number] = Vocabulary(space)
        return known

    # -- reading

    @contextmanager
    def reader(self, space: Space, *, deadline_s: float | None = None) -> Iterator[Reader]:
        if self._settled is None:
            self._settle()
        yield Neo4jReader(
            self._server,
            space,
            cache=self._cache,
            codes=self._codes,
            vocabulary=self._vocabulary(space),
            dimension=self._dimension,
            filtered=self._filtered,
            deadline_s=deadline_s,
        )

    # -- writing

    def _write(self, work: Callable[[Tx, str, bool], T]) -> T:
        if self.read_only:
            raise StoreReadOnly("the store is open for reading only", hint="open it for writing", source=self.url)
        with fitting():
            return self._server.write(work)

    def _in(self, space: Space, work: Callable[[Tx, Counter, Means, bool], T]) -> T:
        """`work` in a transaction that holds the space's counter."""
        writer = None if self._settled is None else VectorWriter(self._settled, self._packed)

        def taken(tx: Tx, token: str, again: bool) -> T:
            counter = take(tx, space)
            return work(tx, counter, Means(self._vocabulary(space), writer, token), again)

        return self._write(taken)

    def write(self, space: Space, batch: Batch) -> Commit | None:
        with fitting(ValueError):
            prepared = prepare(batch)
        if batch.vectors is not None and len(batch.vectors) and self._settled is None:
            self._settle_dimension(batch.vectors.shape[-1])

        def work(tx: Tx, counter: Counter, means: Means, again: bool) -> Commit | None:
            if again and (kept := journal.of_token(tx, space, means.token)):
                put_back(tx, counter)
                return kept
            if again and jobs.refused(tx, means.token):
                put_back(tx, counter)
                return None
            return write.write(tx, space, prepared, counter, means)

        return self._in(space, work)

    def _settle_dimension(self, wanted: int) -> None:
        if self.read_only:
            return
        with self._settling:
            if self._settled is None:
                self._settled = vectors.settle(self._server, wanted, filtered=self._packed)
                self._dimension = self._settled
                self._filtered = self._packed and vectors.can_filter(self._server)

    def name_embedder(self, space: Space, name: str) -> None:
        self._write(lambda tx, token, again: rows(tx, NAME_EMBEDDER, space=space.number, name=name))  # noqa: ARG005

    # -- jobs

    def open_job(self, space: Space, spec: dict[str, Any]) -> Job:
        job = Job(secrets.token_hex(16), JobState.OPEN, dict(spec), time.time_ns() // 1000)
        self.put_jobs(space, [job])
        return job

    def close_job(self, space: Space, job: Id, state: JobState) -> None:
        now_us = time.time_ns() // 1000
        self._beside(space, lambda tx: jobs.close_job(tx, space.number, job, state, now_us))

    def put_jobs(self, space: Space, repeated: Sequence[Job]) -> None:
        self._beside(space, lambda tx: jobs.put_jobs(tx, space.number, repeated))

    def put_items(self, space: Space, items: Sequence[Item]) -> None:
        self._beside(space, lambda tx: jobs.put_items(tx, space.number, items))

    def _beside(self, space: Space, work: Callable[[Tx], None]) -> None:
        """What is no commit, but waits its turn like one."""

        def held(tx: Tx, counter: Counter, means: Means, again: bool) -> None:  # noqa: ARG001
            work(tx)
            put_back(tx, counter)

        self._in(space, held)

    def undo(self, space: Space, job: Id) -> Commit | None:
        def work(tx: Tx, counter: Counter, means: Means, again: bool) -> Commit | None:
            if again and (kept := journal.of_token(tx, space, means.token)):
                put_back(tx, counter)
                return kept
            return undo.undo(tx, space, counter, job, means)

        return self._in(space, work)

    # -- governing

    def forget(self, space: Space, ids: Sequence[Id], *, actor: str = "user") -> ForgetReport:
        def work(tx: Tx, counter: Counter, means: Means, again: bool) -> ForgetReport:
            if again and (kept := erase.of_token(tx, means.token)):
                put_back(tx, counter)
                return kept
            return erase.forget(tx, space, counter, ids, actor=actor, token=means.token)

        report = self._in(space, work)
        self._forgotten(space)
        return report

    def forget_space(self, space: Space) -> ForgetReport:
        def work(tx: Tx, token: str, again: bool) -> ForgetReport:
            if again and (kept := erase.of_token(tx, token)):
                return kept
            return erase.drop_counter(tx, space, take(tx, space), token)

        report = self._write(work)
        self._forgotten(space)
        erase.sweep(self._server)
        return report

    def _forgotten(self, space: Space) -> None:
        self._drop(space)
        self._vocabularies.pop(space.number, None)

    def used(self, space: Space, ids: Sequence[Id], now_us: int, *, useful: bool = True) -> None:
        self._write(lambda tx, token, again: jobs.count_use(tx, space.number, ids, now_us, useful=useful))  # noqa: ARG005

    def keep(self, space: Space, recalled: Recall) -> Id:
        id = secrets.token_hex(16)

        def work(tx: Tx, token: str, again: bool) -> None:  # noqa: ARG001
            if not (again and kept.is_there(tx, id)):
                kept.keep(tx, space, recalled, id)

        self._write(work)
        return id

    def rebuild(self, space: Space) -> None:
        self._in(space, lambda tx, counter, means, again: check.rebuild(tx, space, counter, means.vocabulary))  # noqa: ARG005
        self._drop(space)

    def _drop(self, space: Space) -> None:
        self._cache.drop(space.number)
        self._codes.drop(space.number)

    def close(self) -> None:
        self._codes.close()
        self._server.close()
