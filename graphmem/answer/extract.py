"""The answer by rules: a resolved date or the best supported span, with what bears it out; None when nothing does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.analysis import spoken_date
from graphmem.answer.citations import cite
from graphmem.answer.evidence import Evidence, covered, evidence_for, supported
from graphmem.answer.question import CAPITALISED, Asks, Question, read, stems
from graphmem.answer.spans import CAPTION, NUMBERS, Setting, candidates, span_score, words_of
from graphmem.construct.sentences import raw_sentences
from graphmem.construct.times import TimeExpression, find_times, spoken
from graphmem.schema import Citation, Passage, Recall

#: Of a passage, this much is looked at, around its recalled notes.
MAX_CHARS = 4_000
DATED = 3  # evidence that is searched for a time


@dataclass(frozen=True, slots=True)
class Extract:
    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What answers, and the span of the passage that bears it out: its sentence."""

    text: str
    passage: Passage
    start: int
    end: int


def extract(recall: Recall) -> Extract | None:
    """The answer, or None when memory does not hold it."""
    question = question_of(recall)
    if not supported(recall, question):
        return None
    part = answered(question, evidence_for(recall, question))
    return Extract(f"{part.text} [1]", (cite(recall, 1, part.passage, part.start, part.end),))


def question_of(recall: Recall) -> Question:
    speakers = {ranked.passage.speaker for ranked in recall.passages if ranked.passage.speaker}
    return read(recall.question, speakers)


def answered(question: Question, evidence: Sequence[Evidence]) -> Part:
    """The best sentence when nothing is better, and when yes or no is asked for: which of the two it means is not for
    rules to tell. Joining the best spans of several passages where several things are asked for brought nothing."""
    found: Part | None = None
    if question.asks is Asks.WHEN:
        found = when(question, evidence)
    elif question.asks is Asks.HOW_LONG:
        found = how_long(question, evidence)
    elif question.asks is Asks.WHO:
        found = who(question, evidence)
    if found is None and question.asks not in (Asks.POLAR, Asks.WHO_IS):
        found = best_span(question, evidence)
    if found is None:
        passage = evidence[0].passage
        start, end = best_sentence(question, passage)
        found = Part(passage.text[start:end], passage, start, end)
    return found


def when(question: Question, evidence: Sequence[Evidence]) -> Part | None:
    """The time that the evidence names, resolved; else the day on which it was said."""
    for one in evidence[:DATED]:
        passage = one.passage
        found = [time for time in times(passage) if time.interval_us is not None and time.granularity != "duration"]
        if found:
            time = nearest(question, passage, found)
            assert time.interval_us is not None
            told = spoken(time.interval_us, time.granularity, tz_min=passage.tz_min)
            return Part(told or time.text, passage, *sentence_at(passage, time.start))
    passage = evidence[0].passage
    said = spoken_date(passage.at_us, passage.tz_min)
    return Part(said, passage, *best_sentence(question, passage)) if said else None


def how_long(question: Question, evidence: Sequence[Evidence]) -> Part | None:
    """The length of time that the evidence names, in its own words."""
    for one in evidence[:DATED]:
        passage = one.passage
        found = [time for time in times(passage) if time.granularity == "duration"]
        if found:
            time = nearest(question, passage, found)
            start, end = sentence_at(passage, time.start)
            least = _LEAST.search(passage.text, start, time.start)
            return Part(f"{least.group() if least else ''}{time.text.strip()}", passage, start, end)
    return None


def who(question: Question, evidence: Sequence[Evidence]) -> Part | None:
    """Who does what the best sentence tells: who says it of themselves ("I"), else whom its page is about ("she"). None
    when the question names one of those who speak, for then it asks for somebody else, when the sentence is about
    something else that they do, and when it names somebody."""
    passage = evidence[0].passage
    start, end = best_sentence(question, passage)
    sentence = passage.text[start:end]
    subject = _SUBJECT.search(sentence)
    if question.people or subject is None:
        return None
    rest = sentence[subject.end() :]
    does, names = stems(rest)[:1], {word for name in CAPITALISED.findall(rest) for word in stems(name)}
    doer = passage.speaker if subject["self"] else "" if passage.speaker else str(passage.meta.get("title", ""))
    if not doer or not {*does, *names} <= set(question.terms) or not does or set(stems(doer)) <= set(question.terms):
        return None
    return Part(doer, passage, start, end)


