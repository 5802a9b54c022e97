"""Which strategies fit a task: by the concepts in its words, and those that their steps need in turn (ArcMemo)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from graphmem.embed import Embedder
from graphmem.organize.abstraction import concepts
from graphmem.organize.strategies import concepts_in
from graphmem.organize.wording import is_strategy, strategy_id, strategy_of
from graphmem.recall.strength import strength_fit
from graphmem.schema import EdgeType, NodeKind, Note, Strategy
from graphmem.stores.base import NO_TIME, Floats, Numbers, Reader

#: Strategies read of each concept, the newest, and of the nearest notes where no concept leads to any.
A_CONCEPT = 128
NEAR = 192
#: A strategy shares at least this part of its goal's words with the task; where none does, it is at least this near.
MIN_SHARED = 0.7
MIN_COSINE = 0.3
COSINE, CONFIDENCE, STRENGTH = 0.3, 0.3, 0.1
STRENGTH_DAYS = 30.0


def strategies(
    reader: Reader, task: str, embedder: Embedder, *, limit: int, now_us: int | None = None
) -> tuple[Strategy, ...]:
    """The best `limit` strategies, best first: shared part of the goal's words + .3 cosine + .3 confidence + .1
    strength. One whose situation the task does not tell of is left out. What their steps need comes after them, where
    there is room. O(concepts x 128); at most ten reads and one more a level of steps."""
    query = embedder.query(task).vector
    words = concepts(task)
    told = _ranked(reader, _by_concept(reader, task), query, words, now_us=now_us)
    if not told:
        told = _ranked(reader, reader.dense(query, NEAR, (NodeKind.NOTE,)).numbers, query, None, now_us=now_us)
    return tuple(_composed(reader, told, limit))


def _ranked(
    reader: Reader, found: Numbers, query: Floats, words: frozenset[str] | None, *, now_us: int | None
) -> list[Strategy]:
    """The strategies among these notes that fit, best first. Without `words` their vectors tell."""
    notes = {n: node for n, node in zip(found.tolist(), reader.nodes(found), strict=True) if isinstance(node, Note)}
    kept = np.array(sorted(n for n, note in notes.items() if is_strategy(note)), np.int64)
    if not len(kept):
        return []
    usage = reader.usage(kept)
    strong = strength_fit(np.full(len(kept), NO_TIME), usage, now_us, base_days=STRENGTH_DAYS)
    near = np.nan_to_num(reader.cosine(query, kept))
    ranked = []
    for n, cosine, strength in zip(kept.tolist(), near.tolist(), strong.tolist(), strict=True):
        told = strategy_of(notes[n])
        if told is not None and (score := fit(told, words, cosine)) is not None:
            ranked.append(_scored(told, score + STRENGTH * strength))
    return sorted(ranked, key=lambda told: (-told.score, told.note.id))


def fit(told: Strategy, words: frozenset[str] | None, cosine: float) -> float | None:
    """How well a strategy fits a task of these words; None when it is about something else. A strategy for any object
    comes after one for the object that the task names."""
    sure = COSINE * cosine + CONFIDENCE * told.note.confidence_q8 / 256
    if words is None:
        return sure if cosine >= MIN_COSINE and not told.where else None
    goal = concepts(told.goal)
    shared = len(goal & words) / len(goal) if goal else 0.0
    if shared < MIN_SHARED or (told.where and told.where not in words):
        return None
    return shared + sure + 0.01 * len(goal & words)


def _by_concept(reader: Reader, task: str) -> Numbers:
    found = reader.entities(concepts_in(task))
    if not len(found.number):
        return np.zeros(0, np.int64)
    edges = reader.neighbours(np.unique(found.number), (EdgeType.ABOUT,), limit=A_CONCEPT)
    return np.unique(edges.number[~edges.forward])


def _composed(reader: Reader, ranked: Sequence[Strategy], limit: int) -> list[Strategy]:
    """The best, then what their steps need, level by level, each once."""
    out = list(ranked[:limit])
    known = {told.goal for told in out}
    level: Iterable[Strategy] = out
    while len(out) < limit:
        steps = [step for told in level for step in told.steps if step not in known]
        ids = {strategy_id(reader.space.key, step): step for step in dict.fromkeys(steps)}
        nodes: Mapping[str, object] = reader.get(list(ids)) if ids else {}
        level = [told for node in nodes.values() if isinstance(node, Note) and (told := strategy_of(node)) is not None]
        if not level:
            break
        known.update(told.goal for told in level)
        out += level
    return out[:limit]


def _scored(told: Strategy, score: float) -> Strategy:
    return Strategy(
        told.note, told.goal, told.where, told.steps, told.avoid, told.because, told.wins, told.losses, score
    )
