"""One passage, read once: its tokens, sentences, names and times, for every rule that follows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.construct.keywords import plain_words
from graphmem.construct.names import NameSpan, names, without_roles
from graphmem.construct.sentences import joined, raw_sentences
from graphmem.construct.times import TimeExpression, find_times
from graphmem.construct.tokens import Token, tokens
from graphmem.construct.types import type_of
from graphmem.construct.works import longer, works
from graphmem.schema import Passage

#: Names, times and relations are read up to here, sentences to the end. Readers cut turns at 4,000 characters, so this
#: binds for callers of `remember` alone.
MAX_READ_CHARS = 20_000

_Placed = TimeExpression | NameSpan


@dataclass(frozen=True, slots=True)
class Reading:
    passage: Passage
    text: str  # the passage's text, cut to MAX_READ_CHARS
    pieces: tuple[tuple[int, int], ...]  # sentences, fragments apart
    spans: tuple[tuple[int, int], ...]  # sentences of the notes to be
    tokens: tuple[Token, ...]
    starts: tuple[int, ...]  # of the tokens
    names: tuple[NameSpan, ...]
    types: tuple[str, ...]  # of the names
    more: tuple[tuple[int, int, str], ...]  # titles of works, ranked names, names without their office
    times: tuple[TimeExpression, ...]
    counts: Counter[str]  # words in lower case

    def tokens_in(self, start: int, end: int) -> tuple[int, int]:
        """First and last token that begin in a span (last < first when there is none)."""
        return bisect_left(self.starts, start), bisect_left(self.starts, end) - 1

    def words_in(self, start: int, end: int) -> list[str]:
        """The words of a span in lower case."""
        if end > len(self.text):
            return plain_words(self.passage.text[start:end])
        first, last = self.tokens_in(start, end)
        return [token.lower for token in self.tokens[first : last + 1]]

    def names_in(self, start: int, end: int) -> range:
        """Indexes of the names that begin in a span."""
        return _within(self.names, start, end)

    def times_in(self, start: int, end: int) -> tuple[TimeExpression, ...]:
        found = _within(self.times, start, end)
        return self.times[found.start : found.stop]


def _within(placed: Sequence[_Placed], start: int, end: int) -> range:
    if not placed:
        return range(0)
    first = bisect_left(placed, start, key=_start)
    return range(first, bisect_right(placed, end - 1, lo=first, key=_start))


def _start(placed: _Placed) -> int:
    return placed.start


def read(passage: Passage) -> Reading:
    """O(len(text))."""
    text = passage.text[:MAX_READ_CHARS]
    words = tokens(text)
    cut = raw_sentences(passage.text)
    named = names(text, words, is_spoken=passage.speaker is not None)
    titles = works(text, words)
    kept = [name for name in named if not any(low <= name.start and name.end <= high for low, high, _ in titles)]
    bare = [core for name in kept if name.last - name.first > 1 and (core := without_roles(words, name)) is not None]
    return Reading(
        passage=passage,
        text=text,
        pieces=tuple(cut),
        spans=tuple(joined(passage.text, cut)),
        tokens=words,
        starts=tuple([word.start for word in words]),
        names=tuple(kept),
        types=tuple([type_of(text, name) for name in kept]),
        more=(*titles, *longer(text, words, kept), *((core.start, core.end, core.text) for core in bare)),
        times=tuple(find_times(text, passage.at_us, passage.tz_min)),
        counts=Counter([word.lower for word in words]),
    )