#: A person who is not named, where a sentence begins or goes on after a comma or colon.
_SUBJECT = re.compile(r"(?:^|[,:;] )(?:In \d{4} )?(?:(?P<self>I|I'm|I've|I'd|I'll)|She|she|He|he)\b")


#: The lower end of "two to four days".
_LEAST = re.compile(rf"(?:\d+|{'|'.join(sorted(NUMBERS))})(?: to | or |\s?[-\u2013]\s?)\Z", re.I)


def times(passage: Passage) -> list[TimeExpression]:
    return find_times(passage.text[:MAX_CHARS], passage.at_us, passage.tz_min)


def nearest(question: Question, passage: Passage, found: Sequence[TimeExpression]) -> TimeExpression:
    """The time in the sentence that shares most with the question; the first of equals."""

    def shared(time: TimeExpression) -> float:
        start, end = sentence_at(passage, time.start)
        return covered(question, passage.text[start:end])

    return max(found, key=lambda time: (shared(time), -time.start))


def best_span(question: Question, evidence: Sequence[Evidence]) -> Part | None:
    """The span that scores best in all of the evidence; the first of equals. None where there are no words."""
    best: tuple[float, Passage, int, int] | None = None
    for one in evidence:
        for score, start, end in scored(question, one):
            if best is None or score > best[0]:
                best = score, one.passage, start, end
    if best is None:
        return None
    _, passage, start, end = best
    return Part(whole(passage.text, start, end), passage, *sentence_at(passage, start))


_PAIRS = {'"': '"', "\u201c": "\u201d", "(": ")", "[": "]"}


def whole(text: str, start: int, end: int) -> str:
    """The span with the quotes and brackets that belong to it, and none that have lost their other half."""
    if start and text[start - 1] in _PAIRS and text[end : end + 1] == _PAIRS[text[start - 1]]:
        return text[start - 1 : end + 1]
    span = text[start:end]
    for opening, closing in _PAIRS.items():
        opened = span.count(opening) % 2 if opening == closing else span.count(opening) > span.count(closing)
        if opened and text[end : end + 1] == closing:
            return text[start : end + 1]
        if opened or span.count(closing) > span.count(opening):
            span = span.replace(opening, "").replace(closing, "")
    return span


def scored(question: Question, one: Evidence) -> Iterator[tuple[float, int, int]]:
    """(score, start, end) of every span of a passage that may answer."""
    text = one.passage.text
    for start, end in spans_of(one.passage):
        sentence = text[start:end]
        words = words_of(sentence)
        caption = CAPTION.search(sentence)
        setting = Setting(
            one.place,
            any(begin < end and start < stop for begin, stop in one.notes),
            caption.start() if caption else len(sentence),
        )
        for span in candidates(words):
            score = span_score(words, span, question, setting)
            yield score, start + words[span.first].start, start + words[span.last].end


def spans_of(passage: Passage) -> list[tuple[int, int]]:
    """The sentences of a passage, fragments apart; at least one."""
    return raw_sentences(passage.text[:MAX_CHARS]) or [(0, len(passage.text))]


def sentence_at(passage: Passage, offset: int) -> tuple[int, int]:
    return next((span for span in spans_of(passage) if span[0] <= offset < span[1]), (0, len(passage.text)))


def best_sentence(question: Question, passage: Passage) -> tuple[int, int]:
    """The sentence that shares most with the question; the first of equals."""
    text = passage.text
    return max(spans_of(passage), key=lambda span: (covered(question, text[span[0] : span[1]]), -span[0]))
