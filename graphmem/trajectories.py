"""Trajectories: what an agent did on a task, step by step, and how it ended; as a source whose passages are the steps.

    {"task": "…", "outcome": "success", "steps": [STEP, …], "situation": "…", "id": "…", "at": "2026-05-12T09:30"}
    STEP: {"action": "…", "observation": "…", "ok": true}
      or: {"tool": "…", "arguments": {…}, "observation": "…", "ok": false}

The outcome is "success" or "failure" (or true, false). `task`, `outcome` and `steps` are needed, and of a step its
action or tool. `ok` tells whether the step did what it was to do; without it the observation's words tell. `situation`
is how things stood before the first step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from graphmem.errors import InputError
from graphmem.schema import PassageDraft, SourceDraft, clean

KIND = "trajectory"
SUCCESS, FAILURE = "success", "failure"
MAX_STEPS = 10_000
HINT = 'a trajectory is {"task": "…", "outcome": "success" or "failure", "steps": [{"action": "…"}, …]}'
STEP_HINT = 'a step is {"action": "…", "observation": "…"} or {"tool": "…", "arguments": {…}, "observation": "…"}'
FIELDS = {"task", "outcome", "steps", "situation", "id", "at"}
STEP_FIELDS = {"action", "tool", "arguments", "observation", "ok"}
_OUTCOMES = {True: SUCCESS, False: FAILURE, SUCCESS: SUCCESS, FAILURE: FAILURE}


@dataclass(frozen=True, slots=True)
class Move:
    """One step: what was done (`tool` and `arguments` for a tool call), what was seen, whether it worked (None: the
    observation tells)."""

    action: str
    observation: str = ""
    ok: bool | None = None
    tool: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One run of an agent on a task."""

    task: str
    moves: tuple[Move, ...]
    outcome: str
    situation: str = ""
    id: str = ""


def read(value: Mapping[str, object], *, source: str = "", position: str = "") -> Trajectory:
    """A trajectory from its JSON form. Raises InputError that says what is wrong, where, and what to write instead."""
    at = _Place(source, position)
    if unknown := sorted(set(value) - FIELDS):
        at.fault(f"{unknown[0]!r} is no field of a trajectory", f"its fields are {', '.join(sorted(FIELDS))}")
    steps, outcome = value.get("steps"), value.get("outcome")
    if not isinstance(outcome, bool | str) or outcome not in _OUTCOMES:
        at.fault(f"the outcome {outcome!r} is neither success nor failure", HINT)
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        at.fault('has no list of "steps"', HINT)
    if len(steps) > MAX_STEPS:
        at.fault(f"has {len(steps):,} steps, more than {MAX_STEPS:,}", "cut it into several tasks")
    moves = tuple(_move(step, at.inside(f"step {number}")) for number, step in enumerate(steps, 1))
    task = at.text(value, "task", needed=True, hint=HINT)
    return Trajectory(task, moves, _OUTCOMES[outcome], at.text(value, "situation"), at.text(value, "id")[:200])


@dataclass(frozen=True, slots=True)
class _Place:
    source: str
    position: str

    def inside(self, part: str) -> _Place:
        return _Place(self.source, f"{self.position}, {part}" if self.position else part)

    def fault(self, message: str, hint: str) -> NoReturn:
        raise InputError(message, hint=hint, source=self.source, position=self.position)

    def text(self, value: Mapping[str, object], name: str, *, needed: bool = False, hint: str = HINT) -> str:
        given = value.get(name)
        if given is None and not needed:
            return ""
        if not isinstance(given, str) or (needed and not given.strip()):
            what = "is missing or blank" if given is None or isinstance(given, str) else f"is {type(given).__name__}"
            self.fault(f"{name!r} {what}, where a text should be", hint)
        return clean(given)[0].strip()


def _move(step: object, at: _Place) -> Move:
    if isinstance(step, Move):
        return step
    if not isinstance(step, Mapping):
        at.fault(f"is {type(step).__name__}, where an object should be", STEP_HINT)
    if unknown := sorted(set(step) - STEP_FIELDS):
        at.fault(f"{unknown[0]!r} is no field of a step", f"its fields are {', '.join(sorted(STEP_FIELDS))}")
    ok, arguments = step.get("ok"), step.get("arguments") or {}
    if not isinstance(ok, bool | None):
        at.fault(f"'ok' is {ok!r}, neither true nor false", STEP_HINT)
    if not isinstance(arguments, Mapping):
        at.fault("'arguments' is no object", STEP_HINT)
    observation = at.text(step, "observation", hint=STEP_HINT)
    tool = at.text(step, "tool", hint=STEP_HINT)
    if not tool:
        return Move(at.text(step, "action", needed=True, hint=STEP_HINT), observation, ok)
    return Move(
        at.text(step, "action", hint=STEP_HINT) or call(tool, arguments), observation, ok, tool, dict(arguments)
    )


def call(tool: str, arguments: Mapping[str, object]) -> str:
    """A tool call in words: `search with query "graph memory", limit 5`."""
    told = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return clean(f"{tool} with {told}" if told else tool)[0]


def canonical(run: Trajectory, at_us: int | None) -> str:
    moves = [[m.action, m.observation, m.ok, m.tool, dict(m.arguments)] for m in run.moves]
    return json.dumps([run.task, run.situation, run.outcome, at_us, moves], sort_keys=True, ensure_ascii=False)


def source_of(run: Trajectory, at_us: int | None, outside_id: str = "") -> SourceDraft:
    """Its source: by its own id, else by what it holds and when it was, so that the same run again changes nothing."""
    digest = hashlib.sha256(canonical(run, at_us).encode("utf-8", "surrogatepass")).hexdigest()
    meta = {"task": run.task, "outcome": run.outcome}
    return SourceDraft(KIND, outside_id or run.id or digest[:32], run.task[:200], digest, meta)


def drafts_of(run: Trajectory, at_us: int | None, tz_min: int | None = None) -> Iterator[PassageDraft]:
    """Its passages: the task with the situation, then each step with what was seen."""
    first = f"{run.task}\n{run.situation}" if run.situation else run.task
    yield PassageDraft(first, "task", at_us=at_us, tz_min=tz_min, meta={"situation": run.situation})
    for number, move in enumerate(run.moves, 1):
        text = f"{move.action}\n{move.observation}" if move.observation else move.action
        tool = {"tool": move.tool, "arguments": dict(move.arguments)} if move.tool else {}
        ok = {} if move.ok is None else {"ok": move.ok}
        meta = {"action": move.action, "observation": move.observation, **ok, **tool}
        yield PassageDraft(text, f"step {number}", at_us=at_us, tz_min=tz_min, meta=meta)
