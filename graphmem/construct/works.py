"""Titles of works and ranks that run over commas and small words: more than a run of capitals shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from graphmem.analysis import STOP_WORDS
from graphmem.construct.names import MAX_NAME_WORDS, NameSpan
from graphmem.construct.tokens import Token
from graphmem.construct.words import ROLES

MAX_WORKS = 24

_QUOTED = re.compile(r"(?<![\w'\u2019])[\u201c\"]\s?([^\u201c\u201d\"\n]{2,80})[\u201d\"]")
#: Small words that a title holds inside: "Gone with the Wind".
_WEAK = frozenset(
    "of the de la le in with for on to a an at and from by or into over under as is vs not your my me you i du des "
    "der den "
    "van von".split()
)
_KIND = frozenset(
    "film films movie novel book album song single series play opera musical episode story poem game".split()
)
_YEAR_FOLLOWS = re.compile(r"['\u201d\"]?\s?\(\s?(?:1[89]|20)\d\d\b")
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th)\Z")
_RUN_ON = 12


def works(text: str, words: Sequence[Token]) -> list[tuple[int, int, str]]:
    """(start, end, words), from left to right, at most MAX_WORKS: quoted titles; runs that begin with a capitalised
    stop word within a sentence, stand before a year in brackets or behind "film"."""
    found = list(_quoted(text))
    ends = [(start, end) for start, end, _ in found]
    for first, last in _titles(text, words):
        start, end = words[first].start, words[last].end
        if all(end <= low or high <= start for low, high in ends):
            found.append((start, end, " ".join([word.text for word in words[first : last + 1]])))
            ends.append((start, end))
    return sorted(found)[:MAX_WORKS]


def _quoted(text: str) -> Iterator[tuple[int, int, str]]:
    if '"' not in text and "\u201c" not in text:
        return
    for match in _QUOTED.finditer(text):
        words = match[1].strip(" .,!?;:")
        if (
            len(words) > 2
            and words.lower() not in STOP_WORDS
            and words[0].isupper()
            and len(words.split()) <= MAX_NAME_WORDS
            and words[-1] != "'"
        ):
            start = match.start(1) + match[1].index(words)
            if sum(word[0].isupper() for word in words.split()) * 2 >= len(words.split()):
                yield start, start + len(words), words


def longer(text: str, words: Sequence[Token], names: Sequence[NameSpan]) -> list[tuple[int, int, str]]:
    """Names that run on beyond their capitals: with a rank behind a comma, with the year they stand for."""
    return [*_ranked(text, words, names), *_of_a_year(words, names)]


def _ranked(text: str, words: Sequence[Token], names: Sequence[NameSpan]) -> Iterator[tuple[int, int, str]]:
    """ "Ada Berg, 3rd Countess of Lund", "Karl II, Duke of Lund": the name with its rank is the usual title."""
    for before, after in pairwise(names):
        between = after.first - before.last
        gap = text[before.end : words[before.last + 1].start]
        ranked = between == 1 and words[after.first].lower in ROLES and after.last > after.first
        numbered = between == 2 and _ORDINAL.match(words[after.first - 1].text) is not None
        if gap == ", " and (ranked or numbered):
            yield before.start, after.end, text[before.start : after.end]


def _of_a_year(words: Sequence[Token], names: Sequence[NameSpan]) -> Iterator[tuple[int, int, str]]:
    """ "the 2022 Harbour Games": behind an article the year is part of the name."""
    for name in names:
        at = name.first - 1
        if at > 0 and words[at - 1].lower == "the" and words[at].text.isdigit() and len(words[at].text) == 4:
            yield words[at].start, name.end, f"{words[at].text} {name.text}"


def _titles(text: str, words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(words):
        word = words[at]
        if not word.is_capital or (at and words[at - 1].is_capital and _near(text, words, at)):
            at += 1
            continue
        last = _reach(text, words, at)
        begins = not word.opens and word.lower in STOP_WORDS and word.lower != "may"
        named = at > 0 and words[at - 1].lower in _KIND and _near(text, words, at)
        dated = last > at and _YEAR_FOLLOWS.match(text, words[last].end) is not None
        plain = last == at or all(word.is_capital for word in words[at : last + 1])
        if last > at and (begins or ((named or dated) and not plain)):
            yield at, last
            at = last + 1
        else:
            at += 1


def _reach(text: str, words: Sequence[Token], first: int) -> int:
    """The last capitalised word that a title begun here can end with."""
    last = first
    for ahead in range(first + 1, min(len(words), first + _RUN_ON)):
        if not _near(text, words, ahead) or ahead - last > 3:
            break
        if words[ahead].is_capital or (words[ahead].text.isdigit() and ahead - last == 1):
            last = ahead
        elif words[ahead].text not in _WEAK:
            break
    return last


def _near(text: str, words: Sequence[Token], index: int) -> bool:
    gap = text[words[index - 1].end : words[index].start]
    return gap in (" ", "  ")
