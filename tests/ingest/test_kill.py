"""kill -9 at any moment, then resume: no item twice, the digest of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.ingest import ingest, resume
from graphmem.memory import Memory
from graphmem.schema import JobState
from tests.ingest.files import jsonl, sample, written

RUN = """
import sys, graphmem
from graphmem.embed import HashEmbedder
from graphmem.ingest import ingest
print("ready", flush=True)
with graphmem.open(sys.argv[1], embedder=HashEmbedder()) as memory:
    ingest(memory, [sys.argv[2]], progress=lambda step: print(step.passages, flush=True))
"""
WORDS = "kite harbour lantern orchard copper violin glacier pepper saddle meadow".split()


def folder(root: Path) -> Path:
    rng = random.Random(7)
    for number in range(3):
        rows = [
            {
                "text": f"On day {n} we saw the {' and the '.join(rng.sample(WORDS, 3))}.",
                "speaker": "Ines",
                "id": str(n),
            }
            for n in range(700)
        ]
        written(root, f"in/chat-{number}.jsonl", jsonl(*rows))
    written(root, "in/guide.md", "".join(f"# {word}\n\nThe {word} stands here.\n\n" for word in WORDS))
    written(root, "in/talks.json", [sample("a"), sample("b")])
    return root / "in"


def opened(path: Path) -> Memory:
    return graphmem.open(str(path), embedder=HashEmbedder())


@dataclass(frozen=True)
class Undisturbed:
    """A folder, and what a run over it gives that nothing disturbed. `empty` is the store it began with: spaces have
    keys of their own, so digests compare only between copies of one space."""

    folder: Path
    empty: Path
    digest: str
    counts: dict[str, int]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed")
    opened(root / "empty.db").close()
    shutil.copy(root / "empty.db", root / "store.db")
    with opened(root / "store.db") as memory:
        ingest(memory, [folder(root)])
        return Undisturbed(root / "in", root / "empty.db", memory.digest(), memory.counts())


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_job_resumes_to_the_state_of_an_undisturbed_one(
    tmp_path: Path, undisturbed: Undisturbed, seed: int
) -> None:
    rng, store = random.Random(seed), tmp_path / "store.db"
    shutil.copy(undisturbed.empty, store)
    told = kill_after(store, undisturbed.folder, batches=rng.randrange(0, 9), pause_s=rng.random() / 5)
    left = passages(undisturbed.counts) - (told[-1] if told else 0)
    with opened(store) as memory:
        assert memory.check() == []
        jobs = memory.jobs()
        if jobs:
            report = resume(memory, jobs[0].id)
            assert report.passages <= left
        else:
            ingest(memory, [undisturbed.folder])
        assert memory.jobs()[0].state is JobState.DONE
        assert memory.digest() == undisturbed.digest
        assert kept(memory.counts()) == kept(undisturbed.counts)
        assert memory.check() == []


def kill_after(store: Path, source: Path, batches: int, pause_s: float) -> list[int]:
    """Starts a job, kills it without a word some moment after so many batches; the passages it told of."""
    command = [sys.executable, "-c", RUN, str(store), str(source)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    told: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(batches):
            line = process.stdout.readline()
            if not line:
                break
            told.append(int(line))
        time.sleep(pause_s)
        process.send_signal(signal.SIGKILL)
    return told


def passages(counts: dict[str, int]) -> int:
    return next(value for name, value in counts.items() if name.startswith("passage"))


def kept(counts: dict[str, int]) -> dict[str, int]:
    """Counts that do not depend on how often the work was cut."""
    return {name: value for name, value in counts.items() if not name.startswith("commit")}
