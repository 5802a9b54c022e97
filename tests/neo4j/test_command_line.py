"""The command line on a real server: a folder goes in, is asked, copied about, killed in the middle, undone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from graphmem.stores.sqlite import SqliteStore
from tests.api.conftest import SAMPLE, environment, run_cli
from tests.api.test_copy import batch
from tests.neo4j.fixtures import SERVERS, ServerOf
from tests.neo4j.sample import QUESTION, opened
from tests.neo4j.server import Server

BATCHES = 40


def cli(server: Server, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command on the server, found by the variables that a user sets."""
    return run_cli(*arguments, **server.environment)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    parsed: dict[str, object] = json.loads(done.stdout)
    return parsed


def test_a_folder_goes_in_is_asked_and_is_taken_back(neo4j_server: Server) -> None:
    neo4j_server.empty()
    first = told(cli(neo4j_server, "ingest", SAMPLE, "--store", neo4j_server.uri, "-o", "json"))
    assert first["passages"] == 106
    again = told(cli(neo4j_server, "ingest", SAMPLE, "-o", "json"))  # NEO4J_URI names the store
    assert (again["passages"], again["skipped"]) == (0, 7)
    found = told(cli(neo4j_server, "recall", QUESTION, "-o", "json"))
    assert any("night ferry" in hit["note"]["text"] for hit in found["hits"])  # type: ignore[attr-defined,union-attr]
    answer = cli(neo4j_server, "answer", "Where does the ferry to Skerrow leave from?")
    assert "Port Linden" in answer.stdout
    assert cli(neo4j_server, "check").stdout == "sound\n"
    undone = cli(neo4j_server, "jobs", "undo", first["job"])
    assert undone.returncode == 0, undone.stderr
    counts = told(cli(neo4j_server, "stats", "-o", "json"))["counts"]
    assert counts["passage"] == counts["note"] == 0  # type: ignore[index]


def test_a_wrong_password_is_one_clear_error(neo4j_server: Server) -> None:
    refused = run_cli("stats", **(neo4j_server.environment | {"NEO4J_PASSWORD": "not this one"}))
    assert refused.returncode == 4
    assert len(refused.stderr.splitlines()) == 1
    assert "NEO4J_PASSWORD" in refused.stderr


def test_a_memory_goes_round_all_stores_and_comes_back_the_same(neo4j_server_of: ServerOf, tmp_path: Path) -> None:
    """From a file to each line of the server in turn and back into a file, its answers and digest unchanged."""
    servers = [neo4j_server_of(line) for line in SERVERS]
    for server in servers:
        server.empty()
    env = servers[0].environment  # one set of variables for all: they have the same password
    first, last = str(tmp_path / "first.db"), str(tmp_path / "last.db")
    assert run_cli("ingest", SAMPLE, "--into", first).returncode == 0
    places = [first, *(server.uri for server in servers), last]
    digests = set()
    for source, target in pairwise(places):
        (copied,) = told(run_cli("copy", source, target, "-o", "json", **env))["spaces"]  # type: ignore[misc]
        assert copied["same"]
        digests.add(copied["digest"])
    assert len(digests) == 1
    asked = [told(run_cli("recall", QUESTION, "--store", store, "-o", "json", **env)) for store in places]
    notes = [[hit["note"]["id"] for hit in recall["hits"]] for recall in asked]  # type: ignore[attr-defined]
    assert all(one == notes[0] for one in notes)
    assert run_cli("check", "--store", last).returncode == 0


# -- copies that are cut short


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many commits, so that a copy of it can be cut short."""
    path = tmp_path_factory.mktemp("big") / "big.db"
    store = SqliteStore(path)
    space = store.space("default")
    for number in range(BATCHES):
        store.write(space, batch(space, number))
    store.close()
    return path


def copying(source: Path, server: Server) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "graphmem.api.cli", "copy", str(source), server.uri, "-o", "json"]
    env = environment(**server.environment)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def commits(server: Server) -> int:
    return server.query("MATCH (c:_Commit) RETURN count(c) AS commits")[0]["commits"]


def until(holds: Callable[[], bool], process: subprocess.Popen[bytes], timeout_s: float = 120) -> None:
    end = time.monotonic() + timeout_s
    while process.poll() is None and not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def same_as(source: Path, server: Server) -> None:
    store = SqliteStore(source, read_only=True)
    with (
        opened(server) as copied,
        store.reader(store.space("default", create=False)) as theirs,
        copied.reader(copied.space("default", create=False)) as ours,
    ):
        assert (ours.digest(), ours.seq, ours.check()) == (theirs.digest(), theirs.seq, [])
    store.close()


def test_a_copy_killed_at_any_moment_goes_on_to_the_same_digest(neo4j_server: Server, big: Path) -> None:
    neo4j_server.empty()
    rng, kills = random.Random(5), 0
    for wanted in (3, 12, 25):
        process = copying(big, neo4j_server)
        until(lambda wanted=wanted: commits(neo4j_server) >= wanted, process)  # type: ignore[misc]
        time.sleep(rng.random() / 10)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate(timeout=60)
    assert kills >= 1
    assert told(cli(neo4j_server, "copy", big, neo4j_server.uri, "-o", "json"))
    same_as(big, neo4j_server)


def test_a_copy_outlives_a_server_that_is_killed_and_comes_back(own_neo4j: Server, big: Path) -> None:
    process = copying(big, own_neo4j)
    until(lambda: commits(own_neo4j) >= 5, process)
    assert process.poll() is None
    own_neo4j.kill()
    own_neo4j.start()
    _, err = process.communicate(timeout=300)
    if process.returncode:  # it gave up in the meantime: then it says so, and the next run goes on
        assert process.returncode == 4, err.decode()
        assert len(err.decode().strip().splitlines()) == 1
        assert cli(own_neo4j, "copy", big, own_neo4j.uri).returncode == 0
    same_as(big, own_neo4j)
