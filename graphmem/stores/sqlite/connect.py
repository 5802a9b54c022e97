"""Opening the file: pragmas, the version check, migrations, and SQLite's errors in our words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import wraps
from importlib.resources import files
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import quote

from graphmem.errors import (
    DeadlineExceeded,
    GraphmemError,
    InputError,
    NotFound,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
)

APPLICATION_ID = 0x676D656D  # "gmem"
OLDEST_SQLITE = (3, 38, 0)  # STRICT tables, ->> on JSON
PAGE_BYTES = 8192
MMAP_BYTES = 256 << 20
WRITER_CACHE_KB = 64 << 10
READER_CACHE_KB = 8 << 10  # what is mapped needs no cache: a cold question at 100,000 notes fills 3 MB of it
CHECKPOINT_PAGES = 4_000
BULK_CHECKPOINT_PAGES = 16_000  # a WAL of 128 MB; 30,000 was 30 % faster still at a million notes and slower to read
STATEMENTS = 256

TABLES = "SELECT count(*) FROM sqlite_master"


def connect(path: Path, *, read_only: bool, busy_timeout_s: float, query_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit (we say BEGIN ourselves), usable from any one thread at a time.

    Raises NotFound for a file that is not there when `read_only`, else StoreError and its kinds.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old", hint="Python needs SQLite 3.38 or newer")
    if read_only and not path.exists():
        raise NotFound(f"no store at {path}", hint="check the path, or open it for writing once")
    with translated(path):
        db = sqlite3.connect(
            _uri(path, read_only), busy_timeout_s, 0, None, False, cached_statements=STATEMENTS, uri=True
        )
        try:
            _prepare(db, read_only or query_only)
        except BaseException:
            db.close()
            raise
        return db


def _uri(path: Path, read_only: bool) -> str:
    name = f"file:{quote(str(path.absolute()))}"
    if not read_only:
        return f"{name}?mode=rwc"
    wal = path.with_name(path.name + "-wal")
    # reading a WAL file needs its index beside it; where none can be made the file is taken as it is, if it is whole
    still = not os.access(path.parent, os.W_OK) and not (wal.exists() and wal.stat().st_size)
    return f"{name}?mode=ro" + ("&immutable=1" if still else "")


def _prepare(db: sqlite3.Connection, reads_only: bool) -> None:
    cache = READER_CACHE_KB if reads_only else WRITER_CACHE_KB
    for pragma in (f"mmap_size={MMAP_BYTES}", f"cache_size=-{cache}", "temp_store=MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    if reads_only:
        db.execute("PRAGMA query_only=ON")
    else:
        db.execute("PRAGMA secure_delete=ON")


def migrate(db: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    """Brings the file to this version, each step one transaction. A new file is made; a strange one is left alone."""
    with translated(path):
        application = _pragma(db, "application_id")
        version = _pragma(db, "user_version")
        if application == 0 and version == 0 and not db.execute(TABLES).fetchone()[0] and not read_only:
            db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        elif application != APPLICATION_ID:
            raise StoreCorrupt(
                "is an SQLite file, but not a graphmem store", hint="give another path", source=str(path)
            )
        steps = list(migrations())
        if version > len(steps):
            raise StoreTooNew(
                f"the store has version {version}, this graphmem knows {len(steps)}",
                hint="upgrade graphmem",
                source=str(path),
            )
        if read_only:
            if version < len(steps):
                raise StoreReadOnly(
                    f"the store has version {version} and must become {len(steps)} first",
                    hint="open it once for writing",
                    source=str(path),
                )
            return
        db.execute("PRAGMA journal_mode=WAL").fetchone()
        for number in range(version + 1, len(steps) + 1):
            _step(db, number, steps[number - 1])


def _step(db: sqlite3.Connection, number: int, script: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        if _pragma(db, "user_version") < number:  # another process may have been first
            for statement in statements(script):
                db.execute(statement)
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={number}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def migrations() -> Iterator[str]:
    """The scripts of schema/migrations in order: 0001_….sql, 0002_….sql."""
    scripts = (file for file in files("graphmem.schema.migrations").iterdir() if file.name.endswith(".sql"))
    found = sorted(scripts, key=lambda file: file.name)
    for number, file in enumerate(found, 1):
        if not file.name.startswith(f"{number:04d}_"):
            raise StoreError(f"migration {file.name} should begin with {number:04d}_", hint="reinstall graphmem")
        yield file.read_text(encoding="utf-8")


def statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


class translated:  # noqa: N801 reads as a phrase: with translated(path)
    """Within it SQLite's errors become ours, with the path and what to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (sqlite3.Error, sqlite3.Warning)):
            raise in_our_words(error, self.path) from error


#: What SQLite's message holds, what it is to us, and what to do.
SAYINGS: tuple[tuple[str, type[StoreError], str, str], ...] = (
    ("interrupted", DeadlineExceeded, "the read ran past its deadline", "allow more time"),
    ("locked", StoreBusy, "another writer holds the store", "try again"),
    ("busy", StoreBusy, "another writer holds the store", "try again"),
    ("readonly", StoreReadOnly, "the store can only be read", "open it for writing"),
    ("read-only", StoreReadOnly, "the store can only be read", "open it for writing"),
    ("not a database", StoreCorrupt, "is not a graphmem store", "give another path"),
    ("malformed", StoreCorrupt, "the file is damaged", "restore a copy of it"),
    ("unable to open", StoreError, "cannot be opened", "is it a file, in a folder that is there and yours?"),
    ("closed database", StoreError, "the store is closed", "open it again"),
    ("is full", StoreError, "the disk is full", "free some space and try again"),
)


def in_our_words(error: Exception, path: Path) -> GraphmemError:
    said = str(error)
    for words, kind, message, hint in SAYINGS:
        if words in said:
            return kind(message, hint=hint, source=str(path))
    if isinstance(error, (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)) or "too big" in said:
        return InputError(f"a value does not fit the store: {said}", hint="is a number or text that large meant?")
    return StoreError(f"SQLite says: {said}", hint="if it happens again, run a check of the store", source=str(path))


class Holder(Protocol):
    path: Path

    def check_deadline(self) -> None: ...


P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H", bound=Holder)


def bounded(method: Callable[Concatenate[H, P], R]) -> Callable[Concatenate[H, P], R]:
    """A reader's method: refuses once the deadline has passed, and speaks of SQLite's errors in our words."""

    @wraps(method)
    def run(self: H, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.check_deadline()
        try:
            return method(self, *args, **kwargs)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise in_our_words(error, self.path) from error

    return run
