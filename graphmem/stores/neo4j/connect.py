"""Reaching the server: where it is and who we are, what it can do, and its errors in our words."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neo4j import GraphDatabase
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from graphmem.errors import (
    DeadlineExceeded,
    GraphmemError,
    SettingError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
)

if TYPE_CHECKING:
    from neo4j import Driver

# The driver logs what we try again or raise in our words; who wants to read it sets logging up.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

OLDEST_SERVER = (5, 26)
FILTERED_SEARCH = (2026, 1)  # SEARCH ... WHERE within a vector index, VECTOR values as parameters
CONNECT_TIMEOUT_S = 15.0
POOL = 64

COMPONENTS = "CALL dbms.components() YIELD name, versions WHERE name = 'Neo4j Kernel' RETURN versions[0]"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a memory is: address, credentials and database."""

    url: str
    username: str
    password: str | None
    database: str | None

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str] | None = None) -> Settings:
        """The URL, and NEO4J_USERNAME, NEO4J_PASSWORD, NEO4J_DATABASE; `neo4j://` alone is NEO4J_URI."""
        env = os.environ if environment is None else environment
        scheme, _, rest = url.partition("://")
        if not rest:
            url = env.get("NEO4J_URI", "")
            if not url:
                raise SettingError(f"{scheme}:// names no server", hint="give neo4j://host:7687, or set NEO4J_URI")
        if "@" in url:
            raise SettingError(
                "a URL holds no user or password", hint="set NEO4J_USERNAME and NEO4J_PASSWORD in the environment"
            )
        return cls(
            url, env.get("NEO4J_USERNAME", "neo4j"), env.get("NEO4J_PASSWORD") or None, env.get("NEO4J_DATABASE")
        )


def connected(settings: Settings) -> Driver:
    """A driver that reached its server. Close it."""
    with translated(settings.url):
        driver = GraphDatabase.driver(
            settings.url,
            auth=None if settings.password is None else (settings.username, settings.password),
            user_agent="graphmem",
            max_connection_pool_size=POOL,
            connection_timeout=CONNECT_TIMEOUT_S,
            connection_acquisition_timeout=2 * CONNECT_TIMEOUT_S,
            max_transaction_retry_time=0,  # we wait and try again ourselves
            notifications_min_severity="OFF",
        )
        try:
            driver.verify_connectivity()
        except BaseException:
            driver.close()
            raise
        return driver


def version_of(text: str) -> tuple[int, int]:
    """Major and minor of "5.26.25", "2026.09.0" or "2026.10.0-12345"."""
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return int(major), int(minor or 0)


class IndexFault(StoreError):
    """The server's vector index cannot search within a space now. Seen on 2026.09 right after an erasure, as "Index
    33554431 out of bounds": Lucene's mark for no more documents, divided by 64. The index itself is sound."""


#: What the server's code says, what it is to us, and what to do. The first that fits counts.
SAYINGS: tuple[tuple[str, type[GraphmemError], str, str], ...] = (
    ("TransactionTimedOut", DeadlineExceeded, "the transaction ran past its time limit", "allow more time"),
    ("LockAcquisitionTimeout", StoreBusy, "another writer holds the store", "try again"),
    ("AuthenticationRateLimit", StoreError, "the server refuses logins for a while", "check NEO4J_PASSWORD, and wait"),
    ("Security.Unauthorized", StoreError, "the server refuses the user name or password",
     "set NEO4J_USERNAME and NEO4J_PASSWORD"),
    ("Security.CredentialsExpired", StoreError, "the password must be changed first",
     "ALTER CURRENT USER SET PASSWORD, in Neo4j Browser"),
    ("Security.Forbidden", StoreReadOnly, "the user may not do this", "grant it the right to read, write and index"),
    ("WriteOnReadOnlyAccess", StoreReadOnly, "the database can only be read", "make it writable"),
    ("General.WriteOnReadOnly", StoreReadOnly, "the database can only be read", "make it writable"),
    ("General.ForbiddenOnReadOnlyDatabase", StoreReadOnly, "the database can only be read", "make it writable"),
    ("Cluster.NotALeader", StoreReadOnly, "this member of the cluster can only be read", "use a neo4j:// address"),
    ("Database.DatabaseNotFound", StoreError, "there is no database of that name", "set NEO4J_DATABASE"),
    ("DatabaseUnavailable", StoreBusy, "the database is not available now", "try again"),
    ("MemoryPoolOutOfMemory", StoreError, "the server has no memory left for the transaction",
     "write smaller batches, or raise dbms.memory.transaction.total.max"),
    ("ConstraintValidationFailed", StoreCorrupt, "a node with that key is there already",
     "does something else write to the nodes of graphmem?"),
    ("ConstraintCreationFailed", StoreCorrupt, "the graph in this database stands against a constraint of graphmem",
     "give graphmem a database of its own"),
)  # fmt: skip


#: Likewise for errors of the driver, by their class.
KINDS: tuple[tuple[type[Exception], type[GraphmemError], str, str], ...] = (
    (ConfigurationError, SettingError, "{}", "an address looks like neo4j://host:7687"),
    (AuthError, StoreError, "the server refuses us", "set NEO4J_USERNAME and NEO4J_PASSWORD"),
    (ServiceUnavailable, StoreBusy, "no server answers", "is Neo4j running there? try again"),
    (SessionExpired, StoreBusy, "no server answers", "is Neo4j running there? try again"),
    (TransientError, StoreBusy, "the server asks to try again: {}", "try again"),
    (DriverError, StoreError, "the driver says: {}", "open the store again"),
)


def in_our_words(error: Exception, url: str) -> GraphmemError:
    """What to raise for an error of the driver or the server."""
    code, said = getattr(error, "code", None) or "", getattr(error, "message", None) or str(error)
    for part, kind, message, hint in SAYINGS:
        if part in code:
            return kind(message, hint=hint, source=url)
    if "ExecutionFailed" in code and "out of bounds" in said:
        return IndexFault(f"the vector index failed: {said}", hint="try again", source=url)
    for of, kind, message, hint in KINDS:
        if isinstance(error, of):
            return kind(message.format(said), hint=hint, source=url)
    if "read-only" in said or "read only" in said:
        return StoreReadOnly("the database can only be read", hint="make it writable", source=url)
    return StoreError(f"Neo4j says: {said}", hint="if it happens again, run a check of the store", source=url)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Within it errors of the driver and the server become ours, with the address and what to do."""
    try:
        yield
    except (Neo4jError, DriverError) as error:
        raise in_our_words(error, url) from error
    except ValueError as error:  # an address that is none
        raise SettingError(f"{url!r}: {error}", hint="an address looks like neo4j://host:7687") from error
