"""A memory with word hashes for vectors: on SQLite, and where the store matters on each line of Neo4j too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from tests.neo4j.fixtures import SERVERS, ServerOf
from tests.stores.conftest import EMPTY


@pytest.fixture
def hashed(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db"), embedder=HashEmbedder()) as memory:
        yield memory


@pytest.fixture(params=["sqlite", *(f"neo4j {line}" for line in SERVERS)])
def anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, neo4j_server_of: ServerOf
) -> Iterator[Memory]:
    kind, _, line = request.param.partition(" ")
    url = str(tmp_path / "notes.db")
    if kind == "neo4j":
        server = neo4j_server_of(line)
        server.query(EMPTY)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        url = server.uri
    with graphmem.open(url, embedder=HashEmbedder()) as memory:
        yield memory
