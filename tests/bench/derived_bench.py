"""Times of the derived indexes alone, on made-up heavy-tailed data.

    python -m tests.bench.derived_bench [notes, default 10000 100000] [--only text,vectors,edges]

Text: words by a Zipf-Mandelbrot law without its stop words, 4 to 20 a passage, questions of 5 to 8 such words.
Vectors: mixtures of 2,000 directions; notes and 0.4 passages a note. Edges: 4 links a note, half to Zipf hubs.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

from graphmem.stores.sqlite.adjacency import Adjacency
from graphmem.stores.sqlite.codes import CodeCache, Codes
from graphmem.stores.sqlite.postings import Postings

BATCH = 2000
NOTE, PASSAGE, MENTIONS, NEXT = 4, 3, 5, 4


def opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "secure_delete=ON"):
        db.execute(f"PRAGMA {pragma}")
    db.execute(f"PRAGMA mmap_size={256 << 20}")
    if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        db.executescript((files("graphmem.schema.migrations") / "0002_derived.sql").read_text())
    return db


Times = list[tuple[float, float]]  # milliseconds of the clock, and of this thread's processor time


def timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, own = time.perf_counter(), time.thread_time()
    call()
    return (time.perf_counter() - wall) * 1000, (time.thread_time() - own) * 1000


def written(db: sqlite3.Connection, call: Callable[[], object]) -> tuple[float, float]:
    """Times of the call alone, inside a transaction of its own."""
    db.execute("BEGIN IMMEDIATE")
    took = timed(call)
    db.execute("COMMIT")
    return took


def say(n: int, what: str, times: Times) -> None:
    wall, own = np.array(times).T
    p50, p95, most = np.percentile(wall, [50, 95, 100])
    print(
        f"{n:>9,}  {what:<44} p50 {p50:7.2f} (cpu {np.median(own):6.2f})  p95 {p95:7.2f}  max {most:7.2f} ms",
        flush=True,
    )


def rate(n: int, what: str, times: Times) -> None:
    wall, own = np.array(times).T
    a_second, alone = n / wall.sum() * 1000, n / own.sum() * 1000
    print(f"{n:>9,}  {what:<44} {a_second:9,.0f}/s (cpu {alone:9,.0f}/s)  worst batch {wall.max():7.1f} ms", flush=True)


def text(n: int, folder: Path) -> None:
    rng = np.random.default_rng(1)
    chance = 1 / (np.arange(300_000) + 60.0)
    cumulative = np.cumsum(chance / chance.sum())

    def words(count: int) -> list[str]:
        return [f"w{r}" for r in np.searchsorted(cumulative, rng.random(count)).tolist()]

    lengths = rng.integers(4, 21, n).tolist()
    db = opened(folder / "text.db")
    index = Postings(db)
    times = []
    for start in range(0, n, BATCH):
        lists = [words(m) for m in lengths[start : start + BATCH]]
        numbers = np.arange(start, start + len(lists)) * 3
        times.append(written(db, lambda numbers=numbers, lists=lists: index.add(1, numbers, lists)))
    rate(n, "text: add in batches of 2,000", times)
    questions = [words(int(m)) for m in rng.integers(5, 9, 200)]
    reader = Postings(opened(folder / "text.db"))
    say(n, "text: first search of a new connection", [timed(lambda: reader.search(1, questions[0], 50))])
    for k in (50, 200, None):
        say(n, f"text: search, k {k}", [timed(lambda q=q, k=k: reader.search(1, q, k)) for q in questions])
    ones = [words(12) for _ in range(400)]
    times = [written(db, lambda i=i: index.add(1, np.array([3 * n + i]), [ones[i]])) for i in range(400)]
    say(n, "text: add one passage", times)
    times = [written(db, lambda i=i: index.remove(1, np.array([3 * n + i]), [ones[i]])) for i in range(100)]
    say(n, "text: remove one passage", times)
    runs = db.execute("SELECT count(*) FROM text_run").fetchone()[0]
    size = (folder / "text.db").stat().st_size / 1e6
    print(f"{n:>9,}  text: {runs} runs, {size:.1f} MB")


def mixtures(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((2000, 384), dtype=np.float32)
    rows = topics[rng.integers(0, 2000, n)] + 0.5 * topics[rng.integers(0, 2000, n)]
    rows += 0.7 * rng.standard_normal((n, 384), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def vectors(n: int, folder: Path) -> None:
    rows = mixtures(n + n * 2 // 5, 2)
    kinds = np.where(np.arange(len(rows)) % 7 < 5, NOTE, PASSAGE)
    db = opened(folder / "vectors.db")
    writer = Codes(db)
    times = []
    for start in range(0, len(rows), BATCH):
        stop = min(start + BATCH, len(rows))
        numbers = np.arange(start, stop)
        times.append(written(db, lambda a=start, b=stop, m=numbers: writer.add(1, m, kinds[a:b], rows[a:b])))
    rate(len(rows), "vectors: add in batches of 2,000", times)
    questions = mixtures(100, 3).astype(np.float32)

    def search(codes: Codes, i: int, seq: int) -> object:
        return codes.search(1, questions[i], 64, [NOTE, PASSAGE], seq=seq)

    for what in ("new connection, first search", "the second"):
        reader = Codes(opened(folder / "vectors.db"), CodeCache())
        if what == "the second":
            search(reader, 0, 1)
        say(n, f"vectors: {what}", [timed(lambda r=reader: search(r, 1, 1))])
    search(reader, 2, 1)
    say(n, "vectors: search notes and passages, k 64", [timed(lambda i=i: search(reader, i, 1)) for i in range(100)])
    found = 0
    for i in range(50):
        wanted = np.argsort(-_products(rows, questions[i]))[:10]
        numbers, _, exact = reader.search(1, questions[i], 10, [NOTE, PASSAGE], seq=1)
        found += len(set(wanted.tolist()) & set(numbers.tolist()))
    print(f"{n:>9,}  vectors: recall@10 against float32 {found / 500:.4f}, exact: {exact}")
    fresh = mixtures(40, 4)
    adding, asking = [], []
    for i in range(40):
        one = np.array([len(rows) + i])
        adding.append(written(db, lambda i=i, one=one: writer.add(1, one, NOTE, fresh[i : i + 1])))
        asking.append(timed(lambda i=i: search(reader, i, 2 + i)))
    say(n, "vectors: add one", adding)
    say(n, "vectors: first search after it", asking)
    some = [np.sort(np.random.default_rng(i).choice(len(rows), 500, replace=False)) for i in range(30)]
    say(n, "vectors: cosine of 500", [timed(lambda m=m: reader.cosine(1, questions[0], m)) for m in some])
    print(f"{n:>9,}  vectors: {(folder / 'vectors.db').stat().st_size / 1e6:.1f} MB")


def _products(rows: np.ndarray, question: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[i : i + 20_000].astype(np.float32) @ question for i in range(0, len(rows), 20_000)])


def edges(n: int, folder: Path) -> None:
    rng = np.random.default_rng(5)
    src = np.repeat(np.arange(1, n), 4)
    near = np.maximum(src - rng.integers(1, 200, len(src)), 0)
    hub = n + np.minimum((1 / rng.random(len(src)) ** 1.2).astype(np.int64), n)
    dst = np.where(np.arange(len(src)) % 2, near, hub)
    kinds = np.where(np.arange(len(src)) % 2, NEXT, MENTIONS)
    db = opened(folder / "edges.db")
    index = Adjacency(db)
    times = []
    for start in range(0, len(src), 4 * BATCH):
        cut = slice(start, start + 4 * BATCH)
        times.append(written(db, lambda c=cut: index.add(1, src[c], dst[c], kinds[c], np.full(len(src[c]), 0.5))))
    rate(n, "edges: notes of 4 links in batches of 2,000", times)
    reader = Adjacency(opened(folder / "edges.db"))
    fronts = [np.unique(rng.integers(0, n, 256)) for _ in range(100)]
    say(n, "edges: neighbours of 256 nodes", [timed(lambda f=f: reader.neighbours(1, f)) for f in fronts])
    mixed = [np.concatenate([f[:248], n + np.arange(1, 9)]) for f in fronts]
    say(n, "edges: the same with the 8 largest hubs", [timed(lambda f=f: reader.neighbours(1, f)) for f in mixed])
    degree = int(reader.degree(1, np.array([n + 1])).sum())
    say(n, f"edges: a hub of {degree:,}", [timed(lambda: reader.neighbours(1, np.array([n + 1]))) for _ in range(50)])
    ones = [
        written(
            db, lambda i=i: index.add(1, np.full(4, n - 1), 2 * n + np.arange(4) + 4 * i, [MENTIONS] * 4, [0.5] * 4)
        )
        for i in range(200)
    ]
    say(n, "edges: add one note of 4 links", ones)
    print(f"{n:>9,}  edges: {(folder / 'edges.db').stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("notes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--only", default="text,vectors,edges")
    given = parser.parse_args()
    parts = {"text": text, "vectors": vectors, "edges": edges}
    for n in given.notes:
        for name in given.only.split(","):
            with tempfile.TemporaryDirectory() as folder:
                parts[name](n, Path(folder))


if __name__ == "__main__":
    main()
