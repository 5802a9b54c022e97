"""What successes share and failures lack (ReasoningBank's contrast of runs), as rules with wins and losses. No store.

Of the attempts at one goal:
    needed   done before every success, and lacking in failures so often that chance would not explain the successes:
             r^s <= CHANCE with s successes and r = (failures that had it + 1) / (failures + 2)
    where    a word of the situation under which the same holds for an action that not every success needed;
             r is then its share in the successes without the word, and the bound STRICT, for there are many words
    avoid    what ended two failed runs or more, and was never tried but a failed run ended with it; or what was tried
             in attempts that had all that is needed and failed: q^f <= STRICT with f of those and q the share of
             failures among the others that had all, (failures + 1) / (others + 2)

What is about something else that the task names must be proven harder, by STRICT, and is avoided where nothing about
the goal is to blame. So must what is to hold for any object; its rules are about that object only, and seen with
OBJECTS kinds of it at least.

An attempt agrees with a rule (a win) when it worked with all that is needed, or failed with some of it lacking or after
what is to be avoided; else it is a loss. Confidence = (wins + 1) / (wins + losses + 2), Laplace's rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.organize.abstraction import ANY, concepts
from graphmem.organize.attempts import Attempt

CHANCE = 0.34
STRICT = 0.05
OBJECTS = 3
MIN_WHERE = 3  # successes under a word
MIN_ENDED = 2  # runs that an action ended
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
    """The rules of one goal, the general one first; what to avoid alone while nothing ever worked. A task that never
    failed has its successes' common routine. O(attempts x actions x words of the situation)."""
    won = [attempt for attempt in attempts if attempt.worked]
    lost = [attempt for attempt in attempts if not attempt.worked]
    if not lost and not (is_task and len(won) > 1):
        return []
    if ANY in goal.split() and len({attempt.object for attempt in won}) < OBJECTS:
        return []
    shared = {action for action in in_all(won) if may(action, goal)}
    needed = [action for action in shared if not lost or _explains(action, goal, won, lost)]
    steps = ordered(needed, won)[:MAX_NEEDED]
    avoid = avoided(goal, steps, attempts)
    found = []
    if steps or avoid:
        found.append(_rule(goal, "", steps, avoid, attempts))
    for word, actions in conditional(goal, won, lost, shared).items():
        said = [attempt for attempt in attempts if word in attempt.said]
        found.append(_rule(goal, word, ordered(actions, [a for a in said if a.worked]), (), said))
    return found


def in_all(attempts: Sequence[Attempt]) -> set[str]:
    return set.intersection(*(set(attempt.done) for attempt in attempts)) if attempts else set()


def may(action: str, goal: str) -> bool:
    """Whether an action can be part of a goal's rule."""
    return action != goal and (ANY not in goal.split() or ANY in action.split())


def _explains(action: str, goal: str, won: Sequence[Attempt], lost: Sequence[Attempt]) -> bool:
    had = sum(action in attempt.done for attempt in lost)
    words = concepts(action)
    elsewhere = not words & concepts(goal) and any(words & attempt.other for attempt in (*won, *lost))
    bound = STRICT if elsewhere or ANY in goal.split() else CHANCE
    return had < len(lost) and float(((had + 1) / (len(lost) + 2)) ** len(won)) <= bound


def avoided(goal: str, needed: Sequence[str], attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """What ends runs or spoils them, those that share a word with the goal; the others only where none does."""
    ends, goes_on = Counter[str](), set[str]()
    for attempt in attempts:
        if attempt.ended:
            ends[attempt.ended] += 1
        goes_on.update(action for action in attempt.tried if action != attempt.ended)
    bad = {action: count for action, count in ends.items() if count >= MIN_ENDED and action not in goes_on}
    bad |= spoiling([attempt for attempt in attempts if all(action in attempt.done for action in needed)])
    words = {ANY} if ANY in goal.split() else concepts(goal)
    found = {action: count for action, count in bad.items() if may(action, goal)}
    about = {action: count for action, count in found.items() if (concepts(action) | set(action.split())) & words}
    chosen = about or found
    return tuple(sorted(chosen, key=lambda action: (-chosen[action], action))[:MAX_AVOIDED])


def spoiling(ready: Sequence[Attempt]) -> dict[str, int]:
    """What goes with failure among attempts that should have worked, and with no success; how often."""
    harmless = {action for attempt in ready if attempt.worked for action in attempt.tried}
    blamed = Counter(a for attempt in ready if not attempt.worked for a in attempt.tried if a not in harmless)
    found = {}
    for action, count in blamed.items():
        others = [attempt for attempt in ready if action not in attempt.tried]
        chance = (sum(not attempt.worked for attempt in others) + 1) / (len(others) + 2)
        if chance**count <= STRICT:
            found[action] = count
    return found


def conditional(goal: str, won: Sequence[Attempt], lost: Sequence[Attempt], known: set[str]) -> dict[str, list[str]]:
    """By word of the situation, the actions that the successes under it share beyond `known`."""
    found: dict[str, list[str]] = {}
    for word in sorted({word for attempt in won for word in attempt.said}):
        inside = [attempt for attempt in won if word in attempt.said]
        outside = [attempt for attempt in won if word not in attempt.said]
        failed = [attempt for attempt in lost if word in attempt.said]
        if len(inside) < MIN_WHERE or not outside:
            continue
        for action in sorted(in_all(inside) - known):
            if not may(action, goal):
                continue
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
        return all(action in attempt.done for action in needed) and attempt.tried.keys().isdisjoint(avoid)

    agree = [attempt for attempt in attempts if attempt.worked is ready(attempt)]
    lost = [attempt for attempt in attempts if not attempt.worked]
    led = [a.tried[avoid[0]] for a in lost if avoid[0] in a.tried] if avoid else [a.seen for a in lost]
    because = Counter(seen for seen in led if seen)
    reason = min(because, key=lambda seen: (-because[seen], seen)) if because else ""
    shown = [*[a for a in agree if a.worked][:4], *[a for a in agree if not a.worked][:4]]
    return Rule(goal, where, needed, avoid, reason, len(agree), len(attempts) - len(agree), tuple(shown))
