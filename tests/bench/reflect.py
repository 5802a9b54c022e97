"""Reflection against one recall on multi-hop data; light, deep and routed recall on dialogue with the tokens each hands
over; who is asked about; what summaries cover. Default settings only."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import graphmem
from graphmem.memory import Memory
from graphmem.organize import Organizer
from graphmem.organize.summaries import Summaries
from graphmem.recall import BALANCED, FAST, ROUTED
from graphmem.recall.gather import resolve
from graphmem.recall.understand import understand
from graphmem.schema import Note, Passage, Recall
from tests.bench import data
from tests.bench.table import Row

#: Documents need several pages by their making: there reflection has to bring something. Dialogue: it may do no harm.
DOCUMENTS = (("musique", 0.0), ("2wiki", -1.0))
DEEPEST = 20
CHARS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Told:
    """What one question got: the evidence in order, its tokens, and the plan that answered."""

    refs: tuple[str, ...]
    sizes: tuple[int, ...]
    gold: tuple[str, ...]
    category: str
    plan: str

    def recall(self, k: int) -> float:
        return sum(ref in self.refs[:k] for ref in self.gold) / len(self.gold)

    def tokens(self, k: int) -> int:
        return sum(self.sizes[:k])


def run(size: str) -> list[Row]:
    if not data.present():
        return [Row("reflect", None, skipped=data.ABSENT)]
    data.use_scorer()
    from recallbench.data import load_path

    tasks = load_path(data.DATA / "locomo-dev")
    if size == "quick":
        return [
            *dialogue(tasks[:1], remembered),
            *(Row(f"{n} reflect", None, skipped="SIZE=full") for n, _ in DOCUMENTS),
        ]
    rows = dialogue(tasks, remembered)
    for name, floor in DOCUMENTS:
        rows += documents(name, load_path(data.DATA / f"{name}-dev"), floor, remembered)
    return rows


@contextmanager
def remembered(task: Any) -> Iterator[Memory]:
    from tests.bench.recallbench_adapter import remember

    with tempfile.TemporaryDirectory() as folder, graphmem.open(str(Path(folder) / "reflect.db")) as memory:
        remember(memory, task.units)
        yield memory


def documents(name: str, tasks: Sequence[Any], floor: float, opened: Callable[[Any], Any]) -> list[Row]:
    once, worked = list[Told](), list[Told]()
    for task in tasks:
        with opened(task) as memory:
            once += asked(task, lambda question, m=memory: m.recall(question, limit=DEEPEST))
            worked += asked(task, lambda question, m=memory: m.reflect(question, limit=DEEPEST).recall)
    return against(f"{name} dev", worked, once, floor)


def against(name: str, worked: Sequence[Told], once: Sequence[Told], floor: float | None) -> list[Row]:
    """Reflection beside one recall, with the paired interval of the difference in recall@5."""
    from recallbench import metrics

    gain, low, high = metrics.paired_bootstrap([told.recall(5) for told in worked], [told.recall(5) for told in once])
    return [
        Row(f"{name} recall@5, one recall", mean(told.recall(5) for told in once), "%"),
        Row(f"{name} recall@5, reflect", mean(told.recall(5) for told in worked), "%"),
        Row(f"{name} recall@10, reflect", mean(told.recall(10) for told in worked), "%"),
        Row(f"{name} reflect against one recall, recall@5", 100 * gain, "points"),
        Row(f"{name} reflect against one recall, lower end of 95 %", 100 * low, "points", floor),
        Row(f"{name} reflect against one recall, upper end of 95 %", 100 * high, "points"),
    ]


def dialogue(tasks: Sequence[Any], opened: Callable[[Any], Any]) -> list[Row]:
    plans: dict[str, list[Told]] = {"light": [], "balanced": [], "deep": [], "routed": []}
    covered, sizes, resolved = list[float](), list[int](), list[bool]()
    for task in tasks:
        with opened(task) as memory:
            resolved += resolution(memory, task)
            plans["light"] += asked(task, lambda question, m=memory: m.recall(question, plan=FAST))
            plans["balanced"] += asked(
                task, lambda question, m=memory: m.recall(question, limit=DEEPEST, plan=BALANCED)
            )
            plans["deep"] += asked(task, lambda question, m=memory: m.reflect(question).recall)
            plans["routed"] += asked(task, lambda question, m=memory: m.recall(question, plan=ROUTED))
            memory.organize(organizer=Organizer("SUMMARIES", (Summaries(),)))
            for question in task.queries:
                share, tokens = summarised(memory, question)
                covered.append(share)
                sizes.append(tokens)
    hops = [[told for told in plans[name] if told.category == "multi-hop"] for name in ("deep", "balanced")]
    return [
        *against("locomo multi-hop", *hops, None),
        *routes(plans),
        Row("locomo evidence covered by two summaries", mean(covered), "%"),
        Row("locomo tokens of two summaries", float(np.mean(sizes)), "tokens"),
        Row("locomo who is asked about, resolved", mean(resolved), "%", 95),
    ]


def routes(plans: dict[str, list[Told]]) -> list[Row]:
    """Recall and tokens of what each route hands over, and what the routed one saves where a fixed number of passages
    has the same recall."""
    ks = {"light": 5, "balanced": 10, "deep": 10, "routed": 10}
    rows = []
    for name, told in plans.items():
        rows.append(Row(f"locomo {name}: evidence handed over", mean(one.recall(ks[name]) for one in told), "%"))
        rows.append(
            Row(f"locomo {name}: tokens handed over", float(np.mean([t.tokens(ks[name]) for t in told])), "tokens")
        )
    fixed = [
        (mean(one.recall(k) for one in plans["balanced"]), float(np.mean([one.tokens(k) for one in plans["balanced"]])))
        for k in range(1, DEEPEST + 1)
    ]
    reached = mean(one.recall(10) for one in plans["routed"])
    spent = float(np.mean([one.tokens(10) for one in plans["routed"]]))
    equal = float(np.interp(reached, [recall for recall, _ in fixed], [tokens for _, tokens in fixed]))
    shares = {plan: mean(told.plan == plan for told in plans["routed"]) for plan in ("FAST", "BALANCED", "DEEP")}
    return [
        *rows,
        *(Row(f"locomo routed: share answered by {plan}", share, "%") for plan, share in shares.items()),
        Row("locomo routed: tokens saved against ten passages", 100 * (1 - spent / fixed[9][1]), "%"),
        Row("locomo routed: tokens saved at equal recall", 100 * (1 - spent / equal), "%"),
    ]


def asked(task: Any, search: Callable[[str], Recall]) -> list[Told]:
    return [told_of(search(query.text), query) for query in task.queries]


def told_of(recall: Recall, query: Any) -> Told:
    passages = [ranked.passage for ranked in recall.passages]
    sizes = tuple(-(-len(passage.text) // CHARS_A_TOKEN) for passage in passages)
    refs = tuple(passage.ref or "" for passage in passages)
    return Told(refs, sizes, tuple(query.gold), query.category or "", recall.plan)


def resolution(memory: Memory, task: Any) -> list[bool]:
    """For each question that names exactly one of the speakers (told by a plain search for their names): whether recall
    takes that one, and nobody else, for the person asked about."""
    speakers = sorted({unit.speaker for unit in task.units if unit.speaker})
    right = []
    with memory.reader() as reader:
        for query in task.queries:
            named = [name for name in speakers if re.search(rf"\b{re.escape(name)}\b", query.text, re.I)]
            if len(named) == 1:
                found = resolve(reader, understand(query.text), memory.embedder, BALANCED).speakers
                names = {node.name for node in reader.nodes(found) if isinstance(node, graphmem.schema.Entity)}
                right.append(names == set(named))
    return right


def summarised(memory: Memory, query: Any) -> tuple[float, int]:
    """The share of the evidence that the two best summaries are made of, and their tokens."""
    summaries = [hit.note for hit in memory.recall(query.text).derived][:2]
    with memory.reader() as reader:
        parents = reader.get([parent for note in summaries for parent in note.parents])
        spans = [span.passage for note in parents.values() if isinstance(note, Note) for span in note.spans]
        refs = {node.ref for node in reader.get(spans).values() if isinstance(node, Passage)}
    tokens = sum(-(-len(note.text) // CHARS_A_TOKEN) for note in summaries)
    return sum(ref in refs for ref in query.gold) / len(query.gold), tokens


def mean(values: Any) -> float:
    found = [float(value) for value in values]
    return 100 * sum(found) / len(found) if found else 0.0
