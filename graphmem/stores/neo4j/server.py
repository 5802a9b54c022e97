"""Statements to the server: reads that may be asked again, and writes that are done once."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from neo4j import READ_ACCESS, WRITE_ACCESS, GraphDatabase, ManagedTransaction, Query, unit_of_work
from neo4j.exceptions import DriverError, IncompleteCommit, Neo4jError

from graphmem.errors import DeadlineExceeded, StoreError
from graphmem.stores.neo4j.connect import Settings, connected, in_our_words

Tx = ManagedTransaction
Rows = list[list[Any]]
T = TypeVar("T")

WRITE_TIMEOUT_S = 600.0
ASIDE_TIMEOUT_S = 10.0
FIRST_RETRY_S = 0.05
MAX_RETRY_DELAY_S = 1.0


def pairs(found: Rows) -> dict[Any, Any]:
    """Rows of two as a dictionary."""
    return {row[0]: row[1] for row in found}


def rows(tx: Tx, statement: str, **parameters: Any) -> Rows:
    return tx.run(statement, parameters).values()


def unsure(url: str) -> StoreError:
    return StoreError(
        "the connection broke while the batch was committed: it may or may not be written",
        hint="write it again: what is there already changes nothing",
        source=url,
    )


class Server:
    """One driver with a pool of connections, safe to share between threads. Close it.

    All sessions share a bookmark manager: in a cluster a read sees what this store has written before it.
    """

    def __init__(self, settings: Settings, *, retry_s: float) -> None:
        self.url = settings.url
        self.retry_s = retry_s
        self._database = settings.database
        self._driver = connected(settings)
        self._bookmarks = GraphDatabase.bookmark_manager()
        self._counting = threading.Lock()
        self.round_trips = 0  # of reads, since the store was opened

    def _session(self, mode: str) -> Any:
        return self._driver.session(
            database=self._database, default_access_mode=mode, bookmark_manager=self._bookmarks, fetch_size=-1
        )

    def read(self, statement: str, parameters: Mapping[str, Any], *, end: float | None = None) -> Rows:
        """The rows of one statement in a transaction of its own: one round trip. Asked again when the connection breaks
        or the server wants it, until `end` (of time.monotonic), else for `retry_s`."""

        def ask() -> Rows:
            with self._counting:
                self.round_trips += 1
            return self._read(statement, parameters, end)

        return self._again(ask, end)

    def read_aside(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        """A read that no caller waits for: not counted, and given up after `ASIDE_TIMEOUT_S`."""
        end = time.monotonic() + ASIDE_TIMEOUT_S
        return self._again(lambda: self._read(statement, parameters, end), end)

    def _read(self, statement: str, parameters: Mapping[str, Any], end: float | None) -> Rows:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise DeadlineExceeded("the read ran past its deadline", hint="allow more time", source=self.url)
        return self._run(READ_ACCESS, Query(statement, timeout=left), parameters)

    def schema(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """A statement that no transaction of ours may hold, and that may be repeated: schema that is made when it is
        not there, deletes in batches."""
        return self._again(lambda: self._run(WRITE_ACCESS, Query(statement), parameters or {}), None)

    def _run(self, mode: str, query: Query, parameters: Mapping[str, Any]) -> Rows:
        with self._session(mode) as session:
            return session.run(query, parameters).values()  # type: ignore[no-any-return]

    def _again(self, ask: Callable[[], Rows], end: float | None) -> Rows:
        give_up = time.monotonic() + self.retry_s if end is None else end
        delay = FIRST_RETRY_S
        while True:
            try:
                return ask()
            except (Neo4jError, DriverError) as error:
                if not error.is_retryable() or time.monotonic() + delay > give_up:
                    raise in_our_words(error, self.url) from error
            time.sleep(delay)
            delay = min(2 * delay, MAX_RETRY_DELAY_S)

    def write(self, work: Callable[[Tx, str, bool], T], *, timeout_s: float = WRITE_TIMEOUT_S) -> T:
        """The result of `work(tx, token, again)` in one managed transaction, tried again when the server or the network
        fail in a way that passes: with waits of at most a second, where the driver's own grow to half a minute.

        `token` is the same in every attempt and `again` true from the second on: an attempt whose commit was not
        acknowledged may have been kept, and `work` is to find that out by the token that it left.
        """
        token, again, give_up = secrets.token_hex(16), False, time.monotonic() + self.retry_s
        delay = FIRST_RETRY_S

        @unit_of_work(timeout=timeout_s)
        def attempt(tx: Tx) -> T:
            return work(tx, token, again)

        while True:
            try:
                with self._session(WRITE_ACCESS) as session:
                    done: T = session.execute_write(attempt)
                    return done
            except (Neo4jError, DriverError) as error:
                lost = isinstance(error, IncompleteCommit)
                if not (lost or error.is_retryable()):
                    raise in_our_words(error, self.url) from error
                if time.monotonic() + delay > give_up:
                    raise (unsure(self.url) if lost else in_our_words(error, self.url)) from error
            again = True
            time.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, MAX_RETRY_DELAY_S)

    def close(self) -> None:
        self._driver.close()
