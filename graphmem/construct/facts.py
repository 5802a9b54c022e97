"""From a passage that was read to its hyperedges: who did what, with whom, when, where; who was born and died when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from graphmem.construct.calendar import spoken
from graphmem.construct.entities import Directory
from graphmem.construct.reading import Reading
from graphmem.construct.relations import Clause, Ground, Party, clauses
from graphmem.construct.rules import hull
from graphmem.construct.times import TimeExpression, find_times
from graphmem.schema import EdgeType, Hyperedge, Id, Member, Span, hyperedge_id

#: Hyperedges of one passage; a chunk of 1,200 characters has about ten sentences.
MAX_HYPEREDGES = 24
#: How far behind a clause a time still belongs to it: "I met Ada at the harbour last week".
_TIME_REACH = 40

_BORN = re.compile(r"\s?\(\s?(?:[^();]{0,40}; ?)?(born|b\.|n\u00e9e?)?[^()]{0,160}\)")
_APART = re.compile(r"[-\u2013\u2014]|\bdied\b")
_DASH = re.compile(r"\s?[-\u2013\u2014]\s?(?:c\. ?|circa )?")


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom the words stand for. `resolved`: the entities of the reading's names; `speaker`: "I"; `titles`: what the
    document is about."""

    directory: Directory
    resolved: Sequence[Id]
    speaker: Id | None
    titles: Sequence[Id]


def hyperedges_of(key: bytes, reading: Reading, cast: Cast) -> list[Hyperedge]:
    """At most MAX_HYPEREDGES, in the order of the text, none twice."""
    found: dict[Id, Hyperedge] = {}
    for fact in _facts(reading, cast):
        edge = _hyperedge(key, reading, fact, cast.directory)
        if edge is not None:
            found.setdefault(edge.id, edge)
        if len(found) >= MAX_HYPEREDGES:
            break
    return list(found.values())


_Fact = tuple[str, list[Member], Sequence[TimeExpression], int, int]


def _facts(reading: Reading, cast: Cast) -> Iterator[_Fact]:
    ground = _ground(reading, cast)
    topic = Party(EdgeType.AGENT, "title") if cast.titles and reading.passage.ordinal == 0 else None
    for number, (start, end) in enumerate(reading.pieces):
        if end > len(reading.text):
            break
        first, last = reading.tokens_in(start, end)
        if last <= first or reading.text[end - 1] == "?":
            continue
        if number == 0 and cast.titles:
            yield from _lives(reading, cast, start, end)
        read = clauses(ground, first, last, topic if cast.titles else None)
        for clause in read:
            yield _fact(reading, clause, (start, end), len(read) == 1, cast)
        if read:
            subject = read[0].parties[0]
            topic = subject if subject.kind in ("name", "title") else None


def _ground(reading: Reading, cast: Cast) -> Ground:
    timed: set[int] = set()
    for time in reading.times:
        first, last = reading.tokens_in(time.start, time.end)
        timed.update(range(first, last + 1))
    return Ground(
        text=reading.text,
        words=reading.tokens,
        names=reading.names,
        name_at={name.first: index for index, name in enumerate(reading.names)},
        timed=frozenset(timed),
        has_speaker=cast.speaker is not None,
    )


def _fact(reading: Reading, clause: Clause, sentence: tuple[int, int], is_only: bool, cast: Cast) -> _Fact:
    start, end = reading.tokens[clause.first].start, reading.tokens[clause.last].end
    verb = reading.tokens[clause.verb].start
    low, high = (sentence[0], sentence[1]) if is_only else (start, min(sentence[1], end + _TIME_REACH))
    times = [
        time
        for time in reading.times_in(low, high)
        if time.interval_us is not None and (time.end <= start or time.start > verb) and not _bracketed(reading, time)
    ][:2]
    for time in times:
        start, end = min(start, time.start), max(end, time.end)
    members = [Member(party.role, _member(party, reading, cast)) for party in clause.parties]
    return clause.predicate, members, times, start, end


def _bracketed(reading: Reading, time: TimeExpression) -> bool:
    before = reading.text[max(0, time.start - 60) : time.start]
    return before.rfind("(") > before.rfind(")")


def _lives(reading: Reading, cast: Cast, start: int, end: int) -> Iterator[_Fact]:
    """A document's first brackets: "(born 3 May 1900)", "(3 May 1900 - 4 June 1970)" behind the name it is about."""
    opening = reading.text.find("(", start, min(end, start + 160))
    bracket = _BORN.match(reading.text, opening) if opening >= 0 else None
    if bracket is None:
        return
    who = [Member(EdgeType.AGENT, cast.titles[0])]
    times = list(reading.times_in(opening, bracket.end()))
    if len(times) == 1 and times[0].granularity == "span":
        times = _ends(times[0], reading.passage.tz_min)
    exact = [time for time in times if time.interval_us is not None and time.granularity in ("day", "month", "year")]
    if bracket[1] and len(exact) == 1:
        yield "be born", who, exact, start, bracket.end()
    elif len(exact) == 2 and _APART.search(reading.text, exact[0].end, exact[1].start):
        yield "be born", who, exact[:1], start, bracket.end()
        yield "die", who, exact[1:], start, bracket.end()


def _ends(span: TimeExpression, tz_min: int | None) -> list[TimeExpression]:
    """The two ends of a span with a dash in it, each a time of its own."""
    cut = _DASH.search(span.text)
    if cut is None:
        return []
    found: list[TimeExpression] = []
    for offset, half in ((0, span.text[: cut.start()]), (cut.end(), span.text[cut.end() :])):
        words = f"in {half}" if half.isdigit() else half
        for time in find_times(words, None, tz_min):
            start = span.start + offset + time.start - (len(words) - len(half))
            found.append(replace(time, start=start, end=start + time.end - time.start))
    return found


def _hyperedge(key: bytes, reading: Reading, fact: _Fact, directory: Directory) -> Hyperedge | None:
    """None when fewer than two different nodes take part."""
    predicate, members, times, start, end = fact
    distinct = tuple(dict.fromkeys((*members, *_dates(reading, times, directory))))
    if len({member.node for member in distinct}) < 2:
        return None
    valid = hull(times)
    span = Span(reading.passage.id, start, end, reading.text[start:end])
    pairs = [(member.role.name, member.node) for member in distinct]
    return Hyperedge(
        id=hyperedge_id(key, predicate, pairs, [(span.passage, start, end)]),
        predicate=predicate,
        members=distinct,
        spans=(span,),
        valid_from_us=valid[0] if valid else None,
        valid_to_us=valid[1] if valid else None,
    )


def _dates(reading: Reading, times: Sequence[TimeExpression], directory: Directory) -> Iterator[Member]:
    for time in times:
        if time.interval_us is not None:
            words = spoken(time.interval_us, time.granularity, tz_min=reading.passage.tz_min)
            if words:
                yield Member(EdgeType.TIME, directory.date(words))


def _member(party: Party, reading: Reading, cast: Cast) -> Id:
    if party.kind == "speaker" and cast.speaker is not None:
        return cast.speaker
    if party.kind == "title":
        return cast.titles[0]
    if party.kind == "name":
        return cast.resolved[party.name]
    if party.kind == "kin" and reading.passage.speaker:
        return cast.directory.thing(f"{reading.passage.speaker}'s {party.text}")
    return cast.directory.thing(party.text)
