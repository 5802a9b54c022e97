"""What only the file has: opening, versions, other processes, files that are something else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from graphmem.errors import (
    DeadlineExceeded,
    NotFound,
    SettingError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
)
from graphmem.schema import EdgeType, NodeKind
from graphmem.stores import open_store
from graphmem.stores.sqlite import SqliteStore
from graphmem.stores.sqlite.connect import connect, migrations, statements
from tests.stores.building import Chat, sentences, vector
from tests.stores.test_contract import counts, sound, write_turns


def test_a_path_and_an_sqlite_url_open_the_same_store(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c.db"
    with_path = open_store(str(path))
    with_path.space("here")
    with_path.close()
    with_url = open_store(f"sqlite:///{path}", read_only=True)
    assert [space.name for space in with_url.spaces()] == ["here"]
    with_url.close()


@pytest.mark.parametrize(("url", "said"), [("mongo://host", "mongo"), ("", "path")])
def test_a_url_that_no_store_answers_to_is_a_setting_error(url: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        open_store(url)
    assert caught.value.hint


def test_a_new_store_has_its_version_and_its_pages(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "s.db").close()
    db = sqlite3.connect(tmp_path / "s.db")
    pragmas = {
        name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "page_size", "journal_mode")
    }
    db.close()
    assert pragmas == {"user_version": len(list(migrations())), "page_size": 8192, "journal_mode": "wal"}
    assert not list(tmp_path.glob("s.db-*"))


def test_every_step_of_the_migrations_leads_to_the_same_tables(tmp_path: Path) -> None:
    """A store that an older version left behind is brought up to date, what it holds stays."""
    path = tmp_path / "old.db"
    first = next(migrations())
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements(first):
        db.execute(statement)
    db.execute("INSERT INTO space(name, key) VALUES('kept', x'00')")
    db.execute(f"PRAGMA application_id={0x676D656D}")
    db.execute("PRAGMA user_version=1")
    db.close()
    with pytest.raises(StoreReadOnly, match="version 1"):
        SqliteStore(path, read_only=True)
    store = SqliteStore(path)
    assert [space.name for space in store.spaces()] == ["kept"]
    write_turns(store, store.space("kept"), "The gate is blue.")
    store.close()


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="99") as caught:
        SqliteStore(path)
    assert "upgrade" in caught.value.hint and str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "other.db"
    text.write_text("This is a letter, not a database. " * 400)
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE letters(text)")
    db.close()
    for path in (text, other):
        before = path.read_bytes()
        for read_only in (False, True):
            with pytest.raises(StoreCorrupt) as caught:
                SqliteStore(path, read_only=read_only)
            assert caught.value.hint
        assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    store = SqliteStore(path)
    assert store.spaces() == []
    store.close()


@pytest.mark.parametrize("where", ["no/such/folder/s.db", "."])
def test_a_place_where_no_file_can_be_is_one_clear_error(tmp_path: Path, where: str) -> None:
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / where)
    assert caught.value.hint


def test_reading_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SqliteStore(tmp_path / "s.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_store_opened_for_reading_reads_and_refuses_to_write(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    write_turns(sqlite, space, "The gate is blue.")
    reading = SqliteStore(sqlite.path, read_only=True)
    assert counts(reading, space)["passage"] == 1
    with pytest.raises(StoreReadOnly):
        write_turns(reading, space, "The door is red.")
    with pytest.raises(StoreReadOnly):
        reading.space("new")
    reading.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write any file: needs a user")
def test_a_file_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteStore(path)
    space = store.space("default")
    write_turns(store, space, "The gate is blue.")
    store.close()
    path.chmod(0o444)
    store = SqliteStore(path)
    assert counts(store, space)["passage"] == 1
    with pytest.raises(StoreReadOnly):
        write_turns(store, space, "The door is red.")
    store.close()


WRITER = """
import sys, time
from graphmem.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
with store._write():
    print("writing", flush=True)
    sys.stdin.readline()
