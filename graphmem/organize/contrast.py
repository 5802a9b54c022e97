"""What successes share and failures lack (ReasoningBank's contrast of runs), as rules with wins and losses. No store.

Of the attempts at one goal:
    needed   done before every success, and lacking in failures so often that chance would not explain the successes:
             r^s <= CHANCE with s successes and r = (failures that had it + 1) / (failures + 2)
    where    a word of the situation under which the same holds for an action that not every success needed;
             r is then its share in the successes without the word, and the bound STRICT, for there are many words
    avoid    tried before failures, never before a success: r^f <= STRICT with f failures, r = 1 / (successes + 2)

An attempt agrees with a rule (a win) when it worked with all that is needed, or failed with some of it lacking or after
what is to be avoided; else it is a loss. Confidence = (wins + 1) / (wins + losses + 2), Laplace's rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.organize.abstraction import concepts
from graphmem.organize.attempts import Attempt

CHANCE = 0.34
STRICT = 0.05
MIN_WHERE = 3  # successes under a word
MAX_NEEDED = 12
MAX_AVOIDED = 3
MAX_WHERE = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """To reach `goal` (where the situation says `where`), do `needed` in this order; not `avoid`, which led to
    `because`. `because` without `avoid` is what came of trying too early."""

    goal: str
    where: str
    needed: tuple[str, ...]
    avoid: tuple[str, ...]
    because: str
    wins: int
    losses: int
    shown: tuple[Attempt, ...]  # some that bear it out, both outcomes

    @property
    def confidence(self) -> float:
        return (self.wins + 1) / (self.wins + self.losses + 2)


def rules(goal: str, attempts: Sequence[Attempt], *, is_task: bool = False) -> list[Rule]:
    """The rules of one goal, the general one first. Empty while nothing ever worked. A task that never failed has its
    successes' common routine. O(attempts x actions x words of the situation)."""
    won = [attempt for attempt in attempts if attempt.worked]
    lost = [attempt for attempt in attempts if not attempt.worked]
    if not won or not (lost or (is_task and len(won) > 1)):
        return []
    shared = set.intersection(*(set(attempt.done) for attempt in won)) - {goal}
    needed = [action for action in shared if not lost or _explains(action, won, lost)]
    avoid = avoided(goal, won, lost)
    found = []
    if needed or avoid:
        found.append(_rule(goal, "", ordered(needed, won)[:MAX_NEEDED], avoid, attempts))
    for word, actions in conditional(won, lost, shared | {goal}).items():
        said = [attempt for attempt in attempts if word in attempt.said]
        found.append(_rule(goal, word, ordered(actions, [a for a in said if a.worked]), (), said))
    return found


def _explains(action: str, won: Sequence[Attempt], lost: Sequence[Attempt]) -> bool:
    had = sum(action in attempt.done for attempt in lost)
    return had < len(lost) and float(((had + 1) / (len(lost) + 2)) ** len(won)) <= CHANCE


def avoided(goal: str, won: Sequence[Attempt], lost: Sequence[Attempt]) -> tuple[str, ...]:
    """What was tried before failures and before no success; what shares a word with the goal first."""
    harmless = {action for attempt in won for action in (*attempt.tried, *attempt.done)} | {goal}
    blamed = Counter(action for attempt in lost for action in attempt.tried if action not in harmless)
    chance = 1 / (len(won) + 2)
    bad = [action for action, count in blamed.items() if chance**count <= STRICT]
    words = concepts(goal)
    return tuple(sorted(bad, key=lambda a: (not (concepts(a) & words), -blamed[a], a))[:MAX_AVOIDED])


def conditional(won: Sequence[Attempt], lost: Sequence[Attempt], known: set[str]) -> dict[str, list[str]]:
    """By word of the situation, the actions that the successes under it share beyond `known`."""
    found: dict[str, list[str]] = {}
    for word in sorted({word for attempt in won for word in attempt.said}):
        inside = [attempt for attempt in won if word in attempt.said]
        outside = [attempt for attempt in won if word not in attempt.said]
        failed = [attempt for attempt in lost if word in attempt.said]
        if len(inside) < MIN_WHERE or not outside:
            continue
        for action in sorted(set.intersection(*(set(attempt.done) for attempt in inside)) - known):
            elsewhere = sum(action in attempt.done for attempt in outside)
            rate = (elsewhere + 1) / (len(outside) + 2)
            lacking = any(action not in attempt.done for attempt in failed)
            if lacking and elsewhere < len(outside) and rate ** len(inside) <= STRICT:
                found.setdefault(word, []).append(action)
    strongest = sorted(found, key=lambda word: (-sum(word in a.said for a in won), word))[:MAX_WHERE]
    return {word: found[word] for word in strongest}


def ordered(actions: Sequence[str], won: Sequence[Attempt]) -> tuple[str, ...]:
    """By their mean place in the successes; ties by name."""
    place = {
        action: sum(a.done[action] for a in won if action in a.done) / max(1, sum(action in a.done for a in won))
        for action in actions
    }
    return tuple(sorted(actions, key=lambda action: (place[action], action)))


def _rule(goal: str, where: str, needed: tuple[str, ...], avoid: tuple[str, ...], attempts: Sequence[Attempt]) -> Rule:
    def ready(attempt: Attempt) -> bool:
        return all(action in attempt.done for action in needed) and attempt.tried.isdisjoint(avoid)

    agree = [attempt for attempt in attempts if attempt.worked is ready(attempt)]
    blamed = [a for a in attempts if not a.worked and (not avoid or not a.tried.isdisjoint(avoid)) and a.seen]
    because = Counter(attempt.seen for attempt in blamed).most_common()
    reason = min(because, key=lambda pair: (-pair[1], pair[0]))[0] if because else ""
    shown = [*[a for a in agree if a.worked][:4], *[a for a in agree if not a.worked][:4]]
    return Rule(goal, where, needed, avoid, reason, len(agree), len(attempts) - len(agree), tuple(shown))
