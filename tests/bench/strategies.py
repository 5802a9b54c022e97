"""An agent on a stream of tasks with hidden rules: no memory, raw trajectories, strategies; then on tasks held out.

The game (tests/organize/tasks/workshop.py) is unknown to the distiller, its rules differ with the seed, held-out
tasks are pairs of machines that no task of the stream had, under new names. Differences are over the same tasks.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from tests.bench.table import Row
from tests.organize.tasks.trial import Outcome, held_out, learnt, streamed, trial
from tests.organize.tasks.workshop import OPERATIONS, hidden

SIZES = {"quick": (60, 2, 25), "full": (200, 5, 50), "million": (200, 5, 50)}
#: Tasks of the stream where rollouts are compared: few, so that what more runs of each bring shows.
ROLLOUT_TASKS = 30
RESAMPLES = 10_000


def run(size: str) -> list[Row]:
    count, seeds, test = SIZES[size]
    arms = {how: [arm(how, seed, count, test) for seed in range(seeds)] for how in ("off", "raw", "strategies")}
    rows = []
    for how, outcomes in arms.items():
        rows += [
            Row(f"agent, {how}: success over the stream of {count}", rate(outcomes, "stream"), "%"),
            Row(f"agent, {how}: success in its last quarter", last_quarter(outcomes), "%"),
            Row(f"agent, {how}: success on {seeds} x {test} held-out tasks", rate(outcomes, "held_out"), "%"),
        ]
    for other in ("off", "raw"):
        for part in ("stream", "held_out"):
            gain, low, high = paired(arms["strategies"], arms[other], part)
            rows.append(Row(f"strategies over {other}, {part}", gain, "points"))
            rows.append(Row(f"strategies over {other}, {part}, lower end of 95 %", low, "points", 0))
            rows.append(Row(f"strategies over {other}, {part}, upper end of 95 %", high, "points"))
    return [*rows, *scaling(seeds, test), *density(count)]


def arm(how: str, seed: int, count: int, test: int, rollouts: int = 1) -> Outcome:
    return trial(how, seed, stream=streamed(seed, count), test=held_out(seed, test), rollouts=rollouts)


def scaling(seeds: int, test: int) -> list[Row]:
    """Memory-aware scaling (ReasoningBank): several runs of each task of a short stream, contrasted."""
    found = {n: [arm("strategies", seed, ROLLOUT_TASKS, test, n) for seed in range(seeds)] for n in (1, 3, 5)}
    rows = [
        Row(f"strategies from {ROLLOUT_TASKS} tasks x {n} rollouts, held out", rate(outcomes, "held_out"), "%")
        for n, outcomes in found.items()
    ]
    gain, low, high = paired(found[5], found[1], "held_out")
    return [
        *rows,
        Row("five rollouts over one, held out", gain, "points"),
        Row("five rollouts over one, lower end of 95 %", low, "points", 0),
        Row("five rollouts over one, upper end of 95 %", high, "points"),
    ]


def density(count: int) -> list[Row]:
    """PlugMem: what the first ten strategies, and the first ten passages, tell of held-out tasks in a thousand tokens.

    Information is that between "this operation is named for this kind" and "this kind needs it", over all operations
    of the tasks' kinds. How many needed operations are named is shown beside it: a passage names what somebody did,
    needed or not."""
    with (
        tempfile.TemporaryDirectory() as folder,
        graphmem.open(str(Path(folder) / "agent.db"), embedder=HashEmbedder()) as memory,
    ):
        learnt(memory, "strategies", 0, streamed(0, count))
        strategies, passages = told(memory)
    return [
        Row("needed operations named by strategies, a thousand tokens", strategies.named, "rules"),
        Row("needed operations named by raw passages, a thousand tokens", passages.named, "rules"),
        Row("information in strategies, a thousand tokens", strategies.bits, "bits"),
        Row("information in raw passages, a thousand tokens", passages.bits, "bits"),
        Row("strategies over passages, information a token", strategies.bits / max(passages.bits, 1e-9), "x", 1),
    ]


class Density(NamedTuple):
    """Needed operations named, and information on what is needed, in a thousand tokens of four characters."""

    named: float
    bits: float


def told(memory: Memory, tasks: int = 20) -> tuple[Density, Density]:
    rules, pairs, sizes = hidden(0), ([], []), ([], [])
    for task in held_out(0, tasks):
        asked = f"{task.text} {task.situation}"
        strategies = memory.strategies(asked, limit=10)
        passages = [ranked.passage.text for ranked in memory.recall(asked, limit=10).passages]
        steps = [f"{told.goal}: {', '.join(told.steps)}" for told in strategies]
        for part, texts, whole in ((0, steps, [t.note.text for t in strategies]), (1, passages, passages)):
            sizes[part].append(sum(map(len, whole)) / 4)
            for kind in {machine.kind for machine in task.machines}:
                for operation in OPERATIONS:
                    named = any(operation in text and kind in text for text in texts)
                    pairs[part].append((named, operation in rules.needed[kind]))
    return tuple(  # type: ignore[return-value]
        Density(
            1_000 * sum(named and needed for named, needed in found) / sum(size),
            1_000 * len(found) * information(found) / sum(size),
        )
        for found, size in zip(pairs, sizes, strict=True)
    )


def information(pairs: list[tuple[bool, bool]]) -> float:
    """Mutual information of the two, in bits."""
    table = np.zeros((2, 2))
    for named, needed in pairs:
        table[int(named), int(needed)] += 1
    joint = table / table.sum()
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / alone[there])).sum())


def rate(outcomes: list[Outcome], part: str) -> float:
    return 100 * float(np.mean([won for outcome in outcomes for won in getattr(outcome, part)]))


def last_quarter(outcomes: list[Outcome]) -> float:
    return 100 * float(np.mean([won for outcome in outcomes for won in outcome.stream[-len(outcome.stream) // 4 :]]))


def paired(ours: list[Outcome], theirs: list[Outcome], part: str) -> tuple[float, float, float]:
    """Mean difference in points and its 95 % interval: seeds, then tasks of each, are drawn with replacement."""
    table = np.array(
        [
            np.subtract(getattr(mine, part), getattr(other, part), dtype=float)
            for mine, other in zip(ours, theirs, strict=True)
        ]
    )
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, len(table), (RESAMPLES, len(table)))
    tasks = rng.integers(0, table.shape[1], (RESAMPLES, len(table), table.shape[1]))
    means = table[seeds[:, :, None], tasks].mean(axis=(1, 2))
    low, high = np.percentile(means, [2.5, 97.5])
    return 100 * float(table.mean()), 100 * float(low), 100 * float(high)
