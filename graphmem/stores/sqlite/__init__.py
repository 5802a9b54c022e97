"""The embedded store: everything in one SQLite file, derived indexes included, as packed arrays that numpy reads."""

from graphmem.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
