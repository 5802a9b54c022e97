"""The answer by rules: a resolved date or the best supported span, with what bears it out; None when nothing does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.analysis import spoken_date
from graphmem.answer.citations import cite
from graphmem.answer.evidence import Evidence, covered, evidence_for
from graphmem.answer.question import Asks, Question, read
from graphmem.answer.spans import CAPTION, Setting, candidates, span_score, words_of
from graphmem.construct.sentences import raw_sentences
from graphmem.construct.times import TimeExpression, find_times, spoken
from graphmem.schema import Citation, Passage, Recall

#: A question for several things gets the best span of up to so many passages, if it scores so near the best one.
MAX_PARTS = 3
PART_MARGIN = 2.0
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
    score: float = 0.0


def extract(recall: Recall) -> Extract | None:
    speakers = {ranked.passage.speaker for ranked in recall.passages if ranked.passage.speaker}
    question = read(recall.question, speakers)
    evidence = evidence_for(recall, question)
    if not evidence:
        return None
    parts = answered(question, evidence)
    return Extract(
        ", ".join(f"{part.text} [{marker}]" for marker, part in enumerate(parts, 1)),
        tuple(cite(recall, marker, part.passage, part.start, part.end) for marker, part in enumerate(parts, 1)),
    )


def answered(question: Question, evidence: Sequence[Evidence]) -> list[Part]:
    """At least one part: when nothing is better, the first sentence of the best evidence."""
    if question.asks is Asks.WHEN and (dated := when(question, evidence)):
        return [dated]
    if question.asks is Asks.HOW_LONG and (lasted := how_long(question, evidence)):
        return [lasted]
    parts = best_spans(question, evidence)
    if not parts:
        passage = evidence[0].passage
        start, end = best_sentence(question, passage)
        return [Part(passage.text[start:end], passage, start, end)]
    if not question.many:
        return parts[:1]
    chosen = [part for part in parts if part.score >= parts[0].score - PART_MARGIN]
    different = {part.text.casefold(): part for part in reversed(chosen)}
    return list(reversed(different.values()))[:MAX_PARTS]


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
            return Part(time.text.strip(), passage, *sentence_at(passage, time.start))
    return None


def times(passage: Passage) -> list[TimeExpression]:
    return find_times(passage.text[:MAX_CHARS], passage.at_us, passage.tz_min)


def nearest(question: Question, passage: Passage, found: Sequence[TimeExpression]) -> TimeExpression:
    """The time in the sentence that shares most with the question; the first of equals."""

    def shared(time: TimeExpression) -> float:
        start, end = sentence_at(passage, time.start)
        return covered(question, passage.text[start:end])

    return max(found, key=lambda time: (shared(time), -time.start))


def best_spans(question: Question, evidence: Sequence[Evidence]) -> list[Part]:
    """The best span of each passage, best first."""
    best = []
    for one in evidence:
        text = one.passage.text
        spans = list(scored(question, one))
        if spans:
            score, start, end = max(spans, key=lambda span: (span[0], -span[1]))
            best.append(Part(text[start:end], one.passage, *sentence_at(one.passage, start), score))
    return sorted(best, key=lambda part: -part.score)


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
