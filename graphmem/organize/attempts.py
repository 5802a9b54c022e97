"""Runs of an agent as attempts at goals: what had been done before, how things stood, and whether it worked.

A goal is the task itself, an action that a run tried, or an action that the task's words name: a run that ended before
it came to such an action has failed at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphmem.organize.abstraction import ANY, abstract, concepts, head, lifted, names_in, sentences_of
from graphmem.schema import Id

#: Words that tell of an action that did not do what it was to do. A step's own `ok` goes before them.
_FAILED = re.compile(
    r"\b(?:not|no|nothing|never|none|can't|cannot|can not|couldn't|won't|doesn't|didn't|isn't|unable|fails?|failed"
    r"|failure|errors?|exception|invalid|denied|refused|refuses|rejected|forbidden|missing|unknown|stuck|jammed|locked"
    r"|traceback|timed out|timeout)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Done:
    """One step of a run at concept level, and the passage it stands in."""

    action: str
    worked: bool
    seen: str
    passage: Id


@dataclass(frozen=True, slots=True)
class Run:
    """A trajectory at concept level. `said`: sentences of its situation."""

    source: Id
    task: str
    said: tuple[str, ...]
    steps: tuple[Done, ...]
    succeeded: bool
    first: Id  # the passage of the task


class Attempt(NamedTuple):
    """One try at a goal, and what came of it: `seen`, in the step of `passage`.

    `done`: actions that had worked before, with their places; `tried`: all before, worked or not, with what was seen
    last; `said`: words of the situation that are about the goal; `other`: words of the task that the goal does not
    have; `ended`: the run's last action, where the run failed with it; `object`: the noun that `ANY` stands for."""

    run: Id
    worked: bool
    done: Mapping[str, int]
    tried: Mapping[str, str]
    said: frozenset[str]
    seen: str
    passage: Id
    other: frozenset[str] = frozenset()
    ended: str = ""
    object: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A step as the trajectory has it."""

    action: str
    seen: str
    ok: bool | None
    passage: Id


def run_of(
    source: Id,
    task: str,
    situation: str,
    *,
    steps: Sequence[Told],
    succeeded: bool,
    first: Id,
    types: Mapping[str, str],
) -> Run:
    """A run at concept level. O(its text)."""
    names = names_in([task, situation, *(text for step in steps for text in (step.action, step.seen))])
    said = tuple(abstract(sentence, names, types) for sentence in sentences_of(situation))
    done = tuple(
        Done(
            abstract(step.action, names, types),
            step.ok if step.ok is not None else not _FAILED.search(step.seen),
            abstract(step.seen, names, types),
            step.passage,
        )
        for step in steps
    )
    return Run(source, abstract(task, names, types), said, done, succeeded, first)


def by_goal(runs: Sequence[Run], *, cap: int) -> dict[str, list[Attempt]]:
    """All attempts of these runs, by goal; at most `cap` of each outcome a goal, those of the first runs. A goal that
    holds for any object has `ANY` in the place of the noun."""
    tried = {step.action for run in runs for step in run.steps}
    named = {action: concepts(action) for action in tried}
    found: dict[str, list[Attempt]] = {}
    counts: dict[tuple[str, bool], int] = {}
    for run in runs:
        for goal, attempt in attempts(run, named):
            if counts.get((goal, attempt.worked), 0) < cap:
                counts[goal, attempt.worked] = counts.get((goal, attempt.worked), 0) + 1
                found.setdefault(goal, []).append(attempt)
    return found


def attempts(run: Run, named: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, Attempt]]:
    """The goals of one run with what came of each. After an action has worked, trying it again tells nothing new."""
    done: dict[str, int] = {}
    tried: dict[str, str] = {}

    def attempt(goal: str, step: Done, *, worked: bool, ended: str = "") -> Attempt:
        said, other = _about(run, goal), concepts(run.task) - concepts(goal)
        return Attempt(run.source, worked, dict(done), dict(tried), said, step.seen, step.passage, other, ended)

    for place, step in enumerate(run.steps):
        if step.action not in done:
            yield from both(step.action, attempt(step.action, step, worked=step.worked))
        tried[step.action] = step.seen
        if step.worked:
            done.setdefault(step.action, place)
    last = run.steps[-1]
    if not run.succeeded:
        for action, words in named.items():
            if action not in done and action != last.action and words and words <= concepts(run.task):
                yield from both(action, attempt(action, last, worked=False, ended=last.action))
    if run.task not in tried:  # else the task is that action, and its attempts are told
        yield run.task, attempt(run.task, last, worked=run.succeeded, ended="" if run.succeeded else last.action)


def _about(run: Run, goal: str) -> frozenset[str]:
    """What the situation says about a goal: the other words of the sentences that share one with it."""
    words = concepts(goal)
    said = [concepts(sentence) for sentence in run.said]
    return frozenset(word for sentence in said if sentence & words for word in sentence - words)


def both(goal: str, attempt: Attempt) -> Iterator[tuple[str, Attempt]]:
    """The attempt at the goal itself, and the same at the goal for any object."""
    yield goal, attempt
    noun = head(goal)
    if noun and ANY not in goal:
        done = {lifted(action, noun): place for action, place in attempt.done.items()}
        tried = {lifted(action, noun): seen for action, seen in attempt.tried.items()}
        ended = lifted(attempt.ended, noun)
        yield lifted(goal, noun), attempt._replace(done=done, tried=tried, ended=ended, object=noun)
