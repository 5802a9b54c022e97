"""Names in a text: runs of capitalised words, and the keys that they are compared by.

Reads one text alone; nothing here knows the store. A word at a sentence's start is capitalised anyway: it counts when
nothing speaks against it (a stop word, a filler, the same word in lower case elsewhere in the text) and something
speaks for it (a name follows or a possessive, or it stands capitalised within a sentence too).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from graphmem.analysis import STOP_WORDS
from graphmem.construct.calendar import MONTHS, WEEKDAYS
from graphmem.construct.words import FILLERS, KIN, STARTERS, TITLES
from graphmem.schema import fold

MAX_NAME_WORDS = 8
MAX_NAME_CHARS = 100
#: Names of one passage; a chunk of 1,200 characters holds about 20.
MAX_NAMES = 64

TOKEN = re.compile(r"[^\W_]+(?:['\u2019.&/-][^\W_]+)*")
_JOINS = frozenset(
    "of the de del della van von der den du da di la le las los el al bin ibn dos das y e af av zu".split()
)
_NEVER_LAST = frozenset(("the", "a", "an"))
_DATES = frozenset((*MONTHS, *WEEKDAYS)) | {"christmas", "easter", "halloween", "thanksgiving"}
_BREAK = re.compile(r"[.!?\u2026:;\u3002\uff01\uff1f\n\"\u201c\u201d(\[*\u2022]")
_QUOTED = re.compile(r"[\u201c\"]([^\u201c\u201d\"\n]{2,80})[\u201d\"]")
_INNER = re.compile(r"[.,:;!?\"\u201c\u201d()\[\]]+")
_BRACKETED = re.compile(r"\s*\([^()]*\)\s*\Z")
_POSSESSIVE = re.compile(r"['\u2019]s\Z")


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its place. `opens` tells that a sentence, line, quote or bracket begins with it."""

    start: int
    end: int
    text: str
    is_capital: bool
    opens: bool


@dataclass(frozen=True, slots=True)
class NameSpan:
    """`text[start:end]`, a name without possessive; `first`, `last` are its tokens (inclusive)."""

    start: int
    end: int
    text: str
    first: int
    last: int


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    for match in TOKEN.finditer(text):
        start, end = match.span()
        word = match.group()
        opens = start == 0 or (start - at > 1 and (not found or _BREAK.search(text, at, start) is not None))
        found.append(Token(start, end, word, word[0].isupper() and not _is_i(word), opens or not found))
        at = end
    return found


def _is_i(word: str) -> bool:
    return word[0] == "I" and (len(word) == 1 or word[1] in "'\u2019")


def names(text: str, words: Sequence[Token]) -> list[NameSpan]:
    """Names from left to right, none overlapping, at most MAX_NAMES."""
    if not any(word.is_capital for word in words):
        return []
    lower = {word.text for word in words if not word.is_capital}
    inner = {word.text for word in words if word.is_capital and not word.opens}
    found: list[NameSpan] = []
    for first, last in _runs(text, words):
        kept = _trimmed(words, first, last, lower)
        if kept is None or not _is_name(text, words, *kept, lower, inner):
            continue
        found.append(_span(words, *kept))
        if len(found) >= MAX_NAMES:
            break
    return found


