"""What kind of thing a question asks for, read from its words alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from graphmem.analysis import STOP_WORDS, stem
from graphmem.schema import fold

WORD = re.compile(r"[^\W_]+(?:['\u2019.&-][^\W_]+)*")


class Asks(Enum):
    WHEN = "when"
    HOW_LONG = "how long"
    HOW_MANY = "how many"
    WHO = "who"
    WHERE = "where"
    WHY = "why"
    HOW = "how"
    POLAR = "yes or no"
    WHAT = "what"


_PREPOSITION = r"(?:in|on|at|for|since|until|from|to|with|by|of|about|around|during|after|before)?\s*"
#: The first that matches wins.
_KINDS = (
    (Asks.HOW_LONG, r"how (?:long|old)\b"),
    (Asks.HOW_MANY, r"how (?:many|much|often|far|tall|big|heavy|high|fast)\b|(?:what|which) (?:number|amount|age)\b"),
    (Asks.WHEN, rf"{_PREPOSITION}(?:when|(?:what|which) (?:date|year|month|day|time|week|season|decade|century))\b"),
    (Asks.WHO, rf"{_PREPOSITION}(?:who|whom|whose)\b"),
    (
        Asks.WHERE,
        rf"{_PREPOSITION}(?:where|(?:what|which) (?:\w+ )?(?:city|cities|country|countries|place|places|town|states?|"
        r"locations?|area|region|continent|village|street|address))\b",
    ),
    (
        Asks.WHY,
        r"why\b|for what reason\b|what (?:was|is|were|are) the reasons?\b|what (?:made|motivate[sd]?|inspire[sd]?)\b",
    ),
    (Asks.HOW, r"how\b"),
    (
        Asks.POLAR,
        r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|shall|may|might|must|"
        r"isn't|aren't|wasn't|weren't|don't|doesn't|didn't|hasn't|haven't|hadn't|can't|couldn't|won't|wouldn't)\b",
    ),
)
_COMPILED = tuple((kind, re.compile(rf"\s*(?:{pattern})", re.I)) for kind, pattern in _KINDS)
_PLURAL = re.compile(r"\b(?:what|which)\s+(?:\w+\s+){0,3}?(\w{3,}s)\b", re.I)
_NOT_PLURAL = frozenset("does was is has this his its us plus thus always perhaps sometimes".split())


@dataclass(frozen=True, slots=True)
class Question:
    """`terms` are the stems of its content words in order, those of `people` left out. `people` are the speakers
    (folded) that it names. `many` tells that it asks for several things."""

    text: str
    asks: Asks
    terms: tuple[str, ...]
    people: frozenset[str]
    many: bool


def read(text: str, speakers: set[str]) -> Question:
    """`speakers`: the names of those who speak in the evidence."""
    asks = next((kind for kind, pattern in _COMPILED if pattern.match(text)), Asks.WHAT)
    folded = {fold(word) for word in WORD.findall(text)}
    whole = f" {' '.join(fold(word) for word in text.split())} "
    people = frozenset(
        name for speaker in speakers if (name := fold(speaker)) and (name in folded or f" {name} " in whole)
    )
    inside = {part for name in people for part in name.split()}
    found = [word for word in stems(text) if word not in inside and word not in {stem(part) for part in inside}]
    plural = _PLURAL.match(text)
    return Question(text, asks, tuple(dict.fromkeys(found)), people, bool(plural and is_plural(plural[1])))


def is_plural(word: str) -> bool:
    return word.casefold() not in _NOT_PLURAL and not word.endswith(("ss", "us", "is"))


def stems(text: str) -> list[str]:
    """The analyser's terms, of words cut as this module cuts them."""
    return [stem(word) for match in WORD.finditer(text) if (word := plain(match.group())) not in STOP_WORDS]


def plain(word: str) -> str:
    return word.casefold().replace("\u2019", "'").removesuffix("'s")
