"""One passage, read once: its tokens, sentences, names and times, for every rule that follows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass

from graphmem.construct.names import NameSpan, Token, names, quoted, tokens
from graphmem.construct.sentences import sentences
from graphmem.construct.times import TimeExpression, find_times
from graphmem.construct.types import type_of
from graphmem.construct.words import WORD
from graphmem.schema import Passage

#: A passage is read up to here; readers cut at 4,000, so this binds for callers of `remember` alone.
MAX_READ_CHARS = 100_000


@dataclass(frozen=True, slots=True)
class Reading:
    passage: Passage
    text: str  # the passage's text, cut to MAX_READ_CHARS
    spans: tuple[tuple[int, int], ...]  # of the notes to be
    tokens: tuple[Token, ...]
    names: tuple[NameSpan, ...]
    types: tuple[str, ...]  # of the names
    works: tuple[tuple[int, int, str], ...]  # quoted titles: start, end, words
    times: tuple[TimeExpression, ...]
    counts: Counter[str]  # words, case-folded

    def tokens_in(self, start: int, end: int) -> tuple[int, int]:
        """First and last token of a span (last < first when there is none)."""
        first = bisect_left(self.tokens, start, key=lambda token: token.start)
        return first, bisect_right(self.tokens, end, key=lambda token: token.end) - 1

    def names_in(self, start: int, end: int) -> list[int]:
        """Indexes of the names within a span."""
        return [index for index, name in enumerate(self.names) if start <= name.start and name.end <= end]

    def times_in(self, start: int, end: int) -> list[TimeExpression]:
        return [time for time in self.times if start <= time.start and time.end <= end]


def read(passage: Passage) -> Reading:
    """O(len(text)); a passage longer than MAX_READ_CHARS is split into sentences whole, its names and times are those
    of its beginning."""
    text = passage.text[:MAX_READ_CHARS]
    found = tuple(tokens(text))
    named = tuple(names(text, found))
    return Reading(
        passage=passage,
        text=text,
        spans=tuple(sentences(passage.text)),
        tokens=found,
        names=named,
        types=tuple(type_of(text, name) for name in named),
        works=tuple(quoted(text)),
        times=tuple(find_times(text, passage.at_us, passage.tz_min)),
        counts=Counter(word.casefold() for word in WORD.findall(text)),
    )
