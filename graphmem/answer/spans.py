"""Spans of a sentence that may answer a question, and what speaks for each. Values in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.analysis import STOP_WORDS, stem
from graphmem.answer.question import WORD, Asks, Question, plain
from graphmem.construct.calendar import MONTHS, WEEKDAYS
from graphmem.construct.words import FILLERS

MAX_CHUNKS = 6
MAX_LIST_WORDS = 12  # a list of short things may run over commas
MAX_WORDS = 60  # of a sentence; the rest is not looked at

_GLUE = frozenset("of and the a an my for to in with from on at by or our his her their some".split())
_PLACE = frozenset("in at to from near by on through into around visit visited visiting".split())
NUMBERS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million once twice both "
    "dozen half several couple few".split()
)
_TIMES = frozenset(
    (*MONTHS, *WEEKDAYS, "today", "yesterday", "tomorrow", "tonight", "week", "weekend", "month", "year")
)
_BREAK = re.compile(r"[^\w\s'\u2019.&-]|(?<!\b[A-Z])[.](?=\s|$)|\s[-\u2013\u2014]+\s")
CAPTION = re.compile(r"\[[^\]]*:[^\]]*\]?\Z")


@dataclass(frozen=True, slots=True)
class Word:
    start: int
    end: int
    plain: str
    stem: str
    link: bool  # a stop word
    breaks: bool  # punctuation stands between it and the word before
    capital: bool


@dataclass(frozen=True, slots=True)
class SpanOf:
    """words[first:last + 1] of a sentence."""

    first: int
    last: int


def words_of(sentence: str) -> list[Word]:
    found: list[Word] = []
    end = 0
    for match in WORD.finditer(sentence):
        bare = plain(match.group())
        found.append(
            Word(
                match.start(),
                match.end(),
                bare,
                stem(bare),
                bare in STOP_WORDS,
                bool(found) and bool(_BREAK.search(sentence, end, match.start())),
                match.group()[0].isupper(),
            )
        )
        end = match.end()
        if len(found) >= MAX_WORDS:
            break
    return found


def candidates(words: Sequence[Word]) -> Iterator[SpanOf]:
    """Runs of one to MAX_CHUNKS chunks (runs of content words), what links them included, not across a break unless
    a list goes on."""
    chunks: list[SpanOf] = []
    start = -1
    for index, word in enumerate(words):
        if start >= 0 and (word.link or word.breaks):
            chunks.append(SpanOf(start, index - 1))
            start = -1
        if not word.link and start < 0:
            start = index
    if start >= 0:
        chunks.append(SpanOf(start, len(words) - 1))
    for at, chunk in enumerate(chunks):
        for other in chunks[at : at + MAX_CHUNKS]:
            if other is not chunk and words[other.first].breaks and other.last - chunk.first >= MAX_LIST_WORDS:
                break
            yield SpanOf(chunk.first, other.last)


#: What each feature of a span counts for. Fitted to the mean token F1 of the best span on the answerable questions of
#: five LoCoMo conversations, rounded; fitted anew on four of them, they give the fifth .21 instead of .22.
WEIGHTS = {
    "place": 3.5,  # the passage's score below the best passage's
    "note": 1.5,  # the sentence is the note that recall found
    "caption": -3.0,  # it stands in a caption
    "repeats": -2.7,  # share of its terms that the question has
    "far": -1.8,  # words to the nearest term of the question, over 10
    "follows": 1.9,  # that term stands before it
    "next": 0.9,  # with nothing but links between
    "fillers": -3.8,  # share of its words
    "two": 2.2,  # two content words or more
    "four": 2.2,  # four or more
    "odd_links": -2.3,  # pronouns and auxiliaries inside, thirds
    "closes": 1.7,  # last in its clause
    "capital": 4.9,  # a name, unless it opens the clause
    "where": 1.7,  # a place is asked for, and a preposition of place stands before it
    "name": 2.4,  # a person or place is asked for, and it is a name
    "time": -4.0,  # it begins or ends with a time, where none is asked for
    "number": 2.3,  # a number is asked for, and it holds one
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a sentence before its spans are looked at: its passage's score below the best one's, whether it
    is a recalled note, the offset of its caption (its length when there is none)."""

    place: float
    note: bool
    caption_from: int


def span_score(words: Sequence[Word], span: SpanOf, question: Question, setting: Setting) -> float:
    """O(words of the sentence)."""
    return sum(WEIGHTS[name] * value for name, value in features(words, span, question, setting).items())


def features(words: Sequence[Word], span: SpanOf, question: Question, setting: Setting) -> dict[str, float]:
    inside = words[span.first : span.last + 1]
    content = [word for word in inside if not word.link]
    count = len(content)
    capital = sum(word.capital for word in content) / count
    named = capital == 1.0 and span.first > 0 and not words[span.first].breaks
    closes = span.last + 1 == len(words) or words[span.last + 1].breaks
    return {
        "place": setting.place,
        "note": float(setting.note),
        "caption": float(words[span.first].start >= setting.caption_from),
        "repeats": sum(word.stem in question.terms for word in content) / count,
        **_nearness(words, span, question),
        "fillers": sum(word.plain in FILLERS for word in content) / count,
        "two": float(count >= 2),
        "four": float(count >= 4),
        "odd_links": min(3, sum(word.link and word.plain not in _GLUE for word in inside)) / 3,
        "closes": float(closes),
        "capital": float(named),
        **_fit(words, span, question, named=named),
    }


def _nearness(words: Sequence[Word], span: SpanOf, question: Question) -> dict[str, float]:
    """How near the span is to a word of the question that stands outside it."""
    matches = [
        index
        for index, word in enumerate(words)
        if word.stem in question.terms and not word.link and not span.first <= index <= span.last
    ]
    if not matches:
        return {"far": 1.0, "follows": 0.0, "next": 0.0}
    nearest = min(matches, key=lambda index: _gap(index, span))
    follows = nearest < span.first
    linked = follows and all(word.link for word in words[nearest + 1 : span.first])
    joined = linked and not any(word.breaks for word in words[nearest + 1 : span.first + 1])
    return {"far": min(10, _gap(nearest, span)) / 10, "follows": float(follows), "next": float(joined)}


def _fit(words: Sequence[Word], span: SpanOf, question: Question, *, named: bool) -> dict[str, float]:
    """Whether the span is of the kind that is asked for."""
    before = words[span.first - 1] if span.first and not words[span.first].breaks else None
    content = [word for word in words[span.first : span.last + 1] if not word.link]
    holds_number = any(word.plain in NUMBERS or word.plain[:1].isdigit() for word in content)
    timed = question.asks in (Asks.WHEN, Asks.HOW_LONG)
    place, person = question.asks is Asks.WHERE, question.asks is Asks.WHO
    return {
        "where": float(place and before is not None and before.plain in _PLACE),
        "name": float((place or person) and named),
        "time": float(not timed and (content[0].plain in _TIMES or content[-1].plain in _TIMES)),
        "number": float(question.asks in (Asks.HOW_MANY, Asks.HOW_LONG) and holds_number),
    }


def _gap(index: int, span: SpanOf) -> int:
    return span.first - index if index < span.first else index - span.last
