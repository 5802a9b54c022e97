"""From a passage that was read to its notes, by rules alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from graphmem.analysis import spoken_date
from graphmem.construct.calendar import Interval
from graphmem.construct.keywords import keywords, tags
from graphmem.construct.kinds import kind_of
from graphmem.construct.reading import Reading
from graphmem.construct.sentences import joined, raw_sentences
from graphmem.construct.times import TimeExpression
from graphmem.schema import Note, NoteKind, Passage, Source, Span, note_id

MAX_CONTEXT_CHARS = 300
MAX_QUESTION_CHARS = 160
_HEADING = re.compile(r"#{1,6}[ \t]+(?P<words>[^\n]*[^\s#])[\s#]*")


def notes_of(key: bytes, source: Source, reading: Reading, previous: Passage | None) -> list[Note]:
    """One note a sentence, from the passage and the one before it alone."""
    passage = reading.passage
    context = context_of(source, passage, previous)
    is_dialogue = source.kind != "document"
    return [_note(key, reading, span, context, is_dialogue=is_dialogue) for span in reading.spans]


def note_texts(text: str) -> list[str]:
    """The texts of the notes that a passage of this text will have."""
    return [in_one_line(text[start:end]) for start, end in joined(text, raw_sentences(text))]


def in_one_line(quote: str) -> str:
    """A quote as a note's text. A heading before it, by Markdown's marks, becomes "Heading: "; a line that the text
    after it begins with is left out."""
    text = ""
    for line in reversed(quote.splitlines()):
        heading = _HEADING.fullmatch(line)
        before = " ".join((heading["words"] if heading else line).split())
        if not text or not before:
            text = text or before
        elif not text.casefold().startswith(f"{before.casefold()} "):
            text = f"{before}{':' if heading else ''} {text}"
    return text


def _note(key: bytes, reading: Reading, at: tuple[int, int], context: str, *, is_dialogue: bool) -> Note:
    passage, (start, end) = reading.passage, at
    quote = passage.text[start:end]
    words = reading.words_in(start, end)
    kind, confidence = kind_of(quote, is_dialogue=is_dialogue)
    named = reading.names_in(start, end)
    times = reading.times_in(start, end)
    valid = hull(times)
    return Note(
        id=note_id(key, kind, [(passage.id, start, end)]),
        kind=kind,
        text=in_one_line(quote),
        spans=(Span(passage.id, start, end, quote),),
        context=context,
        keywords=keywords(words, [reading.names[index].text for index in named], reading.counts),
        tags=tags(quote, words, _found(kind, [reading.types[index] for index in named], times)),
        confidence_q8=confidence,
        valid_from_us=valid[0] if valid else None,
        valid_to_us=valid[1] if valid else None,
    )


_KIND_TAGS = {NoteKind.EXPERIENCE: "event", NoteKind.BELIEF: "opinion", NoteKind.STRATEGY: "advice"}


def _found(kind: NoteKind, types: Sequence[str], times: Sequence[TimeExpression]) -> set[str]:
    found = {type for type in types if type in ("person", "place")}
    if kind in _KIND_TAGS:
        found.add(_KIND_TAGS[kind])
    if any(time.granularity != "duration" for time in times):
        found.add("time")
    return found


def hull(times: Sequence[TimeExpression]) -> Interval | None:
    """The least interval that holds all resolved times; None when none is."""
    known = [time.interval_us for time in times if time.interval_us is not None]
    return (min(start for start, _ in known), max(end for _, end in known)) if known else None


def context_of(source: Source, passage: Passage, previous: Passage | None) -> str:
    """Who said it, when, where; and the question it answers."""
    title = str(passage.meta.get("title") or source.title)
    parts = [passage.speaker or "", _said_on(passage.at_us, passage.tz_min)]
    if title:
        parts.append(f"in {title[:120]}")
    context = ", ".join(part for part in parts if part)
    asked = question_before(passage, previous)
    if asked:
        context = f"{context}; asked: {asked}" if context else f"asked: {asked}"
    return context[:MAX_CONTEXT_CHARS]


#: Years 1 to 9999, which a date can be said of.
_DATES_US = (-62_135_510_400_000_000, 253_402_214_400_000_000)


@lru_cache(maxsize=1024)
def _said_on(at_us: int | None, tz_min: int | None) -> str:
    return spoken_date(at_us, tz_min) if at_us is not None and _DATES_US[0] < at_us < _DATES_US[1] else ""


def question_before(passage: Passage, previous: Passage | None) -> str:
    """The last question that the turn before asks of this speaker; "" when there is none."""
    if previous is None or passage.speaker is None or previous.speaker == passage.speaker:
        return ""
    tail = previous.text[-4000:]
    at = max(tail.rfind("?"), tail.rfind("\uff1f"))
    if at < 0:
        return ""
    for start, end in reversed(raw_sentences(tail[: at + 1])):
        question = " ".join(tail[start:end].split())
        if question:
            return question if len(question) <= MAX_QUESTION_CHARS else "\u2026" + question[1 - MAX_QUESTION_CHARS :]
    return ""
