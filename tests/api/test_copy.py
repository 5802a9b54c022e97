"""`graphmem copy` as a process: what it says, that a kill -9 at any moment is gone on from, what it refuses."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graphmem.schema import Batch, Space
from graphmem.stores.sqlite import SqliteStore
from tests.api.conftest import SAMPLE, environment, run_cli
from tests.stores.building import Chat, sentences

BATCHES, TURNS = 120, 12


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many commits, so that a copy of it can be killed in the middle."""
    path = tmp_path_factory.mktemp("big") / "big.db"
    store = SqliteStore(path)
    space = store.space("default")
    for number in range(BATCHES):
        store.write(space, batch(space, number))
    store.close()
    return path


def batch(space: Space, number: int) -> Batch:
    chat = Chat(space, f"chat {number}")
    texts = sentences(TURNS, seed=number)
    return chat.batch(*(chat.turn(n, text, "Ada", f"Place {n}") for n, text in enumerate(texts)), durable=False)


def test_the_sample_is_copied_and_answers_alike(tmp_path: Path) -> None:
    """From a store of its own: what answers cite counts as use, weighs in ranking, and is no part of a copy."""
    source, target = tmp_path / "sample.db", tmp_path / "copy.db"
    assert run_cli("ingest", SAMPLE, "--into", source).returncode == 0
    done = run_cli("copy", source, target)
    assert done.returncode == 0, done.stderr
    assert "same digest" in done.stdout
    asked = [
        run_cli("recall", "Where does Ines have her studio?", "--store", store, "-o", "json").stdout
        for store in (source, target)
    ]
    told = [{name: value for name, value in json.loads(text).items() if name != "work"} for text in asked]
    assert told[0] == told[1]
    assert run_cli("check", "--store", target).returncode == 0


def test_a_copy_killed_at_any_moment_goes_on_to_the_same_digest(big: Path, tmp_path: Path) -> None:
    rng, target, kills = random.Random(11), tmp_path / "copy.db", 0
    command = [sys.executable, "-m", "graphmem.api.cli", "copy", str(big), str(target), "-o", "json"]
    for _ in range(30):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            process.wait(0.5 + rng.random())
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err.decode()
    else:
        done = subprocess.run(command, capture_output=True, env=environment(), timeout=300, check=True)
        out = done.stdout
    assert kills >= 1
    (told,) = json.loads(out)["spaces"]
    assert told["same"] and told["seq"] == BATCHES
    stores = [SqliteStore(path, read_only=True) for path in (big, target)]
    for store in stores:
        with store.reader(store.space("default", create=False)) as reader:
            assert (reader.digest(), reader.check()) == (told["digest"], [])
        store.close()


def test_copy_refuses_what_is_not_there_and_itself(sample_store: Path, tmp_path: Path) -> None:
    missing = run_cli("copy", tmp_path / "none.db", tmp_path / "copy.db")
    assert missing.returncode == 3
    assert "no store at" in missing.stderr
    assert not (tmp_path / "copy.db").exists()
    itself = run_cli("copy", sample_store, sample_store)
    assert itself.returncode == 2
    assert "same store" in itself.stderr


def test_copy_leaves_a_store_alone_that_has_another_memory_in_it(sample_store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    assert run_cli("remember", "The canary sings at noon.", "--store", other).returncode == 0
    refused = run_cli("copy", sample_store, other)
    assert refused.returncode == 4
    assert "another key" in refused.stderr
    assert run_cli("recall", "When does the canary sing?", "--store", other).returncode == 0
