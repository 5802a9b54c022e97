"""Bringing a database to this version: each script of schema/migrations in order, then its indexes online."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.resources import files

from graphmem.errors import StoreError, StoreReadOnly, StoreTooNew
from graphmem.stores.neo4j.connect import COMPONENTS, FILTERED_SEARCH, OLDEST_SERVER, version_of
from graphmem.stores.neo4j.server import Server

META = "MATCH (m:_Meta {name: 'graphmem'}) RETURN m.version, m.dimension, m.formats, m.erasing"
SET_VERSION = """MERGE (m:_Meta {name: 'graphmem'}) ON CREATE SET m.version = 0
  SET m.version = CASE WHEN m.version < $version THEN $version ELSE m.version END"""
NOT_ONLINE = """SHOW INDEXES YIELD name, state, populationPercent
  WHERE name STARTS WITH 'graphmem_' AND state <> 'ONLINE' RETURN name, state, populationPercent"""

AWAIT_S = 120.0
LOOK_EVERY_S = 0.2


def server_version(server: Server) -> tuple[int, int]:
    """Raises StoreError for a server that is too old."""
    text = str(server.read(COMPONENTS, {})[0][0])
    version = version_of(text)
    if version < OLDEST_SERVER:
        raise StoreError(f"Neo4j {text} is too old", hint="graphmem needs Neo4j 5.26 or newer", source=server.url)
    return version


def filters(version: tuple[int, int]) -> bool:
    """Whether the server searches vectors within a space, and takes them packed."""
    return version >= FILTERED_SEARCH


def migrate(server: Server, *, read_only: bool) -> None:
    """Steps that another process takes at the same time do no harm: each says IF NOT EXISTS."""
    found = server.read(META, {})
    version, steps = found[0][0] if found else 0, list(scripts())
    if version > len(steps):
        raise StoreTooNew(
            f"the store has version {version}, this graphmem knows {len(steps)}",
            hint="upgrade graphmem",
            source=server.url,
        )
    if read_only and version < len(steps):
        raise StoreReadOnly(
            f"the store has version {version} and must become {len(steps)} first",
            hint="open it once for writing",
            source=server.url,
        )
    for number in range(version + 1, len(steps) + 1):
        for statement in statements(steps[number - 1]):
            server.schema(statement)
        server.schema(SET_VERSION, {"version": number})
    await_indexes(server)


def scripts() -> Iterator[str]:
    """The scripts in order: 0001_….cypher, 0002_….cypher."""
    found = (file for file in files("graphmem.schema.migrations").iterdir() if file.name.endswith(".cypher"))
    for number, file in enumerate(sorted(found, key=lambda file: file.name), 1):
        if not file.name.startswith(f"{number:04d}_"):
            raise StoreError(f"migration {file.name} should begin with {number:04d}_", hint="reinstall graphmem")
        yield file.read_text(encoding="utf-8")


def statements(script: str) -> Iterator[str]:
    """What ends with a semicolon at the end of a line; comments are whole lines."""
    pending: list[str] = []
    for line in script.splitlines():
        if line.strip() and not line.startswith("//"):
            pending.append(line)
        if pending and line.rstrip().endswith(";"):
            yield "\n".join(pending).rstrip().removesuffix(";")
            pending = []


def await_indexes(server: Server, wait_s: float = AWAIT_S) -> None:
    """Returns once all indexes of graphmem are online. StoreError when one failed, or is not there in time."""
    end = time.monotonic() + wait_s
    while True:
        left = server.schema(NOT_ONLINE)
        if not left:
            return
        name, state, percent = left[0]
        if state == "FAILED" or time.monotonic() > end:
            hint = "drop it and open the store again" if state == "FAILED" else "try again when it is built"
            raise StoreError(f"index {name} is {state.lower()} at {percent:.0f} %", hint=hint, source=server.url)
        time.sleep(LOOK_EVERY_S)
