"""Leave one conversation out: recall's weights fitted anew on four conversations, by coordinate ascent from one neutral
start, and measured on the fifth. Fits nothing that is shipped; it tells what the shipped plan owes to having seen them.

What does not depend on the weights (searches, signals, edges) is read once a question and kept.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import graphmem
from graphmem.recall import BALANCED
from graphmem.recall.gather import Asked, Found, resolve, search
from graphmem.recall.plan import Plan
from graphmem.recall.recall import Clock, flow, ranked_with_newcomers
from graphmem.recall.understand import understand
from tests.bench import data
from tests.bench.table import Row

#: Weights that a person would write down before seeing any data; those of document titles are left as they are, since
#: conversations say nothing of them.
START = {
    "text": 1.0, "sentence": 1.0, "tokens": 4.0, "near_gain": 1.0, "next_after_question": 0.5, "next": 0.25,
    "previous": 0.25, "section": 0.25, "question": -0.25, "speaker": 0.25, "date": 0.5, "when": 0.25,
}  # fmt: skip
STEPS = (2.0, 1.4)
LEAST_GAIN = 1e-4
FLOORS = (("recall@5", "%", 78), ("recall@10", "%", 85.5), ("MRR", "", 0.63))

Table = npt.NDArray[np.float64]  # (questions, 3): recall@5, recall@10, reciprocal rank


def run(size: str) -> list[Row]:
    if not data.present():
        return [Row("leave one conversation out", None, skipped=data.ABSENT)]
    if size == "quick":
        return [Row("leave one conversation out", None, skipped="SIZE=full fits the weights five times")]
    data.use_scorer()
    from recallbench.data import load_path

    with ExitStack() as stack, kept_signals():
        tasks = load_path(data.DATA / "locomo-dev")
        conversations = [stack.enter_context(remembered(task)) for task in tasks]
        rows = np.concatenate([_fold(conversations, index) for index in range(len(conversations))])
    means = rows.mean(axis=0) * (100, 100, 1)
    return [
        Row(f"locomo dev {name}, leave one conversation out", float(value), unit, floor)
        for value, (name, unit, floor) in zip(means, FLOORS, strict=True)
    ]


def _fold(conversations: Sequence[Conversation], index: int) -> Table:
    """What the plan fitted on the other conversations reaches on this one."""
    began, left_out = time.perf_counter(), conversations[index]
    plan = fitted([*conversations[:index], *conversations[index + 1 :]])
    rows = left_out.measured(plan)
    weights = ", ".join(f"{name} {getattr(plan, name):.3g}" for name in START)
    found, spent = 100 * rows[:, 1].mean(), time.perf_counter() - began
    print(f"  {left_out.name}: recall@10 {found:.1f} by {weights}; {spent:.0f} s", file=sys.stderr, flush=True)
    return rows


def fitted(conversations: Sequence[Conversation]) -> Plan:
    """Each weight times or through a step as long as the mean of the three metrics rises."""

    def value(plan: Plan) -> float:
        return float(np.concatenate([one.measured(plan) for one in conversations]).mean())

    plan = replace(BALANCED, name="fitted", **START)
    best = value(plan)
    for step in STEPS:
        before = -1.0
        while best > before + LEAST_GAIN:
            before = best
            for name in START:
                for factor in (step, 1 / step):
                    trial = replace(plan, **{name: getattr(plan, name) * factor})
                    if (reached := value(trial)) > best + LEAST_GAIN:
                        plan, best = trial, reached
                        break
    return plan


@dataclass(frozen=True, slots=True)
class Question:
    gold: Sequence[str]
    asked: Asked
    found: Found


@dataclass(slots=True)
class Conversation:
    """One conversation in a memory of its own, and what its questions found."""

    name: str
    reader: Any
    ref_of: dict[int, str]
    questions: list[Question]
    known: dict[Plan, Table] = field(default_factory=dict)

    def measured(self, plan: Plan) -> Table:
        if plan not in self.known:
            self.known[plan] = np.array([self._asked(question, plan) for question in self.questions])
        return self.known[plan]

    def _asked(self, question: Question, plan: Plan) -> tuple[float, float, float]:
        from recallbench import metrics

        clock, module = Clock(None), import_module("graphmem.recall.recall")
        first = module.signals(self.reader, question.asked, question.found, question.found.pool, plan)
        flows = flow(self.reader, question.asked, question.found, first, plan=plan, clock=clock)
        ranked = ranked_with_newcomers(
            self.reader, question.asked, question.found, first, flows=flows, plan=plan, clock=clock
        )
        refs = [self.ref_of[number] for number in ranked.signals.numbers[ranked.order[:50]].tolist()]
        rows = metrics.score(refs, question.gold, (5, 10))
        return rows["recall@5"], rows["recall@10"], rows["mrr"]


@contextmanager
def remembered(task: Any) -> Iterator[Conversation]:
    from tests.bench.recallbench_adapter import remember

    with tempfile.TemporaryDirectory() as folder, graphmem.open(str(Path(folder) / "fold.db")) as memory:
        remember(memory, task.units)
        with memory.reader() as reader:
            kept = Kept(reader)
            ref_of = {
                number: node.ref
                for source in reader.page(graphmem.schema.NodeKind.SOURCE)
                for number, node in _passages(reader, source.id)
            }
            questions = []
            for query in task.queries:
                asked = resolve(kept, understand(query.text), memory.embedder, BALANCED)  # type: ignore[arg-type]
                questions.append(Question(query.gold, asked, search(kept, asked, BALANCED)))  # type: ignore[arg-type]
            yield Conversation(task.name, kept, ref_of, questions)


def _passages(reader: Any, source: str) -> list[tuple[int, Any]]:
    ids = reader.passages_of(source)
    return list(zip(reader.numbers(ids).tolist(), reader.get(ids).values(), strict=True))


class Kept:
    """A reader whose answers are kept by their arguments."""

    def __init__(self, reader: Any) -> None:
        self._reader, self._known = reader, dict[tuple[Any, ...], Any]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._reader, name)

        def kept(*args: Any, **options: Any) -> Any:
            key = (name, *map(_hashable, args), *sorted(options.items()))
            if key not in self._known:
                self._known[key] = method(*args, **options)
            return self._known[key]

        return kept


def _hashable(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value)


@contextmanager
def kept_signals() -> Iterator[None]:
    """The signals of a question's candidates do not depend on the weights: within this they are made once."""
    module = import_module("graphmem.recall.recall")
    original, known = module.signals, dict[tuple[Any, ...], Any]()

    def signals(reader: Any, asked: Any, found: Any, numbers: Any, plan: Any, **options: Any) -> Any:
        key = (id(found), numbers.tobytes(), options.get("codes"))
        if key not in known:
            known[key] = original(reader, asked, found, numbers, plan, **options)
        return known[key]

    module.signals = signals
    try:
        yield
    finally:
        module.signals = original
