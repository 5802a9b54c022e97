"""The keys that names are compared by, and the runs of words that a name known elsewhere could stand as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from graphmem.analysis import STOP_WORDS
from graphmem.construct.names import MAX_NAME_WORDS
from graphmem.construct.tokens import Token
from graphmem.schema import fold

MAX_NAME_CHARS = 100

_INNER = re.compile(r"[.,:;!?\"\u201c\u201d()\[\]]+")
_BRACKETED = re.compile(r"\s*\([^()]*\)\s*\Z")
_STOPS = re.compile(r"[!?\n]|(?<=\w\w\w)\.\s")
_ARTICLES = ("the ", "an ", "a ")


@lru_cache(maxsize=65_536)
def key_of(name: str) -> str:
    """The key of a name's identity: folded, without a leading article and inner punctuation, so that "The Kites",
    "the kites" and "Kites" meet, whichever comes first. "" when nothing is left."""
    folded = fold(name[:MAX_NAME_CHARS])
    if _INNER.search(folded):
        folded = " ".join(_INNER.sub(" ", folded).split()).removesuffix("'s")
    for article in _ARTICLES:
        rest = folded.removeprefix(article)
        if rest != folded and len(rest) > 2 and rest not in STOP_WORDS:
            return rest
    return folded


def without_brackets(title: str) -> str:
    """ "Mercury (planet)" -> "Mercury"; the title itself when nothing else is left."""
    return _BRACKETED.sub("", title).strip() or title.strip()


def grams(text: str, words: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """(first token, last token, key) of every run of at most MAX_NAME_WORDS words within a sentence whose first and
    last word begin with a capital or a digit: what a name known elsewhere could stand as here. Longest first at each
    place."""
    starts = [index for index, word in enumerate(words) if word.is_capital or word.text[0].isdigit()]
    for place, first in enumerate(starts):
        ends = [first]
        for last in starts[place + 1 : place + MAX_NAME_WORDS]:
            if last - first >= MAX_NAME_WORDS or _STOPS.search(text, words[ends[-1]].end - 3, words[last].start):
                break
            ends.append(last)
        for last in reversed(ends):
            key = key_of(text[words[first].start : words[last].end])
            if key and key not in STOP_WORDS and (last > first or not key.isdigit()):
                yield first, last, key


def whole_at(text: str, words: str) -> int:
    """Where words stand in a text first, whole: "no" is not in "noon". -1 when nowhere. Scripts that write without
    spaces have no such ends."""
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not (_joined(text[start - 1 : start], words[0]) or _joined(words[-1], text[end : end + 1])):
            return start
        start = text.find(words, start + 1)
    return -1


def _joined(one: str, other: str) -> bool:
    """Whether two characters stand within a word."""
    return all(char.isdigit() or char.lower() != char.upper() for char in (one, other)) if one and other else False
