"""The sample graph that exploration is tried on: the sample as a user ingests it, and what it has none of by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.schema import Batch, Edge, EdgeType, NodeKind, Note, q8
from graphmem.stores.neo4j import Neo4jStore
from tests.api.conftest import SAMPLE, run_cli
from tests.neo4j.server import Server

QUESTION = "How does one get to Skerrow?"


@contextmanager
def opened(server: Server, **given: object) -> Iterator[Neo4jStore]:
    """The store on a server, reached by the variables that a user would set."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        store = Neo4jStore(server.uri, **given)  # type: ignore[arg-type]
        try:
            yield store
        finally:
            store.close()


@contextmanager
def memory_on(server: Server, space: str = "default") -> Iterator[graphmem.Memory]:
    with opened(server) as store:
        yield graphmem.Memory(store, space=space, embedder=HashEmbedder())


def ingest_sample(server: Server) -> None:
    """By the command line, into an empty server; then links, an update, what organising makes of it, a kept recall."""
    server.empty()
    done = run_cli("ingest", SAMPLE, "--store", server.uri, **server.environment)
    assert done.returncode == 0, done.stderr
    with opened(server) as store:
        space = store.space("default", create=False)
        first, second = notes(store, "ferry")[:2]
        job = store.open_job(space, {"kind": "test"})
        links = [
            Edge(first.id, EdgeType.CONTRADICTS, second.id, q8(0.5), "two ways to travel"),
            Edge(second.id, EdgeType.SUPERSEDES, first.id, q8(0.5), "the later of two ways to travel"),
        ]
        store.write(space, Batch(cause="link", edges=tuple(links), job=job.id))
        changed = replace(first, context="the way to the island")
        store.write(space, Batch(cause="evolve", nodes=(changed,)))
    organized = run_cli("organize", "--store", server.uri, **server.environment)
    assert organized.returncode == 0, organized.stderr
    kept = run_cli("recall", QUESTION, "--keep", "--limit", "4", "--store", server.uri, **server.environment)
    assert kept.returncode == 0, kept.stderr


def notes(store: Neo4jStore, word: str) -> list[Note]:
    """Notes that say a word."""
    with store.reader(store.space("default", create=False)) as reader:
        found = reader.page(NodeKind.NOTE, limit=1000)
    return [note for note in found if isinstance(note, Note) and word in note.text]
