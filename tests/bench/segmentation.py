"""Episodes against the sessions of LoCoMo dev, which the rule does not see: boundary F1 and WindowDiff (Pevzner 2002)
beside a fixed window of as many boundaries and TextTiling's depth scores (Hearst 1997); weights and threshold by
leaving one conversation out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from graphmem.organize.boundaries import OPENINGS, PARTINGS, Rule, Signals, cuts, signals
from tests.bench.table import Row

Array = npt.NDArray[np.float64]
METRICS = ("F1 exact", "F1 within 1", "F1 within 2", "WindowDiff")
#: What leave-one-out chooses from. Thresholds are quantiles of the other conversations' scores.
SHIFTS, SURPRISES, EVENTS, QUANTILES = (0.0, 0.5, 1.0), (0.0, 0.5, 1.0), (0.0, 0.5, 1.0, 2.0), (0.88, 0.9, 0.92, 0.95)
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Vectors and times of the turns, and where sessions begin."""

    vectors: npt.NDArray[np.float32]
    at_us: Sequence[int]
    gold: list[int]


def rows(dialogues: Sequence[Dialogue], phrases: Callable[[list[str]], npt.NDArray[np.float32]]) -> Iterator[Row]:
    rule, cues = Rule(), (phrases(list(OPENINGS)), phrases(list(PARTINGS)))
    seen = [signals(one.vectors, *cues, rule) for one in dialogues]
    shipped = [cuts(told.scores(rule), 0, rule) for told in seen]
    yield from table(
        "a fixed window, as many", dialogues, [fixed(d, len(c)) for d, c in zip(dialogues, shipped, strict=True)]
    )
    yield from table(
        "TextTiling depth, as many", dialogues, [deepest(s, len(d.gold)) for d, s in zip(dialogues, seen, strict=True)]
    )
    if len(dialogues) > 1:
        lone = [(shift, surprise, 0.0) for shift, surprise in product(SHIFTS, SURPRISES)]
        yield from table("topic and surprise, leave one out", dialogues, left_out(dialogues, seen, lone))
        every = list(product(SHIFTS, SURPRISES, EVENTS))
        floors = (None, 0.6, None, 0.28)
        yield from table(
            "topic, surprise and event, leave one out", dialogues, left_out(dialogues, seen, every), floors
        )
    yield from table("as shipped", dialogues, shipped)
    gaps = [[i for i in range(1, len(d.at_us)) if d.at_us[i] - d.at_us[i - 1] > HOUR_US] for d in dialogues]
    yield from table("an hour's silence (told by times alone)", dialogues, gaps)


def table(
    name: str,
    dialogues: Sequence[Dialogue],
    found: Sequence[list[int]],
    floors: Sequence[float | None] = (None,) * len(METRICS),
) -> Iterator[Row]:
    values = np.mean([measured(cut, one) for cut, one in zip(found, dialogues, strict=True)], axis=0)
    for metric, value, floor in zip(METRICS, values.tolist(), floors, strict=True):
        yield Row(f"episodes, {name}: {metric}", value, "", floor, at_most=metric == "WindowDiff")


def measured(found: list[int], dialogue: Dialogue) -> tuple[float, ...]:
    return (*(f1(found, dialogue.gold, within) for within in (0, 1, 2)), window_diff(found, dialogue))


def f1(found: Sequence[int], gold: Sequence[int], within: int) -> float:
    """Each session's begin is met by one boundary at most, the nearest first."""
    pairs = sorted((abs(a - b), a, b) for a in found for b in gold if abs(a - b) <= within)
    met, used = set[int](), set[int]()
    for _, a, b in pairs:
        if a not in used and b not in met:
            used.add(a)
            met.add(b)
    return 2 * len(met) / max(1, len(found) + len(gold))


def window_diff(found: Sequence[int], dialogue: Dialogue) -> float:
    """Share of windows of half a session with another number of boundaries than there are."""
    count = len(dialogue.vectors)
    size = max(1, round(count / (len(dialogue.gold) + 1) / 2))
    ours, theirs = (np.cumsum(np.isin(np.arange(count), at)) for at in (found, dialogue.gold))
    return float(((ours[size:] - ours[:-size]) != (theirs[size:] - theirs[:-size])).mean())


def fixed(dialogue: Dialogue, boundaries: int) -> list[int]:
    return [round((i + 1) * len(dialogue.vectors) / (boundaries + 1)) for i in range(boundaries)]


def deepest(told: Signals, boundaries: int) -> list[int]:
    """The deepest valleys of the similarity between neighbouring blocks, four turns apart."""
    likeness, chosen = 1 - told.shift, list[int]()
    depths = [climb(likeness, i, -1) + climb(likeness, i, 1) - 2 * likeness[i] for i in range(1, len(likeness))]
    for i in np.argsort(-np.array(depths), kind="stable").tolist():
        if len(chosen) < boundaries and all(abs(i + 1 - other) > 3 for other in chosen):
            chosen.append(i + 1)
    return sorted(chosen)


def climb(likeness: npt.NDArray[np.float32], at: int, step: int) -> float:
    while 1 <= at + step < len(likeness) and likeness[at + step] >= likeness[at]:
        at += step
    return float(likeness[at])


def left_out(
    dialogues: Sequence[Dialogue], seen: Sequence[Signals], choices: Sequence[tuple[float, float, float]]
) -> list[list[int]]:
    """What the rule that does best on the others finds in each: F1 within one turn less WindowDiff."""
    found = []
    for index in range(len(dialogues)):
        others = [i for i in range(len(dialogues)) if i != index]
        rules = [rule for weights in choices if any(weights) for rule in tried([seen[i] for i in others], weights)]
        best = max(rules, key=lambda rule: sum(worth(seen[i], dialogues[i], rule) for i in others))
        found.append(cuts(seen[index].scores(best), 0, best))
    return found


def tried(seen: Sequence[Signals], weights: tuple[float, float, float]) -> Iterator[Rule]:
    rule = replace(Rule(), shift=weights[0], surprise=weights[1], event=weights[2])
    scores = np.concatenate([told.scores(rule)[1:] for told in seen])
    yield from (replace(rule, threshold=float(np.quantile(scores, share))) for share in QUANTILES)


def worth(told: Signals, dialogue: Dialogue, rule: Rule) -> float:
    found = cuts(told.scores(rule), 0, rule)
    return f1(found, dialogue.gold, 1) - window_diff(found, dialogue)
