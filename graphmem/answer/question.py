"""What kind of thing a question asks for, read from its words alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from graphmem.analysis import STOP_WORDS, stem
from graphmem.schema import fold

WORD = re.compile(r"[^\W_]+(?:['\u2019.&-][^\W_]+)*")

#: A word with a capital, wherever it stands.
CAPITALISED = re.compile(r"\b[A-Z][\w'\u2019-]*")


class Asks(Enum):
    WHEN = "when"
    HOW_LONG = "how long"
    HOW_MANY = "how many"
    WHO = "who"
    WHO_IS = "who somebody is"
    WHERE = "where"
    POLAR = "yes or no"
    OTHER = "anything else"


_PREPOSITION = r"(?:in|on|at|for|since|until|from|to|with|by|of|about|around|during|after|before)?\s*"
#: The first that matches wins.
_KINDS = (
    (Asks.HOW_LONG, r"how (?:long|old)\b"),
    (Asks.HOW_MANY, r"how (?:many|much|often|far|tall|big|heavy|high|fast)\b|(?:what|which) (?:number|amount|age)\b"),
    (Asks.WHEN, rf"{_PREPOSITION}(?:when|(?:what|which) (?:date|year|month|day|time|week|season|decade|century))\b"),
    (Asks.WHO_IS, r"who(?:'s|\u2019s| is| was| are| were) (?-i:[A-Z])[\w'\u2019-]*(?: (?-i:[A-Z])[\w'\u2019-]*)*\s*\?"),
    (Asks.WHO, rf"{_PREPOSITION}(?:who|whom|whose)\b"),
    (
        Asks.WHERE,
        rf"{_PREPOSITION}(?:where|(?:what|which) (?:\w+ )?(?:city|cities|country|countries|place|places|town|states?|"
        r"locations?|area|region|continent|village|street|address))\b",
    ),
    (
        Asks.POLAR,
        r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|shall|may|might|must|"
        r"isn't|aren't|wasn't|weren't|don't|doesn't|didn't|hasn't|haven't|hadn't|can't|couldn't|won't|wouldn't)\b",
    ),
)
_COMPILED = tuple((kind, re.compile(rf"\s*(?:{pattern})", re.I)) for kind, pattern in _KINDS)


@dataclass(frozen=True, slots=True)
class Question:
    """`terms` are the stems of its content words in order, those of `people` left out. `people` are the speakers
    (folded) of whose names it has a part: "Ada" is "Ada Lindqvist"."""

    text: str
    asks: Asks
    terms: tuple[str, ...]
    people: frozenset[str]


def read(text: str, speakers: set[str]) -> Question:
    """`speakers`: the names of those who speak in the evidence."""
    asks = next((kind for kind, pattern in _COMPILED if pattern.match(text)), Asks.OTHER)
    named = {fold(word) for word in WORD.findall(text) if word[0].isupper() or not word.isascii()}
    people = frozenset(fold(speaker) for speaker in speakers if not named.isdisjoint(fold(speaker).split()))
    inside = {stem(part) for name in people for part in name.split()}
    return Question(text, asks, tuple(dict.fromkeys(word for word in stems(text) if word not in inside)), people)


def stems(text: str) -> list[str]:
    """The analyser's terms, of words cut as this module cuts them."""
    return [stem(word) for match in WORD.finditer(text) if (word := plain(match.group())) not in STOP_WORDS]


def plain(word: str) -> str:
    return word.casefold().replace("\u2019", "'").removesuffix("'s")
