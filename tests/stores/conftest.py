"""The contract suite runs over every store: SQLite, and Neo4j on each line of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphmem.schema import Space
from graphmem.stores.base import Store
from graphmem.stores.neo4j import Neo4jStore
from graphmem.stores.sqlite import SqliteStore
from tests.neo4j.fixtures import SERVERS, ServerOf
from tests.neo4j.server import Server

#: A server without the nodes of the test before; schema and meta node stay, which take seconds to make.
EMPTY = "MATCH (n) WHERE NOT n:_Meta DETACH DELETE n"


def neo4j_store(server: Server, monkeypatch: pytest.MonkeyPatch) -> Neo4jStore:
    """A store on this server, by the variables that a user sets."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Neo4jStore(server.uri)


@pytest.fixture(params=["sqlite", *(f"neo4j {line}" for line in SERVERS)])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, neo4j_server_of: ServerOf
) -> Iterator[Store]:
    kind, _, line = request.param.partition(" ")
    if kind == "sqlite":
        opened: Store = SqliteStore(tmp_path / "store.db")
    else:
        server = neo4j_server_of(line)
        server.query(EMPTY)
        opened = neo4j_store(server, monkeypatch)
    yield opened
    opened.close()


@pytest.fixture
def space(store: Store) -> Space:
    return store.space("default")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.db", busy_timeout_s=0.2)
    yield opened
    opened.close()
