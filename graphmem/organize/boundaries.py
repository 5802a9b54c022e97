"""Where an episode of a dialogue ends, from the vectors of its turns alone (HiMem: topic and event-surprise channels).

Three signals at the place before turn i. Topic shift: 1 - cos of the mean of the turns before and of those from i on.
Surprise: 1 - the greatest cosine of turn i with a turn of a window before it. Event: turn i is like an opening of a
talk, the turn before it like a parting (cosines with a few plain phrases). Their weighted sum is cut at local maxima
above a threshold; an episode that grows too long is cut at its highest place. Every score depends on a window of
turns, so what was decided once stays when the dialogue goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphmem.stores.base import Floats

OPENINGS = (
    "Hello! How are you?",
    "Hi, good to see you again.",
    "Hey, long time no talk! How have you been?",
    "Good morning, what's new with you?",
    "Hey there, how is it going?",
    "What have you been up to lately?",
)
PARTINGS = (
    "Goodbye!",
    "Bye, take care.",
    "See you later!",
    "Talk to you soon.",
    "Thanks for the chat, I have to go now.",
    "Have a great day!",
    "Let's talk again soon.",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Weights, threshold and windows (turns). Fitted on five LoCoMo conversations with their sessions removed and
    rounded; leaving one out in turn moves F1 within one turn from .755 to .741 (`SECTION=scenes`)."""

    shift: float = 0.5
    surprise: float = 1.0
    event: float = 2.0
    threshold: float = 2.2
    context: int = 3  # turns on each side that a shift is seen by
    window: int = 6  # turns before that a surprise is measured against
    gap: int = 3  # two boundaries are further apart than this
    longest: int = 48  # turns of an episode

    @property
    def ahead(self) -> int:
        """Turns after a place that must be known before it is decided."""
        return self.gap + self.context


@dataclass(frozen=True, slots=True)
class Signals:
    """What each place (before turn i; 0 at the start) shows; arrays of one number a turn."""

    shift: Floats
    surprise: Floats
    event: Floats

    def scores(self, rule: Rule) -> Floats:
        return np.asarray(
            rule.shift * self.shift + rule.surprise * self.surprise + rule.event * self.event, np.float32
        ).round(4)


def signals(vectors: Floats, openings: Floats, partings: Floats, rule: Rule) -> Signals:
    """`vectors` (turns, dimension); `openings`, `partings` the vectors of the phrases. O(turns x window)."""
    count = len(vectors)
    shift, surprise, event = (np.zeros(count, np.float32) for _ in range(3))
    opens, parts = vectors @ middle(openings), vectors @ middle(partings)
    for i in range(1, count):
        before = vectors[max(0, i - rule.context) : i]
        shift[i] = 1 - middle(before) @ middle(vectors[i : i + rule.context])
        surprise[i] = 1 - (vectors[max(0, i - rule.window) : i] @ vectors[i]).max()
        event[i] = opens[i] + parts[i - 1]
    return Signals(shift, surprise, event)


def middle(rows: Floats) -> Floats:
    """The unit vector of the mean."""
    mean = rows.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def cuts(scores: Floats, start: int, rule: Rule) -> list[int]:
    """Starts of the episodes after the one that starts at `start`, as far as the turns that are known decide them."""
    known, found = len(scores), list[int]()
    last = start
    while True:
        end = min(last + rule.longest, known - rule.ahead)
        at = next((i for i in range(last + rule.gap + 1, end + 1) if is_peak(scores, i, rule)), None)
        if at is None:
            if last + rule.longest > known - rule.ahead:
                return found
            least = last + rule.longest // 2
            at = least + int(scores[least : last + rule.longest + 1].argmax())
        found.append(at)
        last = at


def is_peak(scores: Floats, at: int, rule: Rule) -> bool:
    """Above the threshold, and the first highest place around."""
    around = scores[max(1, at - rule.gap) : at + rule.gap + 1]
    before = scores[max(1, at - rule.gap) : at]
    return bool(scores[at] >= rule.threshold and scores[at] >= around.max() and not (before == scores[at]).any())
