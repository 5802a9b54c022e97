"""The embedded store at size: bulk writes, recall latency, memory of a cold query."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from graphmem.embed import QueryVectors, default_embedder
from graphmem.recall import BALANCED, recall
from graphmem.stores.sqlite import SqliteStore
from tests.bench.synthetic import World, batches
from tests.bench.table import Row

SIZES = {"quick": (10_000,), "full": (10_000, 30_000, 100_000), "million": (10_000, 100_000, 1_000_000)}
QUESTIONS = 60


class GivenVectors:
    """An embedder that is handed the question's vectors: recall is timed without query embedding."""

    name, dimension = "given", 384

    def __init__(self, vector: np.ndarray, tokens: np.ndarray) -> None:
        self._query = QueryVectors(vector, tokens)

    def query(self, text: str) -> QueryVectors:  # noqa: ARG002
        return self._query


def run(size: str) -> list[Row]:
    rows = []
    embedding = query_embedding_ms()
    rows.append(Row("one query embedding p50", embedding, "ms"))
    latency: dict[int, float] = {}
    for notes in SIZES[size]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.db"
            rows += bulk(path, notes)
            p50, p95, parts = recall_ms(path)
            latency[notes] = p50
            floor = 1.0 if notes == 100_000 else None
            ratio = Row(f"recall p50 at {notes:,} notes / one query embedding", p50 / embedding, "x", floor, True)
            rows += [Row(f"recall p50 at {notes:,} notes", p50, "ms"), Row(f"recall p95 at {notes:,} notes", p95, "ms")]
            rows += [ratio, *(Row(f"  of it {name}", ms, "ms") for name, ms in parts.items())]
            if notes == 100_000 or size == "quick":
                rows += cold_memory(path, notes)
    if 1_000_000 in latency:
        rows.append(Row("recall p50, a million against 100,000", latency[1_000_000] / latency[100_000], "x", 4, True))
    return rows


def query_embedding_ms() -> float:
    embedder = default_embedder()
    spent = []
    for number in range(30):
        began = time.perf_counter()
        embedder.query(f"Where did they go on holiday in the summer of {1990 + number}?")
        spent.append(1000 * (time.perf_counter() - began))
    return median(spent[3:])


def bulk(path: Path, notes: int) -> list[Row]:
    """Writes ready notes; making them is not counted."""
    store = SqliteStore(path)
    space = store.space("default")
    spent = 0.0
    for batch in batches(space, notes):
        began = time.perf_counter()
        store.write(space, batch)
        spent += time.perf_counter() - began
    store.close()
    floor = 8_000 if notes == 100_000 else None
    size_mb = sum(file.stat().st_size for file in path.parent.iterdir()) / 1e6
    return [
        Row(f"bulk write of {notes:,} ready notes", notes / spent, "notes/s", floor),
        Row(f"store file at {notes:,} notes", size_mb, "MB"),
    ]


def recall_ms(path: Path) -> tuple[float, float, dict[str, float]]:
    store = SqliteStore(path)
    space = store.space("default", create=False)
    world = World(seed=11)
    spent, parts = [], list[dict[str, float]]()
    for _ in range(QUESTIONS):
        text, vector = world.query()
        tokens = world.vectors(9).astype(np.float32)
        began = time.perf_counter()
        result = recall(store, space, text, GivenVectors(vector, tokens), plan=BALANCED, limit=10)  # type: ignore[arg-type]
        spent.append(1000 * (time.perf_counter() - began))
        parts.append({name: ms for name, ms in result.work.items() if name.endswith("_ms")})
    store.close()
    names = sorted({name for part in parts for name in part})
    each = {name: median(part.get(name, 0.0) for part in parts[5:]) for name in names}
    return median(spent[5:]), float(np.percentile(spent[5:], 95)), each


COLD = """
import json, sys
def anonymous_mb():
    rows = dict(line.split(":") for line in open("/proc/self/status") if line.startswith("Rss"))
    return {name: int(value.split()[0]) / 1000 for name, value in rows.items()}
before = anonymous_mb()
import graphmem
with graphmem.open(sys.argv[1], read_only=True) as memory:
    memory.recall("What about the summer holiday they planned together?")
after = anonymous_mb()
print(json.dumps({"private": after["RssAnon"] - before["RssAnon"], "file": after["RssFile"] - before["RssFile"]}))
"""


def cold_memory(path: Path, notes: int) -> list[Row]:
    """Anonymous memory of a new process that asks one question, over an empty interpreter."""
    if not Path("/proc/self/status").exists():
        return [Row("private memory of a cold query", None, skipped="needs /proc (Linux)")]
    done = subprocess.run(
        [sys.executable, "-c", COLD, str(path)], capture_output=True, text=True, check=True, env=os.environ
    )
    used = json.loads(done.stdout)
    return [
        Row(f"private memory of a cold query at {notes:,} notes", used["private"], "MB", 300, True),
        Row(f"file-backed memory of a cold query at {notes:,} notes", used["file"], "MB"),
    ]
