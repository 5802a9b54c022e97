"""A simple agent that knows nothing of any game: it does what its memory says, and else tries at random.

It sees a task, a situation, the actions there are, and what came of each; it speaks to its memory by the public API
alone. `Nothing`, `Raw` and `Wise` differ in what they ask the memory for, not in how they explore.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from graphmem.memory import Memory
from graphmem.schema import Source, Strategy

STOP = {"the", "of", "and", "a", "to"}


class Playable(Protocol):
    """What the agent sees of a game."""

    over: bool

    @property
    def actions(self) -> list[str]: ...
    @property
    def won(self) -> bool: ...
    def act(self, action: str) -> str: ...


@lru_cache(maxsize=16_384)
def words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.findall(r"\w+", text.lower()) if word not in STOP)


@dataclass
class Nothing:
    """No memory: tries what it has not tried yet; what had no effect again only after something else had one."""

    rng: random.Random
    avoided: set[str] = field(default_factory=set)

    def begin(self, task: str, situation: str, actions: list[str]) -> None: ...

    def wanted(self, done: set[str], futile: set[str]) -> str | None:  # noqa: ARG002
        return None

    def play(self, game: Playable, task: str, situation: str) -> list[dict[str, Any]]:
        """The steps of one run."""
        self.avoided = set()
        self.begin(task, situation, game.actions)
        steps: list[dict[str, Any]] = []
        done: set[str] = set()
        futile: set[str] = set()
        while not game.over:
            action = self.wanted(done, futile) or self.any(game.actions, done | futile)
            seen = game.act(action)
            steps.append({"action": action, "observation": seen})
            if " not " in seen:
                futile.add(action)
            else:
                done.add(action)
                futile.clear()
        return steps

    def any(self, actions: list[str], tried: set[str]) -> str:
        left = [a for a in actions if a not in tried and a not in self.avoided] or [
            a for a in actions if a not in tried
        ]
        return self.rng.choice(left or actions)


@dataclass
class Raw(Nothing):
    """Replays the nearest runs that succeeded, each step as the action that has most words in common with it."""

    memory: Memory | None = None
    plan: list[str] = field(default_factory=list)

    def begin(self, task: str, situation: str, actions: list[str]) -> None:  # noqa: ARG002
        assert self.memory is not None
        self.plan = []
        found = self.memory.recall(f"{task} {situation}", limit=50).passages
        sources = list(dict.fromkeys(ranked.passage.source for ranked in found))
        with self.memory.reader() as reader:
            nodes = reader.get(sources)
            won = [id for id in sources if isinstance(s := nodes[id], Source) and s.meta["outcome"] == "success"]
            for id in won[:3]:
                passages = reader.get(reader.passages_of(id)).values()
                self.plan += [p.meta["action"] for p in passages if p.meta.get("action") and " not " not in p.text]  # type: ignore[union-attr]

    def wanted(self, done: set[str], futile: set[str]) -> str | None:
        while self.plan:
            action = nearest(self.plan.pop(0), self.actions_left(done, futile))
            if action is not None:
                return action
        return None

    def actions_left(self, done: set[str], futile: set[str]) -> list[str]:
        return [action for action in self.actions if action not in done and action not in futile]

    def play(self, game: Playable, task: str, situation: str) -> list[dict[str, Any]]:
        self.actions = game.actions
        return super().play(game, task, situation)


def nearest(step: str, actions: list[str]) -> str | None:
    """The action most like a past step: at least half of the words of both, the verb among them."""
    mine = set(words(step))
    best = max(actions, key=lambda a: (len(mine & set(words(a))) / len(mine | set(words(a))), a), default=None)
    if best is None or words(best)[0] != words(step)[0]:
        return None
    shared = len(mine & set(words(best))) / len(mine | set(words(best)))
    return best if shared >= 0.5 else None


@dataclass
class Wise(Nothing):
    """Does what strategies say: the steps of those whose goal is an action that the task asks for, each with its own
    strategies first. `curious`: how often it leaves a step out at first, to see whether the goal needs it."""

    curious: float = 0.0
    memory: Memory | None = None
    known: tuple[Strategy, ...] = ()
    doubted: dict[tuple[str, str], bool] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    situation: str = ""
    task: str = ""

    def begin(self, task: str, situation: str, actions: list[str]) -> None:
        assert self.memory is not None
        self.known = self.memory.strategies(f"{task} {situation}", limit=40)
        self.actions, self.situation, self.task = actions, situation, task
        self.doubted = {}
        for told in self.known:
            for goal in self.fitting(told.goal):
                for bad in told.avoid:
                    self.avoided.update(self.alike(bad, goal))

    def fitting(self, template: str) -> list[str]:
        """The actions that a template of a strategy may stand for."""
        return [action for action in self.actions if fits(template, action)]

    def alike(self, template: str, goal: str) -> list[str]:
        """Those of them that share most words with the goal: the same object, where there are several."""
        kind = words(goal)[-1]
        found = self.fitting(re.sub(r"\bthing\b", kind, template))
        most = max((len(set(words(action)) & set(words(goal))) for action in found), default=0)
        return [action for action in found if len(set(words(action)) & set(words(goal))) == most]

    def wanted(self, done: set[str], futile: set[str]) -> str | None:
        asked = set(words(self.task))
        for goal in self.actions:
            if goal not in done and set(words(goal)) <= asked:
                action = self.toward(goal, done, futile, depth=0)
                if action is not None:
                    return action
        return None

    def toward(self, goal: str, done: set[str], futile: set[str], depth: int) -> str | None:
        """The next action on the way to a goal: the first step not done yet, else the goal itself. Steps that it is
        curious about come after the goal has failed without them."""
        wanted = [action for step in self.steps(goal) for action in self.alike(step, goal)[:1]]
        left = [action for action in wanted if action not in done and action not in futile and action != goal]
        first = [action for action in left if not self.doubts(goal, action)]
        if depth > 4 or not (wanted or depth):
            return None
        if not first and goal not in futile:
            return goal
        return self.toward((first or left)[0], done, futile, depth + 1) if left else None

    def doubts(self, goal: str, step: str) -> bool:
        if (goal, step) not in self.doubted:
            self.doubted[goal, step] = self.rng.random() < self.curious
        return self.doubted[goal, step]

    def steps(self, goal: str) -> Iterator[str]:
        """Steps of all strategies for a goal, those of the situation first, of the object itself before any object."""
        found = [told for told in self.known if fits(told.goal, goal) and self.holds(told, goal)]
        found.sort(key=lambda told: (not told.where, "thing" in told.goal.split()))
        if any("thing" not in told.goal.split() and not told.where for told in found):
            found = [told for told in found if told.where or "thing" not in told.goal.split()]
        for told in found:
            yield from told.steps

    def holds(self, told: Strategy, goal: str) -> bool:
        about = [s for s in self.situation.split(".") if set(words(s)) & set(words(goal)[1:])]
        return not told.where or any(told.where in words(sentence) for sentence in about)


def fits(template: str, action: str) -> bool:
    """Whether the template's words stand in the action in this order; "thing" stands for any."""
    rest = iter(words(action))
    return words(template)[:1] == words(action)[:1] and all(
        word == "thing" or any(word == other for other in rest) for word in words(re.sub(r"<\w+>", "", template))
    )
