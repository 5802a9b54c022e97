"""What organising brings and costs: recall on conversations before and after it, by type of question, with each step
left out; the time of a note in a small and a large memory. Steps of the organiser show up by themselves.

Weights of links are chosen on four conversations and measured on the fifth, by multi-hop recall@10 alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import graphmem
from graphmem.embed import QueryVectors, TextVectors, default_embedder
from graphmem.memory import Memory
from graphmem.organize import STANDARD, Organizer, without
from graphmem.recall import BALANCED, Plan
from graphmem.stores.sqlite import SqliteStore
from tests.bench import data, synthetic
from tests.bench.pipeline import conversation
from tests.bench.table import Row

NOTHING = Organizer("NOTHING", ())
#: What a weight of links may be; the fold's own is chosen from these.
GAINS = (0.0, 0.15, 0.3, 0.45, 0.6)
TYPE = "multi-hop"
NOTES = {"quick": (1_000, 20_000), "full": (1_000, 100_000), "million": (1_000, 100_000, 1_000_000)}
TURNS = 60

Scores = list[float]  # recall@10 of each question, in the order of tasks and questions


def run(size: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        rows = cost_of_a_note(Path(folder), NOTES[size])
        if not data.present():
            return [*rows, Row("organised recall", None, skipped=data.ABSENT)]
        if size == "quick":
            return [*rows, Row("organised recall", None, skipped="SIZE=full organises five conversations")]
        return [*rows, *organised_recall(Path(folder))]


# -- recall


@dataclass(slots=True)
class Cached:
    """An embedder that makes each question's vectors once."""

    inner: Any = field(default_factory=default_embedder)
    known: dict[str, QueryVectors] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.inner.name)

    @property
    def dimension(self) -> int:
        return int(self.inner.dimension)

    def query(self, text: str) -> QueryVectors:
        if text not in self.known:
            self.known[text] = self.inner.query(text)
        return self.known[text]

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        embedded: TextVectors = self.inner.texts(texts, tokens=tokens)
        return embedded


@dataclass(slots=True)
class Bench:
    """Conversations remembered once, unorganised; each organiser works on copies."""

    folder: Path
    tasks: Sequence[Any]
    embedder: Cached

    def remember(self) -> None:
        from tests.bench.recallbench_adapter import remember

        for index, task in enumerate(self.tasks):
            path = str(self.folder / f"{index}.db")
            with graphmem.open(path, embedder=self.embedder) as memory, organising(memory, NOTHING):
                remember(memory, task.units)

    def organized(self, organizer: Organizer) -> Path:
        """The folder of the organised copies."""
        copies = self.folder / organizer.name
        copies.mkdir()
        for index in range(len(self.tasks)):
            shutil.copy(self.folder / f"{index}.db", copies / f"{index}.db")
            with graphmem.open(str(copies / f"{index}.db"), embedder=self.embedder) as memory:
                memory.organize(organizer=organizer)
        return copies

    def scores(self, folder: Path, plan: Plan) -> Scores:
        from recallbench import metrics

        found: Scores = []
        for index, task in enumerate(self.tasks):
            with graphmem.open(str(folder / f"{index}.db"), embedder=self.embedder) as memory:
                for query in task.queries:
                    passages = memory.recall(query.text, plan=plan).passages
                    refs = [ranked.passage.ref or "" for ranked in passages]
                    found.append(metrics.score(refs, query.gold, (10,))["recall@10"])
        return found


@contextmanager
def organising(memory: Memory, organizer: Organizer) -> Iterator[Memory]:
    """Within it the memory looks at each batch with this organiser."""
    pipeline = memory._pipeline
    memory.__dict__["_pipeline"] = replace(pipeline, organizer=organizer)
    try:
        yield memory
    finally:
        memory.__dict__["_pipeline"] = pipeline