def _runs(text: str, words: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Maximal runs of capitalised words, joined by of/the/de/... and by numbers, as token indexes (inclusive)."""
    at, count = 0, len(words)
    while at < count:
        if not words[at].is_capital:
            at += 1
            continue
        last, ahead = at, at + 1
        while ahead < count and ahead - at < MAX_NAME_WORDS and _joins(text, words[ahead - 1], words[ahead]):
            word = words[ahead]
            if word.is_capital or (
                word.text.isdigit() and last == ahead - 1 and words[last].text.lower() not in _DATES
            ):
                last = ahead
            elif word.text not in _JOINS or ahead - last > 2:
                break
            ahead += 1
        yield at, last
        at = last + 1


def _joins(text: str, before: Token, after: Token) -> bool:
    """Only white space between, or the full stop of an initial or a title ("J. Smith", "Dr. Berg")."""
    if _POSSESSIVE.search(before.text):
        return False
    if after.start - before.end == 1:
        return text[before.end] == " "
    gap = text[before.end : after.start]
    if not gap.strip():
        return "\n" not in gap
    return gap == ". " and (len(before.text) == 1 or before.text.lower() in TITLES)


def _trimmed(words: Sequence[Token], first: int, last: int, lower: set[str]) -> tuple[int, int] | None:
    """Leading words that are capitalised for their place alone go, and dates at both ends."""
    while first <= last:
        word = words[first]
        folded = word.text.lower()
        common = folded in STOP_WORDS or folded in STARTERS or folded in FILLERS
        if folded in _DATES or word.text.isdigit() or (common and (word.opens or first == last)):
            first += 1
        elif word.opens and folded in lower and first < last:
            first += 1
        elif folded in _JOINS and not word.is_capital:
            first += 1
        else:
            break
    while last >= first and (words[last].text.lower() in _DATES or words[last].text in _JOINS):
        last -= 1
    return (first, last) if first <= last else None


def _is_name(text: str, words: Sequence[Token], first: int, last: int, lower: set[str], inner: set[str]) -> bool:
    """Whether a trimmed run is a name: one word at a sentence's start needs a reason, shouting is none."""
    run = words[first : last + 1]
    if run[0].text.lower() in TITLES and first == last:
        return False
    if len(run) > 1:
        shouting = sum(word.text.isupper() and len(word.text) > 1 for word in run)
        return shouting < 3
    word = run[0]
    folded = _POSSESSIVE.sub("", word.text.lower())
    if len(folded) < 2 or folded in STOP_WORDS or folded in STARTERS or folded in FILLERS or folded in KIN:
        return False
    if folded in lower:
        return False
    if not word.opens or word.text in inner:
        return True
    return not folded.endswith(("ing", "ed", "ly")) and _is_followed_like_a_name(text, words, last)


_AFTER_A_NAME = frozenset(
    "said says told asked loves likes wants went works worked lives lived moved joined married plays played called is was "
    "has had will became began won wrote directed released starred died served studied".split()
)


def _is_followed_like_a_name(text: str, words: Sequence[Token], last: int) -> bool:
    word = words[last]
    if _POSSESSIVE.search(word.text):
        return True
    follows = text[word.end : word.end + 2]
    if last + 1 < len(words) and follows[:1] == " ":
        after = words[last + 1]
        if after.text in _AFTER_A_NAME:
            return True
        return after.text == "and" and last + 2 < len(words) and words[last + 2].is_capital
    return follows[:1] in (",", "(") and last + 1 < len(words)


def _span(words: Sequence[Token], first: int, last: int) -> NameSpan:
    start, end = words[first].start, words[last].end
    text = " ".join(word.text for word in words[first : last + 1])
    possessive = _POSSESSIVE.search(words[last].text)
    cut = len(possessive.group()) if possessive else 0
    return NameSpan(start, end - cut, text[: len(text) - cut], first, last)


def grams(words: Sequence[Token], text: str) -> Iterator[tuple[int, int, str]]:
    """(first token, last token, key) of every run of at most MAX_NAME_WORDS words within a sentence whose first and
    last word begin with a capital or a digit: what a name known elsewhere could stand as here. Longest first at each
    place."""
    starts = [index for index, word in enumerate(words) if word.is_capital or word.text[0].isdigit()]
    for place, first in enumerate(starts):
        ends = []
        for last in starts[place : place + MAX_NAME_WORDS]:
            if last - first >= MAX_NAME_WORDS or (last > first and _breaks(text, words, first, last)):
                break
            ends.append(last)
        for last in reversed(ends):
            key = key_of(text[words[first].start : words[last].end])
            if key and key not in STOP_WORDS and (last > first or not key.isdigit()):
                yield first, last, key


def _breaks(text: str, words: Sequence[Token], first: int, last: int) -> bool:
    """Whether a sentence ends between two words: a full stop after more than an initial, another mark, a new line."""
    for index in range(first, last):
        gap = text[words[index].end : words[index + 1].start]
        if gap != " " and ("\n" in gap or "!" in gap or "?" in gap or (". " in gap and len(words[index].text) > 3)):
            return True
    return False


@lru_cache(maxsize=65_536)
def key_of(name: str) -> str:
    """The key of a name's identity: folded, without a leading article and inner punctuation, so that "The Kites",
    "the kites" and "Kites" meet, whichever comes first. "" when nothing is left."""
    folded = " ".join(_INNER.sub(" ", fold(name[:MAX_NAME_CHARS])).split())
    folded = folded.removesuffix("'s")
    for article in ("the ", "an ", "a "):
        rest = folded.removeprefix(article)
        if rest != folded and len(rest) > 2 and rest not in STOP_WORDS:
            return rest
    return folded


def without_brackets(title: str) -> str:
    """ "Mercury (planet)" -> "Mercury"; the title itself when nothing else is left."""
    return _BRACKETED.sub("", title).strip() or title.strip()


def quoted(text: str) -> Iterable[tuple[int, int, str]]:
    """Quoted runs that begin with a capital: titles of works, as a rule. (start, end, words)."""
    if '"' not in text and "\u201c" not in text:
        return []
    return [
        (match.start(1), match.end(1), match[1].strip(" .,!?"))
        for match in _QUOTED.finditer(text)
        if match[1][0].isupper() and len(match[1].split()) <= MAX_NAME_WORDS
    ]
