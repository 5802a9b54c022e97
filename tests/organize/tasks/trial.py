"""Streams of tasks with a memory that grows, then held-out tasks with the memory as it is."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from graphmem.organize import Organizer
from graphmem.organize.strategies import Strategies
from tests.organize.tasks.agent import Nothing, Raw, Wise
from tests.organize.tasks.workshop import KINDS, Game, Rules, Task, hidden, tasks

ORGANISE_EVERY = 5
#: How often an agent that follows strategies leaves a step out while it learns.
CURIOUS = 0.2
#: The same for further runs of one task: they are there to differ.
DIVERSE = 0.4
ONLY = Organizer("STRATEGIES", (Strategies(),))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether each task succeeded: of the stream, in its order, and of those held out."""

    stream: list[bool]
    held_out: list[bool]


def pairs(seed: int) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Pairs of kinds that the stream has, and those that it never has."""
    every: list[tuple[str, ...]] = list(combinations(KINDS, 2))
    random.Random(f"pairs {seed}").shuffle(every)
    return every[:25], every[25:]


def streamed(seed: int, count: int) -> list[Task]:
    """Two tasks of one machine, then one of two."""
    known, _ = pairs(seed)
    single = tasks(seed, count, (1,))
    double = tasks(seed + 1_000, count, (2,), known)
    return [double[i] if i % 3 == 2 else single[i] for i in range(count)]


def held_out(seed: int, count: int) -> list[Task]:
    """Pairs of kinds that no task of the stream had."""
    return tasks(seed + 2_000, count, (2,), pairs(seed)[1])


def trial(how: str, seed: int, *, stream: Sequence[Task], test: Sequence[Task], rollouts: int = 1) -> Outcome:
    """`how`: off, raw or strategies. Each task of the stream is run `rollouts` times; the first run is what counts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        graphmem.open(str(Path(folder) / "agent.db"), embedder=HashEmbedder()) as memory,
    ):
        won = learnt(memory, how, seed, stream, rollouts=rollouts)
        return Outcome(won, tested(memory, how, seed, test))


def learnt(memory: Memory, how: str, seed: int, stream: Sequence[Task], *, rollouts: int = 1) -> list[bool]:
    """Whether each task of a stream succeeded at first, while the memory grows."""
    rules = hidden(seed)
    won = [_learn(memory, how, rules, task, n, seed=seed, rollouts=rollouts) for n, task in enumerate(stream)]
    if how == "strategies":
        memory.organize(organizer=ONLY)
    return won


def tested(memory: Memory, how: str, seed: int, test: Sequence[Task]) -> list[bool]:
    rules = hidden(seed)
    return [_run(memory, how, rules, task, f"{seed} held out {number}")[0] for number, task in enumerate(test)]


def _learn(memory: Memory, how: str, rules: Rules, task: Task, number: int, *, seed: int, rollouts: int) -> bool:
    outcomes = []
    for rollout in range(rollouts):
        won, steps = _run(
            memory, how, rules, task, f"{seed} {number} {rollout}", curious=DIVERSE if rollout else CURIOUS
        )
        outcomes.append(won)
        if how != "off":
            memory.remember_trajectory(task.text, steps, won, situation=task.situation, id=f"{number}/{rollout}")
    if how == "strategies" and number % ORGANISE_EVERY == ORGANISE_EVERY - 1:
        memory.organize(organizer=ONLY)
    return outcomes[0]


def _run(
    memory: Memory, how: str, rules: Rules, task: Task, seed: str, *, curious: float = 0.0
) -> tuple[bool, list[dict[str, object]]]:
    rng = random.Random(seed)
    agent = {
        "off": Nothing(rng),
        "raw": Raw(rng, memory=memory),
        "strategies": Wise(rng, curious=curious, memory=memory),
    }[how]
    game = Game(rules, task)
    steps = agent.play(game, task.text, task.situation)
    return game.won, steps
