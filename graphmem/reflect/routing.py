"""The route of a question: a light plan first, a deeper one where the judge has not enough (AMA, HyMem)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from graphmem.embed import Embedder
from graphmem.recall.judge import Bar, judge
from graphmem.recall.plan import Plan, Router
from graphmem.recall.recall import Clock, recall, within_budget
from graphmem.reflect.reflect import reflect
from graphmem.schema import Budget, Recall, Space
from graphmem.stores.base import Store


def routed(
    store: Store,
    space: Space,
    question: str,
    embedder: Embedder,
    *,
    plan: Plan | Router,
    limit: int,
    now_us: int | None,
    deadline_s: float | None,
    token_budget: int | None,
) -> Recall:
    """The recall of the first plan that is enough, with one line for each plan tried in `route`. Past the deadline the
    best so far is told, and `degraded` says that no deeper plan was tried. Raises DeadlineExceeded when the first
    plan itself did not end in time."""
    ends = None if deadline_s is None else time.perf_counter() + deadline_s
    lines: list[str] = []
    done: Recall | None = None
    for one, bar in ladder(plan):
        if done is not None and ends is not None and time.perf_counter() >= ends:
            done = replace(done, degraded=(*done.degraded, f"deadline: {one.name} was not tried"))
            break
        left_s = None if ends is None else max(1e-3, ends - time.perf_counter())
        done = run(store, space, question, embedder, one, limit=limit, now_us=now_us, seconds=left_s)
        verdict = judge(done, bar) if bar is not None else None
        lines.append(f"{one.name}: {verdict.why if verdict is not None else 'the deepest plan there is'}")
        if verdict is None or verdict.enough:
            break
    assert done is not None
    return cut(replace(done, route=tuple(lines)), token_budget)


def ladder(plan: Plan | Router) -> Sequence[tuple[Plan, Bar | None]]:
    return [*plan.tries, (plan.last, None)] if isinstance(plan, Router) else [(plan, None)]


def run(
    store: Store,
    space: Space,
    question: str,
    embedder: Embedder,
    plan: Plan,
    *,
    limit: int,
    now_us: int | None,
    seconds: float | None,
) -> Recall:
    """One plan: a recall, or a reflection for a plan that has steps."""
    if not plan.steps:
        return recall(store, space, question, embedder, plan=plan, limit=limit, now_us=now_us, deadline_s=seconds)
    budget = Budget(steps=plan.steps, seconds=seconds)
    return reflect(store, space, question, embedder, budget=budget, plan=plan, limit=limit, now_us=now_us).recall


def cut(done: Recall, token_budget: int | None) -> Recall:
    """The first passages that fit the budget, as a single recall would tell."""
    if token_budget is None:
        return done
    clock = Clock(None)
    hits, passages = within_budget(list(done.hits), list(done.passages), token_budget, clock)
    return replace(done, hits=tuple(hits), passages=tuple(passages), degraded=(*done.degraded, *clock.degraded))
