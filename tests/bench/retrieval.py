"""Recall on the development data with the independent scorer, default settings only, `multiview` beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench import data
from tests.bench.table import Row

CATEGORIES = {"single-hop": 97, "temporal": 88, "multi-hop": 60, "open-domain": 58, "adversarial": 95}


def run(size: str) -> list[Row]:
    if not data.present():
        return [Row("retrieval", None, skipped=data.ABSENT)]
    data.use_scorer()
    documents = [("musique", 66, 62), ("2wiki", 90, 73)]
    if size == "quick":
        return [*_locomo(size), *(Row(f"{name} dev", None, skipped="SIZE=full") for name, *_ in documents)]
    return [*_locomo(size), *(row for document in documents for row in _passages(*document))]


def _locomo(size: str) -> list[Row]:
    from recallbench import baselines, metrics
    from recallbench.data import load_path
    from recallbench.evaluate import evaluate

    from tests.bench.recallbench_adapter import factory

    tasks = load_path(data.DATA / "locomo-dev")
    tasks = tasks[:1] if size == "quick" else tasks
    encoder = baselines.CachedEncoder(baselines.minilm(), data.BUILD / "bench-embeddings.npz")
    theirs = evaluate(baselines.multiview(encoder), tasks, "multiview")
    usual = evaluate(baselines.hybrid(encoder, baselines.enriched), tasks, "hybrid")
    encoder.save()
    ours = evaluate(factory, tasks, "graphmem")
    with edges_off():
        flat = evaluate(factory, tasks, "edges off")
    gain, low, high = metrics.paired_bootstrap(ours.values("recall@10"), theirs.values("recall@10"))
    rows = [
        Row("locomo dev recall@5", 100 * ours.mean()["recall@5"], "%", 78),
        Row("locomo dev recall@10", 100 * ours.mean()["recall@10"], "%", 85.5),
        Row("locomo dev recall@20", 100 * ours.mean()["recall@20"], "%"),
        Row("locomo dev MRR", ours.mean()["mrr"], "", 0.63),
        Row("locomo dev answerable recall@10", 100 * ours.answerable()["recall@10"], "%"),
        *(_beside(report, name) for report, name in ((theirs, "multiview"), (usual, "usual hybrid"))),
        Row("gain over multiview, recall@10", 100 * gain, "points"),
        Row("gain over multiview, lower end of 95 %", 100 * low, "points", 8),
        Row("gain over multiview, upper end of 95 %", 100 * high, "points"),
        Row(
            "edges on against off, recall@10",
            100 * (ours.mean()["recall@10"] - flat.mean()["recall@10"]),
            "points",
            6.5,
        ),
        Row("locomo recall p50 with embedding", ours.p50_ms(), "ms"),
    ]
    floors = theirs.by_category()
    for name, scores in ours.by_category().items():
        floor = 100 * floors[name]["recall@10"]
        rows.append(Row(f"locomo {name} recall@10 (floor: multiview)", 100 * scores["recall@10"], "%", round(floor, 1)))
    return rows


def _beside(report: Any, name: str) -> Row:
    return Row(f"locomo dev recall@10, {name}", 100 * report.mean()["recall@10"], "%")


def _passages(name: str, floor: float, best: float) -> list[Row]:
    from recallbench.data import load_path
    from recallbench.evaluate import evaluate

    from tests.bench.recallbench_adapter import factory

    report = evaluate(factory, load_path(data.DATA / f"{name}-dev"), "graphmem", ks=(2, 5, 10))
    mean = report.mean()
    return [
        Row(f"{name} dev recall@5 (best baseline {best})", 100 * mean["recall@5"], "%", floor),
        Row(f"{name} dev recall@2", 100 * mean["recall@2"], "%"),
        Row(f"{name} dev all@5", 100 * mean["all@5"], "%"),
    ]


@contextmanager
def edges_off() -> Iterator[None]:
    """Recall with every edge weight zero: same seeds, priors and ranker."""
    from graphmem import memory
    from graphmem.recall.plan import without_edges

    original: Callable[..., Any] = memory.run_recall

    def flat(*args: Any, **options: Any) -> Any:
        return original(*args, **{**options, "plan": without_edges(options["plan"])})

    memory.run_recall = flat
    try:
        yield
    finally:
        memory.run_recall = original
