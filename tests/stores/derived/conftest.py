from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import pytest


def opened(path: str = ":memory:") -> sqlite3.Connection:
    """A connection with the derived tables, as the store opens it for writing."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("page_size=8192", "journal_mode=WAL", "secure_delete=ON", "synchronous=OFF"):
        db.execute(f"PRAGMA {pragma}")
    if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        db.executescript((files("graphmem.schema.migrations") / "0002_derived.sql").read_text())
    return db


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = opened()
    yield connection
    connection.close()
