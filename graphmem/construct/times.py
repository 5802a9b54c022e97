"""Times named in a text, absolute and relative, as half-open intervals in microseconds UTC.

Relative ones are resolved against the text's own time and UTC offset; without it their interval is None. Vague words
give wide intervals ("a few days ago": four days; "two weeks ago": the week around that day). A date that does not
exist is found and not resolved. English only. O(len(text)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from graphmem.construct import calendar, time_relative, time_rules
from graphmem.construct.calendar import DAY_US, MINUTE_US, MONTHS, WEEKDAYS, Interval, spoken
from graphmem.construct.time_rules import Meaning, Rule, Setting
from graphmem.construct.time_words import (
    ANY_MONTH,
    COUNT,
    HOLIDAY,
    MONTH,
    NTH,
    SEASON,
    UNIT,
    WEEKDAY,
    YEAR,
)

__all__ = ["TimeExpression", "find_times", "spoken"]

#: No text names more times than this; the rest of a log file is left alone.
MAX_TIMES = 200


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """`text[start:end]` names `interval_us` (None: relative without a reference, or no such date). `granularity` is
    minute, hour, part (of a day), day, days, weekend, week, month, season, year, decade, century, span, or duration (a
    length, not a point: never with an interval)."""

    start: int
    end: int
    text: str
    interval_us: Interval | None
    granularity: str


_PART = r"(?:early|mid|late|(?:the )?(?:beginning|start|middle|end) of)"
_IN = (
    r"(?:in|on|since|until|till|til|by|during|before|after|of|from|to|for|throughout|around|about|circa|c\.|and|between|"
    r"year)"
)
_DAY_PART = r"(?: (?:morning|afternoon|evening|night))"
_CAPITAL_MONTH = rf"(?-i:{'|'.join(name.title() for name in MONTHS)})"
#: "this may", "last march" are verbs and walks; with a capital they are months.
_NEAR_MONTH = "(?:january|february|april|june|july|september|october|november|december|(?-i:May|March|August))"
_TO = r"(?:to|and|till|until|through|-|\u2013|\u2014)"

# The order matters: at one place the first that matches wins, so longer readings stand before shorter ones.
_PATTERNS: tuple[tuple[str, str, Rule], ...] = (
    ("iso", r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?Z?)?(?![\d-])", time_rules.iso),
    ("numeric", r"(\d{1,2})(?P<mark>[/.])(\d{1,2})(?P=mark)(\d{4})(?!\d)", time_rules.numeric),
    ("year_span", rf"({YEAR})\s?[-\u2013\u2014/]\s?((?:1\d|20)?\d{{2}})(?![\d-])", time_rules.year_span),
    (
        "day_month",
        rf"(?:the )?({NTH})(?:\s?(?:-|\u2013|to|and)\s?({NTH}))?(?: day)?(?: of)? ({ANY_MONTH})(?:,? ({YEAR}))?(?!\w)",
        time_rules.day_month,
    ),
    (
        "month_day",
        rf"({ANY_MONTH}) (?:the )?({NTH})(?:\s?(?:-|\u2013|to|and)\s?({NTH}))?(?:,? ({YEAR}))?(?![\w:]|,\d)",
        time_rules.month_day,
    ),
    (
        "month_span",
        rf"({_CAPITAL_MONTH})(?: ({YEAR}))? ?{_TO} ?({_CAPITAL_MONTH})(?: ({YEAR}))?(?!\w| \d)",
        time_rules.month_span,
    ),
    ("month_year", rf"(?:({_PART})[ -])?({ANY_MONTH}),? (?:of )?({YEAR})(?!\w)", time_rules.month_year),
    ("part_month", rf"({_PART})[ -]({MONTH})()(?!\w)", time_rules.month_year),
    (
        "ago",
        rf"(?:about |around |almost |nearly |over |like |more than )?({COUNT}) ({UNIT}) (?:ago|back|earlier)\b",
        time_relative.ago,
    ),
    (
        "before_last",
        rf"the (week|weekend|month|year|decade|{WEEKDAY}|{SEASON}) (before last|after next)\b",
        time_relative.before_last,
    ),
    (
        "near_day",
        r"(?:the day before yesterday|the day after tomorrow|the other day|"
        rf"(?:yesterday|tomorrow){_DAY_PART}?|today|tonight|last night|this (?:very )?(?:morning|afternoon|evening))\b",
        time_relative.near_day,
    ),
    (
        "stretch",
        rf"the (?:(last|past|previous|next|coming) ({COUNT}) |past ())({UNIT})\b",
        time_relative.stretch,
    ),
    (
        "near_unit",
        rf"(last|past|this|current|(?<!the )(?:next|coming)) "
        rf"(weekend|week|month|year|decade|century|{WEEKDAY}|{_NEAR_MONTH}|{SEASON}|{HOLIDAY})\b(?!s)",
        time_relative.near_unit,
    ),
    ("weekend", r"(?:over|on|at|during) the ()(weekend)\b", time_relative.weekend),
    (
        "ahead",
        rf"in (?:about |around )?({COUNT}) ({UNIT})(?:' time)?\b|({COUNT}) ({UNIT}) from now\b",
        time_relative.ahead,
    ),
    ("duration", rf"({COUNT})[ -]({UNIT})(?:[ -]old)?\b", time_rules.duration),
    ("season_year", rf"({SEASON})(?: of)?,? ({YEAR})(?!\w)", time_rules.season_year),
    (
        "season",
        rf"(?:in|during|over|since|until|by|through) (?:the )?({SEASON})()\b(?! of\b|,? \d)",
        time_rules.season_year,
    ),
    ("holiday", rf"({HOLIDAY})(?: (?:of )?({YEAR}))?(?!\w)", time_relative.holiday_of),
    ("weekday", rf"({WEEKDAY})({_DAY_PART})?\b", time_relative.weekday),
    ("day_name", r"(?:on|last|this|next) (?-i:(Mon|Tues?|Wed|Thurs?|Thu|Fri)\b)()\.?", time_relative.weekday),
    ("decade", rf"(?:the )?(?:({_PART})[ -])?((?:1\d|20)\d0'?s|['\u2019]\d0s)\b", time_rules.decade),
    ("decade_words", r"the ()((?:twen|thir|for|fif|six|seven|eigh|nine)ties)\b", time_rules.decade),
    ("century", r"(?:the )?(\d{1,2})(?:st|nd|rd|th)[ -]century\b", time_rules.century),
    ("part_year", rf"({_PART})[ -]({YEAR})(?!\w)", time_rules.year),
    (
        "year",
        rf"(?:{_IN}(?: the year)? |[(\u2013,;\u2014]\s?|-)()({YEAR})"
        r"(?![\w%$\u20ac]|[.,:]\d|\s?[-/\u2013\u2014]\s?\d)(?! (?:[a-z]{3,}s|people|men|women|children)\b)",
        time_rules.year,
    ),
    (
        "clock",
        r"(?:at )?(\d{1,2})(?::(\d{2}))?\s?([ap]\.?m)\b\.?|(?:at |by |until |from |around )(\d{1,2}):(\d{2})(?![\d:])|"
        r"(?:at )?(\d{1,2}) o['\u2019]clock\b|(?:at |by |around |before |after |until )(?:noon|midnight|midday)\b",
        time_rules.clock,
    ),
    (
        "month",
        r"(?:in|on|of|since|until|till|by|during|early|late|from|through|throughout|before|after|between|every)"
        rf" ()({_CAPITAL_MONTH})()(?!\w|,? (?:of )?(?:the )?\d)",
        time_rules.month_year,
    ),
    (
        "lower_month",
        rf"(?:in|since|until|during) ()({MONTH})()(?= *(?:[.,;:!?)]|$| i\b| we\b| and\b| with\b))",
        time_rules.month_year,
    ),
    (
        "sure_month",
        r"()((?-i:January|February|July|September|October|November|December))()(?!\w|,? (?:of )?\d)",
        time_rules.month_year,
    ),
)
_RULES = {name: (re.compile(pattern, re.I), rule) for name, pattern, rule in _PATTERNS}
_ANY = re.compile("(?<!\\w)(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern, _ in _PATTERNS) + ")", re.I)
# One of these, or a digit, stands in every expression: most turns name no time, and this tells in a few microseconds.
_TRIGGERS = frozenset(
    (
        "yesterday today tonight tomorrow night morning afternoon evening noon midnight midday ago back earlier "
        "christmas "
        "boxing new halloween valentine thanksgiving easter spring summer fall autumn winter minute minutes min mins "
        "hour "
        "hours hr hrs day days nights evenings week weeks weekend weekends fortnight fortnights month months year "
        "years "
        "yr yrs decade decades century centuries twenties thirties forties fifties sixties seventies eighties nineties "
        "mon tue tues wed thu thur thurs fri " + " ".join((*MONTHS, *WEEKDAYS))
    ).split()
)
_WORDS = re.compile(r"[a-z]{3,}")
_DIGIT = re.compile(r"\d")
_LEAD = re.compile(
    rf"(?:{_IN}(?: the year)?|at|by|over|through|throughout|between|every|every) |[(\u2013,;\u2014-]\s?", re.I
)
_FUTURE = re.compile(
    r"\b(?:will|won't|going to|gonna|plan(?:s|ning)?|hop(?:e|ing) to|can't wait|looking forward|see you|let's|shall|"
    r"want(?:s)? to|would|should|could|scheduled|upcoming|coming up|due|starts|until|by|opens|booked|next)\b|'ll\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?\n]\s")
_BEFORE_CHARS, _AFTER_CHARS = 80, 30


def find_times(text: str, at_us: int | None = None, tz_min: int | None = None) -> list[TimeExpression]:
    """The times that `text` names, in order, none overlapping; at most MAX_TIMES. `at_us`, `tz_min`: when and at which
    UTC offset it was said. Never raises."""
    if _DIGIT.search(text) is None and _TRIGGERS.isdisjoint(_WORDS.findall(text.lower())):
        return []
    now = calendar.moment(at_us, tz_min)
    found: list[tuple[int, int, Meaning]] = []
    for match in _ANY.finditer(text):
        pattern, rule = _RULES[match.lastgroup or ""]
        own = pattern.match(text, match.start())
        meaning = rule(own, Setting(now, _is_future(text, *match.span()))) if own is not None else None
        if own is None or meaning is None:
            continue
        lead = _LEAD.match(text, own.start(), own.end())
        found.append((lead.end() if lead else own.start(), own.end(), meaning))
        if len(found) >= MAX_TIMES:
            break
    offset_us = (tz_min or 0) * MINUTE_US
    return [_expression(text, row, offset_us) for row in _combined(text, found, now)]


def _expression(text: str, row: tuple[int, int, Meaning], offset_us: int) -> TimeExpression:
    start, end, meaning = row
    local = meaning.interval
    interval = (local[0] - offset_us, local[1] - offset_us) if local is not None else None
    return TimeExpression(start, end, text[start:end], interval, meaning.granularity)


def _is_future(text: str, start: int, end: int) -> bool:
    """Whether the clause around speaks of what is to come."""
    before = text[max(0, start - _BEFORE_CHARS) : start]
    ends = list(_SENTENCE_END.finditer(before))
    if ends:
        before = before[ends[-1].end() :]
    after = _SENTENCE_END.split(text[end : end + _AFTER_CHARS], maxsplit=1)[0]
    return _FUTURE.search(before) is not None or _FUTURE.search(after) is not None


_GAP_TO = re.compile(rf"\s?{_TO}\s?(?:the |about )?", re.I)
_GAP_AT = re.compile(r"\s?,?\s?(?:at |around |about |by )?", re.I)
_FROM = re.compile(r"\b(?:from|between)\s+(?:the |about )?\Z", re.I)
_SINCE = re.compile(r"\bsince\s+(?:the |about |around |early |late )?\Z", re.I)
_POINTS = frozenset(("day", "month", "year", "season", "decade", "week", "part"))


def _combined(
    text: str, found: list[tuple[int, int, Meaning]], now: calendar.Moment | None
) -> list[tuple[int, int, Meaning]]:
    """Neighbours that are one time become one: a day and its hour, the two ends of a range, "since" and now."""
    out: list[tuple[int, int, Meaning]] = []
    for row in found:
        joined = _joined(text, out[-1], row) if out else None
        if joined is not None:
            out[-1] = joined
        else:
            out.append(row)
    return [_since(text, row, now) for row in out]


def _joined(
    text: str, first: tuple[int, int, Meaning], second: tuple[int, int, Meaning]
) -> tuple[int, int, Meaning] | None:
    gap, a, b = text[first[1] : second[0]], first[2], second[2]
    if b.granularity in ("hour", "minute") and a.granularity == "day" and _GAP_AT.fullmatch(gap[:20]):
        if a.interval is None or b.interval is None:
            return first[0], second[1], replace(b, interval=a.interval)
        return first[0], second[1], replace(b, interval=time_rules.on_day(a.interval, b.interval))
    if a.granularity not in _POINTS or b.granularity not in _POINTS or not _GAP_TO.fullmatch(gap[:20]):
        return None
    if gap.strip().casefold() in ("to", "and", "until", "till") and not _FROM.search(text, 0, first[0]):
        return None
    start = time_rules.same_year(a, b)
    if start is None or b.interval is None or start[0] >= b.interval[1]:
        return None
    return first[0], second[1], Meaning((start[0], b.interval[1]), "span")


def _since(text: str, row: tuple[int, int, Meaning], now: calendar.Moment | None) -> tuple[int, int, Meaning]:
    """ "since May": from May to the day it was said."""
    start, end, meaning = row
    if now is None or meaning.interval is None or not _SINCE.search(text, max(0, start - 20), start):
        return row
    today = now.us - now.us % DAY_US + DAY_US
    if meaning.interval[0] >= today:
        return row
    return start, end, Meaning((meaning.interval[0], today), "span")
