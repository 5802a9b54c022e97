"""An agent on a stream of tasks with hidden rules: no memory, raw trajectories, strategies; then on tasks held out.

The game (tests/organize/tasks/workshop.py) is unknown to the distiller, its rules differ with the seed, held-out
tasks are pairs of machines that no task of the stream had, under new names. Differences are over the same tasks.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from tests.bench.table import Row
from tests.organize.tasks.trial import ONLY, Outcome, held_out, learnt, streamed, trial
from tests.organize.tasks.workshop import hidden

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
    """PlugMem: how many of the rules that a task asks for are told in a thousand tokens."""
    with (
        tempfile.TemporaryDirectory() as folder,
        graphmem.open(str(Path(folder) / "agent.db"), embedder=HashEmbedder()) as memory,
    ):
        learnt(memory, "strategies", 0, streamed(0, count))
        memory.organize(organizer=ONLY)
        strategies, passages = told(memory)
    return [
        Row("rules told by strategies, a thousand tokens", strategies, "rules"),
        Row("rules told by raw passages, a thousand tokens", passages, "rules"),
        Row("strategies over passages, information a token", strategies / max(passages, 1e-9), "x", 1),
    ]


def told(memory: Memory, tasks: int = 20) -> tuple[float, float]:
    """Needed operations of the task's kinds that the first ten strategies, or the first ten passages, name together
    with the kind; per thousand tokens of four characters."""
    rules, density = hidden(0), []
    for task in held_out(0, tasks):
        wanted = {(word, m.kind) for m in task.machines for op in rules.needed[m.kind] for word in [op]}
        asked = f"{task.text} {task.situation}"
        texts = (
            [told.note.text for told in memory.strategies(asked, limit=10)],
            [ranked.passage.text for ranked in memory.recall(asked, limit=10).passages],
        )
        density.append([1_000 * named(wanted, found) / (sum(map(len, found)) / 4) for found in texts])
    strategies, passages = np.mean(density, axis=0)
    return float(strategies), float(passages)


def named(wanted: set[tuple[str, str]], texts: list[str]) -> int:
    return sum(any(operation in text and kind in text for text in texts) for operation, kind in wanted)


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
