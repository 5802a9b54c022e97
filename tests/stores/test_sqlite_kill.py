"""kill -9 at random moments of an ingest: no acknowledged batch is lost, none is half there, derived rows are whole.

This tests the death of a process, not of the machine. SIZE=full kills four times as often.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphmem.schema import Batch, EdgeType
from graphmem.stores.sqlite import SqliteStore
from tests.stores.building import Chat, Turn, sentences

KILLS = 200 if os.environ.get("SIZE") == "full" else 50
BATCH = 13
BATCHES = 400


def batch_of(chat: Chat, number: int) -> Batch:
    """The batch of this number: new turns, the link to the turn before, and every third time an update or a retire."""
    texts = sentences(BATCH, seed=number)

    def turn(n: int) -> Turn:
        text = texts[n % BATCH] if n // BATCH == number else sentences(BATCH, seed=number - 1)[-1]
        return chat.turn(n, text, f"Speaker {n % 5}", f"Place {n % 17}")

    start = number * BATCH
    turns = [turn(n) for n in range(start, start + BATCH)]
    before = turn(start - 1) if number else None
    retire = (before.note.id,) if before and number % 3 == 0 else ()
    return chat.batch(*turns, before=before, retire=retire, durable=number % 4 == 0)


def ingest(path: Path) -> None:
    """Goes on where the store ends, says each batch's number once it is written."""
    store = SqliteStore(path)
    space = store.space("default", key=b"k" * 16)
    chat = Chat(space)
    with store.reader(space) as reader:
        done = reader.tail(chat.source.id, None).next_ordinal // BATCH
    for number in range(done, BATCHES):
        store.write(space, batch_of(chat, number))
        print(number, flush=True)


def fork_on_demand(path: Path) -> None:
    """A process that has imported everything: for each line it is sent, a child that ingests until it is killed."""
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            ingest(path)
            os._exit(0)
        print("pid", pid, flush=True)
        os.waitpid(pid, 0)
        print("dead", flush=True)


FORKER = "import sys; from pathlib import Path; from tests.stores.test_sqlite_kill import fork_on_demand; {}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9: not on Windows")
def test_no_acknowledged_batch_is_lost_and_none_is_half_there(tmp_path: Path) -> None:
    path, rng, acknowledged, total = tmp_path / "store.db", random.Random(7), -1, 0
    command = [sys.executable, "-c", FORKER.format("fork_on_demand(Path(sys.argv[1]))"), str(path)]
    here = {"cwd": Path(__file__).parents[2], "env": {**os.environ, "OPENBLAS_NUM_THREADS": "1"}}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **here) as forker:  # type: ignore[call-overload]
        for kill in range(KILLS):
            last = killed_after(forker, rng.uniform(0.0, 0.4))
            total += max(0, last - acknowledged)
            acknowledged = max(acknowledged, last)
            inspect(path, acknowledged, thoroughly=kill % 10 == 9)
            if acknowledged > 150:  # a fresh file: the first batches and the migrations are killed too
                for file in tmp_path.iterdir():
                    file.unlink()
                acknowledged = -1
        assert forker.stdin is not None
        forker.stdin.close()
    assert total > KILLS


def killed_after(forker: subprocess.Popen[str], seconds: float) -> int:
    """Lets a child ingest for so long; the last batch that it acknowledged."""
    assert forker.stdin is not None and forker.stdout is not None
    forker.stdin.write("go\n")
    forker.stdin.flush()
    pid, said = int(forker.stdout.readline().split()[1]), list[str]()
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    while (line := forker.stdout.readline()) != "dead\n":
        assert line, "the forking process died"
        said.append(line)
    return max((int(line) for line in said), default=-1)


def inspect(path: Path, acknowledged: int, *, thoroughly: bool) -> None:
    store = SqliteStore(path)
    space = store.space("default", key=b"k" * 16)
    chat = Chat(space)
    with store.reader(space) as reader:
        there = reader.counts()
        assert there["passage"] % BATCH == 0
        batches = there["passage"] // BATCH
        assert batches >= acknowledged + 1
        assert there["commits"] == batches
        retired = sum(1 for number in range(1, batches) if number % 3 == 0)
        assert (there["note"], there["retired"]) == (there["passage"] - retired, retired)
        assert there["vectors"] == there["passage"] + there["note"]
        assert reader.check() == []
        if thoroughly and batches:
            degrees = reader.neighbours(reader.numbers(reader.passages_of(chat.source.id)), []).degree
            assert degrees[:, EdgeType.NEXT].sum() == 2 * (there["passage"] - 1)
    store.close()
