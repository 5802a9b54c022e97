"""From a passage that was read to its notes and hyperedges, by rules alone."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.analysis import spoken_date
from graphmem.construct.calendar import Interval, spoken
from graphmem.construct.entities import Directory
from graphmem.construct.keywords import keywords, plain_words, tags
from graphmem.construct.kinds import kind_of
from graphmem.construct.reading import Reading
from graphmem.construct.relations import Clause, Ground, Party, clauses
from graphmem.construct.sentences import raw_sentences
from graphmem.construct.times import TimeExpression
from graphmem.schema import (
    EdgeType,
    Hyperedge,
    Id,
    Member,
    Note,
    NoteKind,
    Passage,
    Source,
    Span,
    hyperedge_id,
    note_id,
)

MAX_CONTEXT_CHARS = 300
MAX_QUESTION_CHARS = 160
#: Hyperedges of one passage; a chunk of 1,200 characters has about ten sentences.
MAX_HYPEREDGES = 24


def notes_of(key: bytes, source: Source, reading: Reading, previous: Passage | None) -> list[Note]:
    """One note a sentence, from the passage and the one before it alone."""
    passage = reading.passage
    context = context_of(source, passage, previous)
    is_dialogue = source.kind != "document"
    return [_note(key, reading, start, end, context, is_dialogue) for start, end in reading.spans]


def _note(key: bytes, reading: Reading, start: int, end: int, context: str, is_dialogue: bool) -> Note:
    passage = reading.passage
    quote = passage.text[start:end]
    words = plain_words(quote)
    kind, confidence = kind_of(quote, is_dialogue=is_dialogue)
    named = reading.names_in(start, end)
    times = reading.times_in(start, end)
    valid = hull(times)
    return Note(
        id=note_id(key, kind, [(passage.id, start, end)]),
        kind=kind,
        text=" ".join(quote.split()),
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
    parts = [passage.speaker or "", spoken_date(passage.at_us, passage.tz_min) if _has_date(passage) else ""]
    if title:
        parts.append(f"in {title[:120]}")
    context = ", ".join(part for part in parts if part)
    asked = question_before(passage, previous)
    if asked:
        context = f"{context}; asked: {asked}" if context else f"asked: {asked}"
    return context[:MAX_CONTEXT_CHARS]


#: Years 1 to 9999, which a date can be said of.
_DATES_US = (-62_135_510_400_000_000, 253_402_214_400_000_000)


def _has_date(passage: Passage) -> bool:
    return passage.at_us is not None and _DATES_US[0] < passage.at_us < _DATES_US[1]


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


def hyperedges_of(
    key: bytes, source: Source, reading: Reading, directory: Directory, resolved: Sequence[Id], speaker: Id | None
) -> list[Hyperedge]:
    """Clauses as n-ary relations. `resolved`: the entities of the reading's names; `speaker`: whom "I" stands for."""
    ground = Ground(
        text=reading.text,
        words=reading.tokens,
        names=reading.names,
        name_at={name.first: index for index, name in enumerate(reading.names)},
        timed=_timed(reading),
        has_speaker=speaker is not None,
    )
    found: list[Hyperedge] = []
    topic: int | None = None
    for start, end in raw_sentences(reading.text):
        if len(found) >= MAX_HYPEREDGES:
            break
        first, last = reading.tokens_in(start, end)
        if last <= first or reading.text[end - 1] == "?":
            continue
        read = clauses(ground, first, last, topic if source.kind == "document" else None)
        for clause in read:
            edge = _hyperedge(key, reading, clause, (start, end), len(read) == 1, directory, resolved, speaker)
            if edge is not None:
                found.append(edge)
        topic = _topic(read, topic)
    return list({edge.id: edge for edge in found}.values())


def _topic(read: Sequence[Clause], before: int | None) -> int | None:
    """What a following "he", "she" or "it" speaks of: the subject of the first clause."""
    if not read:
        return before
    party = read[0].parties[0]
    return party.name if party.kind == "name" else None


def _timed(reading: Reading) -> frozenset[int]:
    found: set[int] = set()
    for time in reading.times:
        first, last = reading.tokens_in(time.start, time.end)
        found.update(range(first, last + 1))
    return frozenset(found)


def _hyperedge(
    key: bytes,
    reading: Reading,
    clause: Clause,
    sentence: tuple[int, int],
    is_only: bool,
    directory: Directory,
    resolved: Sequence[Id],
    speaker: Id | None,
) -> Hyperedge | None:
    start, end = reading.tokens[clause.first].start, reading.tokens[clause.last].end
    times = reading.times_in(*sentence) if is_only else reading.times_in(start, min(sentence[1], end + 30))
    times = [time for time in times if time.interval_us is not None][:2]
    if len(clause.parties) + len(times) < 2:
        return None
    members = [Member(party.role, _member(party, reading, directory, resolved, speaker)) for party in clause.parties]
    for time in times:
        start, end = min(start, time.start), max(end, time.end)
        words = spoken(time.interval_us, time.granularity, tz_min=reading.passage.tz_min) if time.interval_us else ""
        if words:
            members.append(Member(EdgeType.TIME, directory.date(words)))
    distinct = tuple(dict.fromkeys(members))
    if len({member.node for member in distinct}) < 2:
        return None
    valid = hull(times)
    span = Span(reading.passage.id, start, end, reading.text[start:end])
    pairs = [(member.role.name, member.node) for member in distinct]
    return Hyperedge(
        id=hyperedge_id(key, clause.predicate, pairs, [(span.passage, start, end)]),
        predicate=clause.predicate,
        members=distinct,
        spans=(span,),
        valid_from_us=valid[0] if valid else None,
        valid_to_us=valid[1] if valid else None,
    )


def _member(party: Party, reading: Reading, directory: Directory, resolved: Sequence[Id], speaker: Id | None) -> Id:
    if party.kind == "speaker" and speaker is not None:
        return speaker
    if party.kind == "name":
        return resolved[party.name]
    if party.kind == "kin" and reading.passage.speaker:
        return directory.thing(f"{reading.passage.speaker}'s {party.text}")
    return directory.thing(party.text)
