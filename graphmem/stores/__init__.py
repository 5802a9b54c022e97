"""Stores: where a memory is kept. `base` has the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphmem.errors import SettingError

if TYPE_CHECKING:
    from graphmem.stores.base import Store

__all__ = ["open_store"]

SQLITE_URL = "sqlite:///"
NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")


def open_store(url: str, *, read_only: bool = False) -> Store:
    """The store at a path or `sqlite:///path`, made if it is not there (unless `read_only`). Close it.

    Raises SettingError for a URL that no store answers to, StoreError when the file is no store or cannot be opened.
    """
    from graphmem.stores.sqlite import SqliteStore

    scheme, separator, _ = url.partition("://")
    if not url:
        raise SettingError("the store has no path", hint="give a path such as notes.db")
    if url.startswith(SQLITE_URL):
        return SqliteStore(url.removeprefix(SQLITE_URL), read_only=read_only)
    if not separator:
        return SqliteStore(url, read_only=read_only)
    if scheme in NEO4J_SCHEMES:
        from graphmem.stores.neo4j import Neo4jStore

        return Neo4jStore(url, read_only=read_only)
    raise SettingError(f"{url!r}: no store is called {scheme!r}", hint="use a path, or neo4j://host:7687")
