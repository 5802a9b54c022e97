"""The Neo4j store on real servers: bulk writes against hand-written UNWIND, round trips and latency of a recall, a hub,
recall of the indexes against exact search, many clients at once, LoCoMo beside the embedded store."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from graphmem.recall import BALANCED, recall
from graphmem.schema import Alias, Batch, Edge, EdgeType, Entity, Node, NodeKind, Passage, Space, fold
from graphmem.schema.ids import entity_id
from graphmem.stores.batchwrite import prepare
from graphmem.stores.edgekeys import collect
from graphmem.stores.keys import SPACE_BITS, Keys
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.neo4j import Neo4jStore, code_cache
from graphmem.stores.neo4j import reader as reader_module
from graphmem.stores.neo4j.edges import CREATE as CREATE_EDGES
from graphmem.stores.neo4j.model import COLUMNS, KIND_LABEL, edge_row, fields, labels, references
from graphmem.stores.neo4j.vectors import PUT, PUT_PACKED
from graphmem.stores.neo4j.words import Vocabulary
from graphmem.stores.neo4j.write import REFERENCES
from tests.bench import data
from tests.bench.store import GivenVectors
from tests.bench.synthetic import World, batches
from tests.bench.table import Row, text_table
from tests.neo4j.jars import Missing
from tests.neo4j.server import Server, started
from tests.stores.building import Chat, vector


@dataclass(frozen=True)
class Sizes:
    bulk: int
    notes: tuple[int, ...]
    hub: int
    spaces: int
    seconds: float
    lines: tuple[str, ...]
    conversations: int
    questions: int


SIZES = {
    "quick": Sizes(4_000, (4_000,), 5_000, 12, 10.0, ("2026.09",), 1, 40),
    "full": Sizes(20_000, (10_000, 30_000, 100_000), 300_000, 200, 180.0, ("2026.09", "5.26"), 5, 10_000),
}
SIZES["million"] = SIZES["full"]
BATCH_NOTES = 2_000
ASKED = 40


def run(size: str) -> list[Row]:
    sizes, rows = SIZES[size], list[Row]()
    for line in sizes.lines:
        try:
            with server_of(line) as server:
                rows += of_line(server, line, sizes, main=line == sizes.lines[0])
        except Missing as missing:
            rows.append(Row(f"neo4j {line}", None, skipped=str(missing)))
    return rows


@contextmanager
def server_of(line: str) -> Iterator[Server]:
    import os

    with tempfile.TemporaryDirectory() as folder:
        server = started(line, Path(folder) / "neo4j", heap_mb=1536, pagecache_mb=512)
        held = {name: os.environ.get(name) for name in server.environment}
        os.environ.update(server.environment)
        try:
            yield server
        finally:
            for name, value in held.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            server.remove()


def of_line(server: Server, line: str, sizes: Sizes, *, main: bool) -> list[Row]:
    """Rows are told as they come: half an hour lies between the first and the last."""
    rows = told(bulk(server, line, sizes.bulk))
    if main:
        rows += told(hub(server, sizes.hub))
        rows += told(exactness(server, sizes.spaces))
        rows += told(clients(server, sizes.seconds))
        rows += told(locomo(server, sizes))
    server.wipe()
    return rows + told(latency(server, line, sizes.notes))


def told(rows: list[Row]) -> list[Row]:
    print(text_table(rows), file=sys.stderr, flush=True)
    return rows


@contextmanager
def opened(server: Server) -> Iterator[Neo4jStore]:
    store = Neo4jStore(server.uri)
    try:
        yield store
    finally:
        store.close()


# -- bulk


def bulk(server: Server, line: str, notes: int) -> list[Row]:
    """The same batches through the store and by hand, each into an empty database with all indexes online."""
    spent = {}
    for name, write, count in (
        ("a server that has just started, by hand", by_hand, BATCH_NOTES),
        ("and through the store", through_store, BATCH_NOTES),
        ("by hand", by_hand, notes),
        ("through the store", through_store, notes),
        ("by hand, again", by_hand, notes),
        ("through the store, again", through_store, notes),
    ):
        server.wipe()
        with opened(server) as store:
            store._settle_dimension(384)
            spent[name] = write(server, store, store.space("bulk"), count)
    hand, ours = (min(spent[name], spent[f"{name}, again"]) for name in ("by hand", "through the store"))
    ratio, name = ours / hand, f"neo4j {line} bulk write of {notes:,} notes"
    return [
        Row(name, notes / ours, "notes/s"),
        Row(f"{name}, UNWIND by hand", notes / hand, "notes/s"),
        Row(f"{name}, store / by hand", ratio, "x", 1.5, True),
    ]


def through_store(server: Server, store: Neo4jStore, space: Space, notes: int) -> float:  # noqa: ARG001
    spent = 0.0
    for batch in batches(space, notes, batch_notes=BATCH_NOTES):
        began = time.perf_counter()
        store.write(space, batch)
        spent += time.perf_counter() - began
    return spent


def hand_create(kind: NodeKind) -> str:
    """What somebody writes who knows the schema: no head, no bag, no check, no journal."""
    names = [*COLUMNS[kind].split(), *REFERENCES.get(kind, ()), *(("_terms", "_tokens") if kind == 3 else ())]
    named = ", ".join(f"{name}: r[{i}]" for i, name in enumerate(names, 3))
    made = f"(n:Zettel:{KIND_LABEL[kind]}:$(r[2]) {{key: r[0], id: r[1], space: $space, {named}}})"
    return f"UNWIND $rows AS r CREATE {made}"


def by_hand(server: Server, store: Neo4jStore, space: Space, notes: int) -> float:
    """Rows are made before the clock runs."""
    at, number, spent, vocabulary = Keys(), 1, 0.0, Vocabulary(space)
    packed = store._packed
    with server.driver(notifications_min_severity="OFF") as driver, driver.session() as session:
        for batch in batches(space, notes, batch_notes=BATCH_NOTES):
            prepared, fresh = prepare(batch), list[tuple[Node, int]]()
            for id, node in prepared.nodes.items():
                if id not in at:
                    at[id] = (space.number << SPACE_BITS) + number
                    fresh.append((node, at[id]))
                    number += 1
            parts = hand_rows(batch, fresh, at, prepared.term_lists, vocabulary)
            edges = [edge_row((*key, *value)) for key, value in sorted(collect(batch.edges, fresh, at).items())]
            wide = wide_vectors(batch, at, packed)
            began = time.perf_counter()
            session.execute_write(hand_write, (parts, edges, wide), space.number, packed)
            spent += time.perf_counter() - began
    return spent


def hand_rows(batch: Batch, fresh: Any, at: Keys, term_lists: Any, vocabulary: Vocabulary) -> dict[NodeKind, list[Any]]:
    parts: dict[NodeKind, list[Any]] = {}
    for node, key in fresh:
        row = [key, node.id, labels(node), *fields(node), *references(node, at.__getitem__)]
        if isinstance(node, Passage):
            row += [vocabulary.of(term_lists[node.id])[0], batch.tokens[node.id].tobytes()]
        parts.setdefault(KIND_OF[type(node)], []).append(row)
    return parts


def wide_vectors(batch: Batch, at: Keys, packed: bool) -> list[Any]:
    """[key, nothing, vector], the vector as it travels fastest to this server."""
    if batch.vectors is None:
        return []
    if packed:
        from neo4j.vector import Vector

        wide = [Vector(row.tobytes(), "f32") for row in batch.vectors.astype(">f4")]
    else:
        wide = batch.vectors.astype(np.float64).tolist()
    return [[at[id], None, vector] for id, vector in zip(batch.vector_ids, wide, strict=True)]


def hand_write(tx: Any, what: Any, space: int, packed: bool) -> None:
    parts, edges, wide = what
    for kind, part in parts.items():
        tx.run(hand_create(kind), rows=part, space=space).consume()
    if edges:
        tx.run(CREATE_EDGES, rows=edges).consume()
    if wide:
        tx.run(PUT_PACKED if packed else PUT, rows=wide).consume()


# -- recall


def asked(store: Neo4jStore, space: Space, count: int, **options: Any) -> tuple[list[float], list[int], list[Any]]:
    """Milliseconds, round trips and results of so many questions."""
    world, spent, trips, results = World(seed=11), list[float](), list[int](), list[Any]()
    for _ in range(count):
        text, question = world.query()
        embedder: Any = GivenVectors(question, world.vectors(9).astype(np.float32))
        before, began = store.round_trips, time.perf_counter()
        results.append(recall(store, space, text, embedder, plan=BALANCED, limit=10, **options))
        spent.append(1000 * (time.perf_counter() - began))
        trips.append(store.round_trips - before)
    return spent, trips, results


def latency(server: Server, line: str, notes: tuple[int, ...]) -> list[Row]:
    rows, p50 = list[Row](), dict[int, float]()
    for count in notes:
        with opened(server) as store:
            space = store.space(f"latency {count}")
            for batch in batches(space, count, batch_notes=BATCH_NOTES):
                store.write(space, batch)
            cold, _, _ = asked(store, space, 1)
            began = time.perf_counter()
            asked(store, space, 10)
            while store._codes.loading:
                asked(store, space, 1)
            warm_s = time.perf_counter() - began
            spent, trips, _ = asked(store, space, ASKED)
        p50[count] = median(spent)
        name = f"neo4j {line} recall at {count:,} notes"
        rows += [
            Row(f"{name}, p50", p50[count], "ms"),
            Row(f"{name}, p95", float(np.percentile(spent, 95)), "ms"),
            Row(f"{name}, the first of a process", cold[0], "ms"),
            Row(f"{name}, ten more and until its codes are loaded", warm_s, "s"),
            Row(f"{name}, round trips at most", max(trips), "", 6, True),
            Row(f"{name}, round trips on average", float(np.mean(trips))),
        ]
    if len(notes) > 1:
        growth = p50[notes[-1]] / p50[notes[0]]
        rows.append(Row(f"neo4j {line} recall p50, {notes[-1]:,} against {notes[0]:,} notes", growth, "x", 3, True))
    return rows


MENTION = """UNWIND range(1, $count) AS n CALL (n) { MATCH (e:Zettel {key: $entity})
  CREATE (:Zettel {key: $low + n})-[:MENTIONS]->(e) } IN TRANSACTIONS OF 2000 ROWS"""


def hub(server: Server, mentions: int) -> list[Row]:
    """An entity that everything mentions: the recall that meets it ends within its deadline."""
    server.wipe()
    with opened(server) as store:
        space = store.space("hub")
        for batch in batches(space, BATCH_NOTES, batch_notes=BATCH_NOTES):
            store.write(space, batch)
        with store.reader(space) as reader:
            passages = reader.page(NodeKind.PASSAGE, limit=300)
        lorn = Entity(entity_id(space.key, "Port Lorn", "place"), "Port Lorn", "place")
        edges = tuple(Edge(passage.id, EdgeType.MENTIONS, lorn.id) for passage in passages)
        store.write(space, Batch(nodes=(lorn,), edges=edges, aliases=(Alias(fold("Port Lorn"), lorn.id),)))
        with store.reader(space) as reader:
            entity = (space.number << SPACE_BITS) + int(reader.numbers([lorn.id])[0])
        low = (space.number << SPACE_BITS) + (1 << 30)
        with server.driver(notifications_min_severity="OFF") as driver, driver.session() as session:
            session.run(MENTION, count=mentions, entity=entity, low=low).consume()
        server.query("MATCH (c:_Counter {space: $s}) SET c.next = $next", s=space.number, next=(1 << 31))
        asked(store, space, 3)
        spent, _, results = asked(store, space, 20, deadline_s=2.0)
        with store.reader(space) as reader:
            began = time.perf_counter()
            near = reader.neighbours(reader.numbers([lorn.id]), [EdgeType.MENTIONS], limit=128)
            hop_ms = 1000 * (time.perf_counter() - began)
    degree = int(near.degree[0, EdgeType.MENTIONS])
    name = f"neo4j hub of {degree:,} mentions"
    assert degree >= mentions and near.cut and len(near.number) == 128
    return [
        Row(f"{name}, one hop from it", hop_ms, "ms"),
        Row(f"{name}, recall beside it, slowest of 20", max(spent), "ms", 2_000, True),
        Row(f"{name}, edges read", max(result.work.get("edges", 0) for result in results)),
    ]


# -- exactness


def exactness(server: Server, count: int) -> list[Row]:
    """recall@10 of words and vectors against brute force, in one space and in many of uneven size; by exact search
    where it is promised; with the limit of exact search set to nothing, by the server's indexes and by codes."""
    rows = list[Row]()
    for spaces, notes in ((1, 4_000), (count, 6_000)):
        server.wipe()
        with opened(server) as store:
            filled = [store.space(f"exact {n}") for n in range(spaces)]
            shares = np.maximum(40, notes * 1 / np.arange(1, spaces + 1) / sum(1 / np.arange(1, spaces + 1)))
            for n, space in enumerate(filled):
                for batch in batches(
                    space, int(shares[n]), batch_notes=2 * max(1, int(shares[n]) // 2), world=World(n)
                ):
                    store.write(space, batch)
            some = [filled[0], *filled[1 :: max(1, spaces // 10)]]
            for how, limits, floor in HOW:
                with limited(*limits):
                    if how == "by codes":
                        warmed(store, some)
                    found = np.array([overlap(store, space) for space in some])
                for at, what in enumerate(("vector", "text")):
                    name = f"neo4j {what} recall@10, {spaces} space{'s' * (spaces > 1)}, {how}"
                    rows.append(Row(name, float(found[:, at].mean()), "", floor))
    return rows


#: How vectors are searched, with the limits of exact search (None: as it is) and of codes in bytes, and the floor.
HOW = (
    ("exact", (None, None), 1.0),
    ("by the index", (0, 0), 0.99),
    ("by codes", (0, None), 0.99),
)


@contextmanager
def limited(exact: int | None, codes: int | None) -> Iterator[None]:
    held = reader_module.EXACT_LIMIT, code_cache.LIMIT_BYTES
    reader_module.EXACT_LIMIT = held[0] if exact is None else exact  # type: ignore[misc]
    code_cache.LIMIT_BYTES = held[1] if codes is None else codes  # type: ignore[misc]
    try:
        yield
    finally:
        reader_module.EXACT_LIMIT, code_cache.LIMIT_BYTES = held  # type: ignore[misc]


def warmed(store: Neo4jStore, spaces: list[Space]) -> None:
    """Asks until the codes of these spaces are there."""
    for space in spaces:
        while store._codes._held.get(space.number, NodeKind.NOTE) is None:
            with store.reader(space) as reader:
                reader.dense(World(5).query()[1], 10, [NodeKind.NOTE])
            time.sleep(0.01)


def overlap(store: Neo4jStore, space: Space) -> tuple[float, float]:
    """Shares of the true ten best that were found, by vector and by words."""
    from graphmem.analysis import terms

    world, vectors, texts = World(5), list[float](), list[float]()
    with store.reader(space) as reader:
        every = reader._ask(  # type: ignore[attr-defined]
            "MATCH (n:Note {space: $space}) WHERE n._half IS NOT NULL RETURN n.key, n._half", space=space.number
        )
        numbers = np.array([key for key, _ in every]) & ((1 << SPACE_BITS) - 1)
        matrix = np.frombuffer(b"".join(half for _, half in every), "<f2").reshape(len(every), -1).astype(np.float32)
        for _ in range(10):
            text, query = world.query()
            true = set(numbers[np.argsort(-(matrix @ query))[:10]].tolist())
            got = reader.dense(query, 10, [NodeKind.NOTE]).numbers.tolist()
            vectors.append(len(true & set(got)) / max(1, len(true)))
            whole = reader.text(terms(text), None).numbers[:10].tolist()
            best = reader.text(terms(text), 10).numbers.tolist()
            texts.append(len(set(whole) & set(best)) / len(whole) if whole else 1.0)
    return float(np.mean(vectors)), float(np.mean(texts))


# -- many clients


def clients(server: Server, seconds: float, count: int = 16) -> list[Row]:
    """Threads, each with a space of its own and one that all share, remember and recall in turns."""
    server.wipe()
    spent: dict[str, list[float]] = {"remember": [], "recall": []}
    failed, acknowledged, lock = list[str](), dict[int, list[int]](), threading.Lock()
    with opened(server) as store:
        shared = store.space("shared")
        end = time.monotonic() + seconds

        def work(who: int) -> None:
            own = store.space(f"client {who}")
            n = 0
            while time.monotonic() < end:
                space = shared if n % 4 == 0 else own
                chat = Chat(space, f"chat {who}")
                text = f"Turn {n} of client {who} tells of the gate and the garden."
                began = time.perf_counter()
                try:
                    commit = store.write(space, chat.batch(chat.turn(n, text, f"Ada {who}", "Lake")))
                    middle = time.perf_counter()
                    embedder: Any = GivenVectors(
                        vector(text).astype(np.float32), vector("gate")[None].astype(np.float32)
                    )
                    found = recall(store, space, "Where is the gate of the garden?", embedder, limit=5)
                    assert commit is not None and found.passages
                except Exception as error:
                    failed.append(f"{type(error).__name__}: {error}")
                    return
                with lock:
                    acknowledged.setdefault(space.number, []).append(commit.seq)
                    spent["remember"].append(1000 * (middle - began))
                    spent["recall"].append(1000 * (time.perf_counter() - middle))
                n += 1

        workers = [threading.Thread(target=work, args=(who,)) for who in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        lost = 0
        for space in store.spaces():
            with store.reader(space) as reader:
                lost += len(set(acknowledged.get(space.number, ())) ^ {c.seq for c in reader.commits(limit=1 << 30)})
                lost += len(reader.check())
    name = f"neo4j {count} clients, {seconds:g} s"
    return [
        Row(f"{name}: errors", len(failed), "", 0, True, skipped=failed[0] if failed else ""),
        Row(f"{name}: writes lost, doubled or unsound", lost, "", 0, True),
        Row(f"{name}: turns remembered and recalled", len(spent["recall"])),
        *(
            Row(f"{name}: {what} p{q}", float(np.percentile(ms, q)), "ms")
            for what, ms in spent.items()
            for q in (50, 99)
        ),
    ]


# -- quality


def locomo(server: Server, sizes: Sizes) -> list[Row]:
    """The same conversations in both stores: recall@5, @10 and how alike the ten best are."""
    if not data.present():
        return [Row("neo4j locomo dev", None, skipped=data.ABSENT)]
    data.use_scorer()
    from recallbench.data import load_path

    import graphmem
    from graphmem.govern.copying import copy
    from tests.bench.recallbench_adapter import remember

    alike, gained = list[float](), {5: list[float](), 10: list[float]()}
    with tempfile.TemporaryDirectory() as folder:
        for number, task in enumerate(load_path(data.DATA / "locomo-dev")[: sizes.conversations]):
            server.wipe()
            path = str(Path(folder) / f"{number}.db")
            with graphmem.open(path) as here:
                remember(here, task.units)
            with opened(server) as there, graphmem.open(path) as here:
                copy(here.store, there)
                for query in task.queries[: sizes.questions]:
                    ours = [ranked.passage.ref for ranked in here.recall(query.text, limit=10).passages]
                    found = recall(there, there.space("default"), query.text, here.embedder, limit=10)
                    theirs = [ranked.passage.ref for ranked in found.passages]
                    alike.append(len(set(ours) & set(theirs)) / max(1, len(ours)))
                    for k, gains in gained.items():
                        gold = query.gold
                        gains.append((len(gold & set(theirs[:k])) - len(gold & set(ours[:k]))) / max(1, len(gold)))
    return [
        Row("neo4j locomo dev: top-10 overlap with the embedded store", float(np.mean(alike)), "", 0.95),
        *(
            Row(
                f"neo4j locomo dev: recall@{k} less than the embedded store's",
                -100 * float(np.mean(gains)),
                "points",
                0.5,
                True,
            )
            for k, gains in gained.items()
        ),
    ]