def organised_recall(folder: Path) -> list[Row]:
    data.use_scorer()
    from recallbench.data import load_path

    tasks = load_path(data.DATA / "locomo-dev")
    bench = Bench(folder, tasks, Cached())
    bench.remember()
    kinds = np.array([query.category for task in tasks for query in task.queries])
    folds = np.array([index for index, task in enumerate(tasks) for _ in task.queries])
    before = np.array(bench.scores(folder, BALANCED))
    copies = bench.organized(STANDARD)
    by_gain = {
        gain: np.array(bench.scores(copies, replace(BALANCED, link_gain=gain)))
        for gain in dict.fromkeys((*GAINS, BALANCED.link_gain))
    }
    fitted = left_out(by_gain, kinds, folds)
    rows = compared("organised", by_gain[BALANCED.link_gain], before, kinds, floors=True)
    rows += compared("organised, weight of links leave-one-conversation-out", fitted, before, kinds, floors=True)
    for step in STANDARD.steps if len(STANDARD.steps) > 1 else ():
        ablated = without(STANDARD, step.name)
        found = np.array(bench.scores(bench.organized(ablated), BALANCED))
        rows += compared(f"organised without {step.name}", found, before, kinds)
    return rows


def left_out(by_gain: Mapping[float, Any], kinds: Any, folds: Any) -> Any:
    """Each conversation's scores by the gain that is best on the others; ties go to the smaller gain."""
    found = np.zeros(len(folds))
    for fold in np.unique(folds).tolist():
        others, mine = (folds != fold) & (kinds == TYPE), folds == fold
        gain = max(sorted(GAINS), key=lambda gain: round(float(by_gain[gain][others].mean()), 6))
        found[mine] = by_gain[gain][mine]
        print(f"  conversation {fold}: link_gain {gain}", file=sys.stderr, flush=True)
    return found


def compared(name: str, after: Any, before: Any, kinds: Any, *, floors: bool = False) -> list[Row]:
    """Gains in points with the paired 95 % interval's lower end for the type that is to gain."""
    from recallbench import metrics

    rows = []
    for kind in sorted(set(kinds.tolist())):
        mine = kinds == kind
        gain, low, high = (100 * x for x in metrics.paired_bootstrap(after[mine].tolist(), before[mine].tolist()))
        label = f"locomo dev recall@10 {kind}, {name}: gain [{low:+.1f}, {high:+.1f}] n={int(mine.sum())}"
        rows.append(Row(label, gain, "points", -1.0 if floors else None))
        if kind == TYPE:
            rows.append(Row(f"locomo dev recall@10 {kind}, {name}: lower end", low, "points", 0.0 if floors else None))
    return rows


# -- cost


@contextmanager
def filled(path: Path, notes: int, embedder: Any) -> Iterator[Memory]:
    """A memory of so many made-up notes."""
    with closing(SqliteStore(path)) as store:
        space = store.space("default")
        for batch in synthetic.batches(space, notes):
            store.write(space, batch)
    with graphmem.open(str(path), embedder=embedder) as memory:
        yield memory


def cost_of_a_note(folder: Path, sizes: Sequence[int]) -> list[Row]:
    """Milliseconds of a remembered turn, for each of its notes, taken in turn from a memory of each size, so that the
    machine's load is the same for all."""
    _, drafts = conversation()
    embedder, spent = default_embedder(), dict[tuple[int, str], list[float]]()
    with ExitStack() as stack:
        memories = {size: stack.enter_context(filled(folder / f"filled-{size}.db", size, embedder)) for size in sizes}
        for turn, draft in enumerate(drafts[:TURNS]):
            for size, memory in memories.items():
                for organizer in (STANDARD, NOTHING):
                    with organising(memory, organizer):
                        began = time.perf_counter()
                        report = memory.remember(
                            draft.text, speaker=draft.speaker, ref=f"{turn}-{organizer.name}", session=draft.section
                        )
                    took = 1000 * (time.perf_counter() - began) / max(1, report.notes)
                    spent.setdefault((size, organizer.name), []).append(took)
    rows = []
    small = sizes[0]
    for size in sizes:
        took, bare = median(spent[size, STANDARD.name]), median(spent[size, NOTHING.name])
        rows += [
            Row(f"a note at {size:,} notes", took, "ms"),
            Row(f"a note at {size:,} notes, organising alone", took - bare, "ms"),
        ]
        if size != small:
            ratio = took / median(spent[small, STANDARD.name])
            rows.append(Row(f"a note at {size:,} against {small:,} notes", ratio, "x", 1.5, True))
    return rows
