"""What each expression of time means: one small rule a pattern, from the words and the reference to an interval.

A rule returns None when the words are no time after all, else a `Meaning`; its interval is None when the time is
relative and no reference is known, or when the date does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from graphmem.construct import calendar
from graphmem.construct.calendar import DAY_US, HOUR_US, MINUTE_US, Interval, Moment
from graphmem.construct.time_words import (
    DECADE_WORDS,
    MONTH_NUMBER,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`month`, `day` are kept when the words name no year: a range's other end may name it."""

    interval: Interval | None
    granularity: str
    month: int = 0
    day: int = 0
    needs_year: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """The reference time, and whether the words around speak of what is to come."""

    now: Moment | None
    is_future: bool


Rule = Callable[[re.Match[str], Setting], Meaning | None]


def iso(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    found = calendar.day(int(match[1]), int(match[2]), int(match[3]))
    if found is None or match[4] is None:
        return Meaning(found, "day")
    hour, minute = int(match[4]), int(match[5])
    return Meaning(_clock(found, hour, minute, 1), "minute") if hour < 24 and minute < 60 else Meaning(found, "day")


def numeric(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    """3/4/2021 is March 4th, as in the United States; 13/4/2021 can only be the 13th; 3.4.2021 is the 3rd of April."""
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12:
        first, second = second, first
    return Meaning(calendar.day(year, first, second), "day")


def day_month(match: re.Match[str], setting: Setting) -> Meaning | None:
    return _day_of_month(match[1], match[2], match[3], match[4], setting)


def month_day(match: re.Match[str], setting: Setting) -> Meaning | None:
    return _day_of_month(match[2], match[3], match[1], match[4], setting)


def _day_of_month(first: str, last: str | None, name: str, year: str | None, setting: Setting) -> Meaning | None:
    month, number = MONTH_NUMBER[name.casefold().rstrip(".")], _digits(first)
    until = _digits(last) if last else number
    if not 1 <= number <= 31 or until < number:
        return None
    if name in _VERBS and year is None and first.isdigit():
        return None
    if year is None:
        found = near(setting, lambda candidate: _days_in(candidate, month, number, until))
    else:
        found = _days_in(int(year), month, number, until)
    return Meaning(found, "day" if until == number else "span", month, number, year is None)


def month_span(match: re.Match[str], setting: Setting) -> Meaning | None:
    """May to July 2020; November to March 2020 begins the year before."""
    first, last = MONTH_NUMBER[match[1].casefold()], MONTH_NUMBER[match[3].casefold()]
    count = (last - first) % 12 + 1
    if match[4] is None and match[2] is None:
        return Meaning(near(setting, lambda year: calendar.months(year, first, count)), "span")
    if match[4] is None:
        return Meaning(calendar.months(int(match[2]), first, count), "span")
    year = int(match[4])
    start = int(match[2]) if match[2] is not None else year - (first > last)
    count = (year - start) * 12 + last - first + 1
    return Meaning(calendar.months(start, first, count), "span") if count > 0 else None


def same_year(first: Meaning, second: Meaning) -> Interval | None:
    """The first end of a range, in the year that only the second end names ("from May 3 to 5 July 2020")."""
    if not first.needs_year or second.needs_year or second.interval is None:
        return first.interval
    ends = calendar.moment(second.interval[0], 0)
    if ends is None:
        return first.interval
    for year in (ends.date.year, ends.date.year - 1):
        found = calendar.day(year, first.month, first.day) if first.day else calendar.months(year, first.month)
        if found is not None and found[0] < second.interval[1]:
            return found
    return None


#: In lower case and beside a bare number these are verbs: "3 may go", "may 5 of us".
_VERBS = frozenset(("may", "march", "mar"))


def _days_in(year: int, month: int, first: int, last: int) -> Interval | None:
    start, end = calendar.day(year, month, first), calendar.day(year, month, last)
    return None if start is None or end is None else (start[0], end[1])


def month_year(match: re.Match[str], setting: Setting) -> Meaning | None:
    month = MONTH_NUMBER[match[2].casefold().rstrip(".")]
    if not match[3]:
        found = near(setting, lambda year: calendar.months(year, month))
    else:
        found = calendar.months(int(match[3]), month)
    if not match[1]:
        return Meaning(found, "month", month, 0, not match[3])
    return Meaning(calendar.part_of(found, _third(match[1])) if found else None, "days")


def season_year(match: re.Match[str], setting: Setting) -> Meaning | None:
    name = match[1].casefold()
    if not match[2]:
        return Meaning(near(setting, lambda year: calendar.season(year, name)), "season")
    return Meaning(calendar.season(int(match[2]), name), "season")


def year(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    found = calendar.years(int(match[2]))
    if not match[1] or found is None:
        return Meaning(found, "year")
    month = {"early": 1, "middle": 5, "late": 9}[_third(match[1])]
    return Meaning(calendar.months(int(match[2]), month, 4), "span")


def year_span(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    first, last = int(match[1]), match[2]
    until = int(last) if len(last) == 4 else first // 100 * 100 + int(last)
    return Meaning(calendar.years(first, until - first + 1), "span") if until > first else None


def decade(match: re.Match[str], setting: Setting) -> Meaning | None:
    words = match[2].casefold().lstrip("'\u2019")
    if words in DECADE_WORDS or len(words) == 3:
        number = DECADE_WORDS.get(words) if words in DECADE_WORDS else int(words[:2])
        century = 2000 if setting.now is not None and 2000 + (number or 0) < setting.now.date.year - 9 else 1900
        first = (century if number is not None and number < 30 else 1900) + (number or 0)
    else:
        first = int(words[:4])
    found = calendar.years(first, 100 if first % 100 == 0 and first < 2000 else 10)
    if not match[1] or found is None:
        return Meaning(found, "decade")
    return Meaning(calendar.part_of(found, _third(match[1])), "span")


def century(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    number = int(match[1])
    return Meaning(calendar.years((number - 1) * 100 + 1, 100), "century") if 1 <= number <= 30 else None


def duration(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    return Meaning(None, "duration")


def clock(match: re.Match[str], setting: Setting) -> Meaning | None:
    """5 pm, 17:30, noon: on the day of the reference, until a day beside it says otherwise."""
    words = match.group().casefold()
    if "noon" in words or "midday" in words:
        hour, minute = 12, 0
    elif "midnight" in words:
        hour, minute = 0, 0
    else:
        hour, minute = int(match[1] or match[4] or match[6]), int(match[2] or match[5] or 0)
        half = (match[3] or "").casefold()[:1]
        if half and not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half == "p") if half else hour
    if hour > 23 or minute > 59:
        return None
    found = calendar.days(setting.now.day, 1) if setting.now is not None else None
    granularity = "minute" if minute else "hour"
    return Meaning(_clock(found, hour, minute, 1 if minute else 60) if found else None, granularity)


def _clock(day: Interval, hour: int, minute: int, minutes: int) -> Interval:
    start = day[0] + hour * HOUR_US + minute * MINUTE_US
    return start, start + minutes * MINUTE_US


def on_day(day: Interval, time_of_day: Interval) -> Interval:
    """A time of day moved to another day."""
    shift = day[0] - time_of_day[0] // DAY_US * DAY_US
    return time_of_day[0] + shift, time_of_day[1] + shift


def near(setting: Setting, of_year: Callable[[int], Interval | None]) -> Interval | None:
    """Without a year: the last one that has begun, or the next one that has not ended when the tense says so."""
    if setting.now is None:
        return None
    this_year, now = setting.now.date.year, setting.now.us
    found = [interval for step in (-1, 0, 1) if (interval := of_year(this_year + step)) is not None]
    if setting.is_future:
        return next((interval for interval in found if interval[1] > now), None)
    return next((interval for interval in reversed(found) if interval[0] <= now), None)


def _third(words: str) -> str:
    first = words.casefold().split("-")[0].split()[0]
    return {"early": "early", "beginning": "early", "start": "early", "late": "late", "end": "late"}.get(
        first, "middle"
    )


def _digits(text: str) -> int:
    return int("".join(char for char in text if char.isdigit()))
