"""Words of a text with their places: what names, clauses and keywords are read from."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019.&/-][^\W_]+)*")
_KEPT_CHARS = 2_000
_BREAK = re.compile(r"[.!?\u2026:;\u3002\uff01\uff1f\n\"\u201c\u201d(\[*\u2022]")


class Token(NamedTuple):
    """A word with its place. `opens`: a sentence, line, quote or bracket begins with it. A named tuple: there are
    millions of them, and a frozen dataclass takes three times as long to make."""

    start: int
    end: int
    text: str
    lower: str  # with a straight apostrophe
    is_capital: bool
    opens: bool


def tokens(text: str) -> tuple[Token, ...]:
    """O(len(text)). "I" and its contractions count as lower case: they are no names."""
    return _kept(text) if len(text) <= _KEPT_CHARS else tuple(_tokens(text))


@lru_cache(maxsize=512)
def _kept(text: str) -> tuple[Token, ...]:
    """A batch is read twice, for the names to look up and to build: its tokens are kept in between (a tenth of the
    time). Two batches' worth, at most 30 MB when every text is as long as is kept."""
    return tuple(_tokens(text))


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    curly, at, search, add = "\u2019" in text, -2, _BREAK.search, found.append
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word = match.group()
        lower = word.lower()
        if curly:
            lower = lower.replace("\u2019", "'")
        capital = word[0].isupper() and not (word[0] == "I" and (len(word) == 1 or lower[1] == "'"))
        opens = start - at != 1 and (at < 0 or search(text, at, start) is not None)
        add(Token(start, end, word, lower, capital, opens))
        at = end
    return found