store.close()
"""


def test_another_process_that_writes_makes_writers_wait_and_then_busy_while_readers_go_on(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    write_turns(sqlite, space, "The gate is blue.")
    command = [sys.executable, "-c", WRITER, str(sqlite.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        began = time.monotonic()
        with pytest.raises(StoreBusy) as caught:
            write_turns(sqlite, space, "The door is red.")
        assert caught.value.retryable and time.monotonic() - began >= 0.2
        assert counts(sqlite, space)["passage"] == 1
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait() == 0
    write_turns(sqlite, space, "The door is red.", name="second")
    assert counts(sqlite, space)["passage"] == 2


def test_threads_write_one_after_the_other_and_nothing_is_lost(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", busy_timeout_s=30)
    space = store.space("default")
    failures: list[BaseException] = []

    def run(name: str) -> None:
        try:
            for n in range(5):
                write_turns(store, space, f"Turn {n} of {name}.", name=f"{name} {n}")
                with store.reader(space) as reader:
                    reader.dense(vector("x").astype(np.float32), 5, [NodeKind.NOTE])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(f"thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counts(store, space)["passage"] == 20
    with store.reader(space) as reader:
        assert [commit.seq for commit in reader.commits()] == list(range(1, 21))
    assert sound(store, space)
    store.close()


def test_a_failed_write_leaves_the_store_as_it_was(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    write_turns(sqlite, space, *sentences(5))
    before = counts(sqlite, space)
    chat = Chat(space, "second")
    batch = chat.batch(chat.turn(0, "The gate is blue."))
    object.__setattr__(batch, "items", ("not an item",))
    with pytest.raises(AttributeError):
        sqlite.write(space, batch)
    assert counts(sqlite, space) == before
    assert sound(sqlite, space)


def test_a_long_read_is_stopped_within_its_statement(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    with sqlite.reader(space, deadline_s=0.1) as reader:
        db = reader._db  # type: ignore[attr-defined]
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            db.execute(
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
            ).fetchone()
        assert time.monotonic() - began < 2
        with pytest.raises(DeadlineExceeded):
            reader.digest()
    assert counts(sqlite, space)["passage"] == 0


def test_a_reader_that_ends_gives_its_connection_back(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    for _ in range(3):
        with sqlite.reader(space):
            pass
    assert len(sqlite._pool) == 1
    with sqlite.reader(space), sqlite.reader(space):
        pass
    assert len(sqlite._pool) == 2


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    space = store.space("default")
    with store.reader(space) as reader:
        store.close()
        assert reader.counts()["passage"] == 0
    with pytest.raises(StoreError, match="closed"), store.reader(space):
        pass
    with pytest.raises(StoreError, match="closed"):
        write_turns(store, space, "The gate is blue.")
    store.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM adjacency WHERE node = (SELECT min(node) FROM adjacency)", "adjacency"),
        ("DELETE FROM text_posting", "text"),
        ("UPDATE text_space SET docs = docs + 1", "text"),
        ("DELETE FROM head WHERE n = (SELECT max(n) FROM head)", "heads"),
        ("UPDATE head SET body = zeroblob(26)", "heads"),
        ("DELETE FROM note WHERE n = (SELECT max(n) FROM note)", "node"),
        ("DELETE FROM edge WHERE type = 1", "edges"),
        ("UPDATE commit_ SET actor = 'another'", "chain"),
        ("DELETE FROM commit_ WHERE seq = 1", "journal"),
        ("UPDATE vector_code SET body = zeroblob(length(body))", "vectors"),
    ],
)
def test_a_check_tells_what_is_damaged(sqlite: SqliteStore, damage: str, said: str) -> None:
    space = sqlite.space("default")
    write_turns(sqlite, space, *sentences(150))
    db = connect(sqlite.path, read_only=False, busy_timeout_s=1)
    db.execute(damage)
    db.close()
    with sqlite.reader(space) as reader:
        found = reader.check()
    assert any(said in line for line in found), found


def test_rebuild_mends_what_is_derived(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    turns = write_turns(sqlite, space, *sentences(30))
    db = connect(sqlite.path, read_only=False, busy_timeout_s=1)
    for table in ("adjacency", "text_posting", "text_space", "text_run", "head", "vector_code"):
        db.execute(f"DELETE FROM {table}")
    db.close()
    sqlite.rebuild(space)
    assert sound(sqlite, space)
    with sqlite.reader(space) as reader:
        near = reader.neighbours(reader.numbers([turns[3].passage.id]), [EdgeType.NEXT])
        assert len(near.number) == 2


def test_a_store_whose_derived_rows_are_of_another_make_is_rebuilt(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    write_turns(sqlite, space, *sentences(30))
    db = connect(sqlite.path, read_only=False, busy_timeout_s=1)
    db.execute("UPDATE meta SET value = 'analyser 0' WHERE key = 'formats'")
    db.execute("DELETE FROM text_posting")
    db.execute("DELETE FROM text_space")
    db.close()
    with pytest.raises(StoreReadOnly, match="another version"):
        SqliteStore(sqlite.path, read_only=True)
    again = SqliteStore(sqlite.path)
    assert sound(again, space)
    again.close()
    SqliteStore(sqlite.path, read_only=True).close()


def test_a_store_whose_writer_died_is_read_without_writing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    script = (
        "import os, signal, sys; from graphmem.stores.sqlite import SqliteStore;"
        "from tests.stores.test_contract import write_turns; store = SqliteStore(sys.argv[1]);"
        "write_turns(store, store.space('default'), 'The gate is blue.'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2], check=False)
    assert path.with_name("s.db-wal").stat().st_size > 0
    store = SqliteStore(path, read_only=True)
    assert counts(store, store.space("default", create=False))["passage"] == 1
    store.close()
