"""Names in a text: runs of capitalised words.

Reads one text alone; nothing here knows the store. A word at a sentence's start is capitalised anyway: it counts when
nothing speaks against it (a stop word, a filler, the same word in lower case elsewhere in the text) and something
speaks for it (a name follows or a possessive, or it stands capitalised within a sentence too).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.analysis import STOP_WORDS
from graphmem.construct.calendar import MONTHS, WEEKDAYS
from graphmem.construct.tokens import Token
from graphmem.construct.words import FILLERS, KIN, ROLES, STARTERS, TITLES

MAX_NAME_WORDS = 8
#: Names of one passage; a chunk of 1,200 characters holds about 20.
MAX_NAMES = 64

_JOINS = frozenset(
    "of the de del della van von der den du da di la le las los el al bin ibn dos das y af av zu".split()
)
_DATES = frozenset((*MONTHS, *WEEKDAYS)) | {
    "mon",
    "tues",
    "wed",
    "thurs",
    "fri",
    "christmas",
    "easter",
    "halloween",
    "thanksgiving",
}
_COMMON = STOP_WORDS | STARTERS | FILLERS
#: How adjectives of nations end.
NATION = ("ish", "ian", "ean", "ese", "can", "ench", "reek", "utch", "erman", "aeli", "iss")


@dataclass(frozen=True, slots=True)
class NameSpan:
    """A name in a text: `text` is it in plain words, without possessive; `first`, `last` are its tokens (inclusive)."""

    start: int
    end: int
    text: str
    first: int
    last: int


def names(text: str, words: Sequence[Token], *, is_spoken: bool = False) -> list[NameSpan]:
    """Names from left to right, none overlapping, at most MAX_NAMES. In speech a lone word that begins a sentence needs
    more to be a name: "Woah, ..." and "Dance is ..." begin turns, as names begin the sentences of a book."""
    if not any(word.is_capital for word in words):
        return []
    lower = {word.text for word in words if not word.is_capital}
    inner = {word.text for word in words if word.is_capital and not word.opens}
    found: list[NameSpan] = []
    for first, last in _runs(text, words):
        kept = _trimmed(words, first, last, lower)
        if kept is None or not _is_name(text, words, kept, lower, inner):
            continue
        if is_spoken and _only_opens(text, words, kept, inner):
            continue
        found.append(span(words, *kept))
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
            if (
                word.is_capital
                or (word.text == "I" and _is_numeral(text, words, ahead))
                or (word.text.isdigit() and last == ahead - 1 and words[last].lower not in _DATES)
            ):
                last = ahead
            elif word.text not in _JOINS or ahead - last > 2:
                break
            ahead += 1
        yield at, last
        at = last + 1


def _is_numeral(text: str, words: Sequence[Token], at: int) -> bool:
    """ "Karl I of Lund", "Karl I (1900": a first of his name, not the one who speaks."""
    if at + 1 < len(words) and words[at + 1].text == "of":
        return True
    return text[words[at].end : words[at].end + 2].lstrip()[:1] in (",", "(", ".", ")", "")


def _joins(text: str, before: Token, after: Token) -> bool:
    """Only white space between, or the full stop of an initial or a title ("J. Smith", "Dr. Berg")."""
    if before.lower.endswith("'s"):
        return False
    if after.start - before.end == 1:
        return text[before.end] == " "
    gap = text[before.end : after.start]
    if not gap.strip():
        return "\n" not in gap
    return gap == ". " and (len(before.text) == 1 or before.lower in TITLES)


def _trimmed(words: Sequence[Token], first: int, last: int, lower: set[str]) -> tuple[int, int] | None:
    """Leading words that are capitalised for their place alone go, and dates at both ends."""
    while first <= last:
        word = words[first]
        common = word.lower in _COMMON
        if (
            word.lower in _DATES
            or word.text.isdigit()
            or (common and (word.opens or first == last))
            or (word.opens and word.lower in lower and first < last)
            or (not word.is_capital and word.lower in _JOINS)
        ):
            first += 1
        else:
            break
    while last >= first and (words[last].lower in _DATES or words[last].text in _JOINS):
        last -= 1
    return (first, last) if first <= last else None


def _is_name(text: str, words: Sequence[Token], kept: tuple[int, int], lower: set[str], inner: set[str]) -> bool:
    """Whether a trimmed run is a name: one word at a sentence's start needs a reason, shouting is none."""
    first, last = kept
    if first < last:
        return sum(word.text.isupper() and len(word.text) > 1 for word in words[first : last + 1]) < 3
    word = words[first]
    folded = word.lower.removesuffix("'s")
    if folded.endswith(_CONTRACTIONS):
        return False
    if len(folded) < 2 or folded in _COMMON or folded in KIN or folded in TITLES or folded in lower:
        return False
    if folded.endswith(NATION) and _is_adjective(text, words, last):
        return False
    if not word.opens or word.text in inner:
        return True
    return not folded.endswith(("ing", "ed", "ly")) and _is_followed_like_a_name(text, words, last)


def _is_adjective(text: str, words: Sequence[Token], at: int) -> bool:
    """ "a Norwegian painter": a nation's adjective before a plain noun names no one."""
    if at + 1 >= len(words) or text[words[at].end : words[at + 1].start] != " ":
        return False
    after = words[at + 1]
    return not after.is_capital and after.lower not in STOP_WORDS


_CONTRACTIONS = ("n't", "'ll", "'re", "'ve", "'d", "'m")
_AFTER_A_NAME = frozenset(
    "said says told asked loves likes wants went works worked lives lived moved joined married plays played called is "
    "was "
    "has had will became began won wrote directed released starred died served studied".split()
)


def _only_opens(text: str, words: Sequence[Token], kept: tuple[int, int], inner: set[str]) -> bool:
    word = words[kept[0]]
    if kept[0] < kept[1] or not word.opens or word.text in inner or word.lower.endswith("'s"):
        return False
    if text[word.end : word.end + 1] == ",":
        return True
    return kept[0] + 1 < len(words) and words[kept[0] + 1].lower in ("is", "was", "has", "had", "and")


def _is_followed_like_a_name(text: str, words: Sequence[Token], last: int) -> bool:
    word = words[last]
    if word.lower.endswith("'s"):
        return True
    follows = text[word.end : word.end + 2]
    if last + 1 < len(words) and follows[:1] == " ":
        after = words[last + 1]
        if after.text in _AFTER_A_NAME:
            return True
        return after.text == "and" and last + 2 < len(words) and words[last + 2].is_capital
    return follows[:1] in (",", "(", ")") and last + 1 < len(words)


def span(words: Sequence[Token], first: int, last: int) -> NameSpan:
    """The name that these tokens (inclusive) are."""
    text = " ".join([word.text for word in words[first : last + 1]])
    cut = 2 if words[last].lower.endswith("'s") else 0
    return NameSpan(words[first].start, words[last].end - cut, text[: len(text) - cut], first, last)


def without_roles(words: Sequence[Token], name: NameSpan) -> NameSpan | None:
    """ "Italian Prime Minister Ada Berg" -> "Ada Berg": what stands behind nations and offices, two words or more."""
    first = name.first
    while first < name.last - 1 and (words[first].lower in ROLES or words[first].lower.endswith(NATION)):
        first += 1
    if first == name.first or not words[first].is_capital:
        return None
    return span(words, first, name.last)
