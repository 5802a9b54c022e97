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
    SEASON,
    WEEKDAY_NUMBER,
    count_of,
    holiday,
    unit_of,
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
        found = _near(setting, lambda candidate: _days_in(candidate, month, number, until))
    else:
        found = _days_in(int(year), month, number, until)
    return Meaning(found, "day" if until == number else "span", month, number, year is None)


def month_span(match: re.Match[str], setting: Setting) -> Meaning | None:
    """May to July 2020; November to March 2020 begins the year before."""
    first, last = MONTH_NUMBER[match[1].casefold()], MONTH_NUMBER[match[3].casefold()]
    count = (last - first) % 12 + 1
    if match[4] is None and match[2] is None:
        return Meaning(_near(setting, lambda year: calendar.months(year, first, count)), "span")
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
        found = _near(setting, lambda year: calendar.months(year, month))
    else:
        found = calendar.months(int(match[3]), month)
    if not match[1]:
        return Meaning(found, "month", month, 0, not match[3])
    return Meaning(calendar.part_of(found, _third(match[1])) if found else None, "days")


def season_year(match: re.Match[str], setting: Setting) -> Meaning | None:
    name = match[1].casefold()
    if not match[2]:
        return Meaning(_near(setting, lambda year: calendar.season(year, name)), "season")
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


def ago(match: re.Match[str], setting: Setting) -> Meaning | None:
    least, most = count_of(match[1])
    return _shifted(setting.now, -most, -least, unit_of(match[2]))


def ahead(match: re.Match[str], setting: Setting) -> Meaning | None:
    least, most = count_of(match[1] or match[3])
    return _shifted(setting.now, least, most, unit_of(match[2] or match[4]))


def _shifted(now: Moment | None, least: int, most: int, unit: str) -> Meaning | None:
    """`least` to `most` units from now: whole days, a week around the day, calendar months and years."""
    wide = least != most
    if unit in ("minute", "hour"):
        if now is None:
            return Meaning(None, unit)
        size = MINUTE_US if unit == "minute" else HOUR_US
        start = now.us + least * size
        return Meaning((start - start % size, now.us + most * size + size), unit)
    granularity = {"week": "days", "fortnight": "days", "century": "span"}.get(unit, unit)
    if now is None:
        return Meaning(None, "days" if wide else granularity)
    if unit == "day":
        return Meaning(calendar.days(now.day + least, most - least + 1), "days" if wide else "day")
    if unit in ("week", "fortnight"):
        size = 7 if unit == "week" else 14
        return Meaning(calendar.days(now.day + least * size - 3, (most - least) * size + 7), "days")
    date = now.date
    if unit == "month":
        found = calendar.months(date.year, date.month + least, most - least + 1)
        return Meaning(found, "span" if wide else "month")
    size = {"year": 1, "decade": 10, "century": 100}[unit]
    if unit == "year":
        return Meaning(calendar.years(date.year + least, most - least + 1), "span" if wide else "year")
    return Meaning(calendar.years(date.year + least * size - size // 2, (most - least + 1) * size), "span")


def stretch(match: re.Match[str], setting: Setting) -> Meaning | None:
    """ "the past three years", "the next few days": from now back, or on."""
    least, most = count_of(match[2] or "one")
    unit, now = unit_of(match[4]), setting.now
    if now is None:
        return Meaning(None, "span")
    lengths = {"minute": 1, "hour": 1, "day": 1, "week": 7, "fortnight": 14, "month": 30, "year": 365, "decade": 3652}
    count = max(least, most) * lengths.get(unit, 36525)
    back = (match[1] or "past").casefold() in ("last", "past", "previous")
    found = calendar.days(now.day - count if back else now.day, count + 1)
    return Meaning(found, "span")


def duration(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    return Meaning(None, "duration")


def near_day(match: re.Match[str], setting: Setting) -> Meaning | None:
    """today, yesterday, tomorrow, tonight, last night, this morning, the day before yesterday, the other day."""
    words, now = " ".join(match.group().casefold().replace("-", " ").split()), setting.now
    part = next((part for part in ("morning", "afternoon", "evening", "night") if words.endswith(part)), "")
    granularity = "days" if words == "the other day" else "part" if part else "day"
    if now is None:
        return Meaning(None, granularity)
    if words == "the other day":
        return Meaning(calendar.days(now.day - 7, 6), granularity)
    shift = 0
    if "before yesterday" in words:
        shift = -2
    elif "after tomorrow" in words:
        shift = 2
    elif "yesterday" in words or words.startswith("last"):
        shift = -1
    elif "tomorrow" in words:
        shift = 1
    found = calendar.days(now.day + shift, 1)
    return Meaning(calendar.part_of(found, part) if part and found else found, granularity)


def near_unit(match: re.Match[str], setting: Setting) -> Meaning | None:
    """last week, this summer, next Friday, last May, this Christmas."""
    step = {"this": 0, "current": 0, "next": 1, "coming": 1, "following": 1}.get(match[1].casefold(), -1)
    unit = match[2].casefold()
    granularity = "month" if unit in MONTH_NUMBER else "season" if re.fullmatch(SEASON, unit) else unit
    granularity = "day" if unit in WEEKDAY_NUMBER else granularity
    now = setting.now
    if granularity not in ("month", "season", "day", "week", "weekend", "year", "decade", "century"):
        granularity = "day"
        if now is None:
            return Meaning(None, granularity)
        return Meaning(_nth(lambda year: holiday(unit, year), now, step), granularity)
    if now is None:
        return Meaning(None, granularity)
    if unit in WEEKDAY_NUMBER:
        return Meaning(calendar.days(_weekday(now.day, WEEKDAY_NUMBER[unit], step, setting.is_future), 1), granularity)
    if unit in MONTH_NUMBER:
        return Meaning(_nth(lambda year: calendar.months(year, MONTH_NUMBER[unit]), now, step), granularity)
    if granularity == "season":
        return Meaning(_nth(lambda year: calendar.season(year, unit), now, step), granularity)
    return Meaning(_unit(now, unit, step), granularity)


def _unit(now: Moment, unit: str, step: int) -> Interval | None:
    date = now.date
    if unit == "week":
        return calendar.week(now.day + 7 * step)
    if unit == "weekend":
        return calendar.weekend(now.day + 7 * step)
    if unit == "month":
        return calendar.months(date.year, date.month + step)
    if unit == "year":
        return calendar.years(date.year + step)
    size = 10 if unit == "decade" else 100
    return calendar.years(date.year // size * size + step * size, size)


def weekend(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: ARG001
    """ "over the weekend": the last one, or the coming one when the tense says so; on a Saturday it is this one."""
    if setting.now is None:
        return Meaning(None, "weekend")
    this = calendar.weekend(setting.now.day)
    if setting.is_future or (this is not None and this[0] <= setting.now.us):
        return Meaning(this, "weekend")
    return Meaning(calendar.weekend(setting.now.day - 7), "weekend")


def before_last(match: re.Match[str], setting: Setting) -> Meaning | None:
    """the week before last, the weekend after next."""
    unit, step = match[1].casefold(), -2 if match[2].casefold().startswith("before") else 2
    now = setting.now
    if unit in WEEKDAY_NUMBER:
        shift = 7 if step > 0 else -7
        found = (
            calendar.days(_weekday(now.day, WEEKDAY_NUMBER[unit], step // 2, False) + shift, 1)
            if now is not None
            else None
        )
        return Meaning(found, "day")
    if re.fullmatch(SEASON, unit):
        return Meaning(_nth(lambda year: calendar.season(year, unit), now, step) if now else None, "season")
    return Meaning(_unit(now, unit, step) if now is not None else None, unit)


def weekday(match: re.Match[str], setting: Setting) -> Meaning | None:
    """A weekday alone: the next one when the words around speak of what is to come, else the last one."""
    part = (match[2] or "").casefold().strip()
    if setting.now is None:
        return Meaning(None, "part" if part else "day")
    ordinal = _weekday(
        setting.now.day, WEEKDAY_NUMBER[match[1].casefold().rstrip(".")], 1 if setting.is_future else -1, False
    )
    found = calendar.days(ordinal, 1)
    return Meaning(calendar.part_of(found, part) if part and found else found, "part" if part else "day")


def _weekday(today: int, number: int, step: int, is_future: bool) -> int:
    """The weekday strictly before (-1) or after (1) today; of this week (0), else the one that the tense asks for."""
    shift = (number - (today - 1) % 7) % 7
    if step == 0:
        return today + shift if is_future or shift == 0 else today - (today - 1) % 7 + number
    return today + (shift or 7) if step > 0 else today + shift - 7


def holiday_of(match: re.Match[str], setting: Setting) -> Meaning | None:
    if match[2] is not None:
        return Meaning(holiday(match[1], int(match[2])), "day")
    return Meaning(_near(setting, lambda year: holiday(match[1], year)), "day")


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


def _near(setting: Setting, of_year: Callable[[int], Interval | None]) -> Interval | None:
    """Without a year: the last one that has begun, or the next one that has not ended when the tense says so."""
    if setting.now is None:
        return None
    this_year, now = setting.now.date.year, setting.now.us
    found = [interval for step in (-1, 0, 1) if (interval := of_year(this_year + step)) is not None]
    if setting.is_future:
        return next((interval for interval in found if interval[1] > now), None)
    return next((interval for interval in reversed(found) if interval[0] <= now), None)


def _nth(of_year: Callable[[int], Interval | None], now: Moment, step: int) -> Interval | None:
    """last: the latest that has ended; next: the earliest that has not begun; this: that of the year."""
    this_year = now.date.year
    found = [interval for shift in (-2, -1, 0, 1, 2) if (interval := of_year(this_year + shift)) is not None]
    if step == 0:
        current = [interval for interval in found if interval[0] <= now.us < interval[1]]
        return current[0] if current else of_year(this_year)
    if step < 0:
        ended = [interval for interval in found if interval[1] <= now.us]
        return ended[step] if len(ended) >= -step else None
    coming = [interval for interval in found if interval[0] > now.us]
    return coming[step - 1] if len(coming) >= step else None


def _third(words: str) -> str:
    first = words.casefold().split("-")[0].split()[0]
    return {"early": "early", "beginning": "early", "start": "early", "late": "late", "end": "late"}.get(
        first, "middle"
    )


def _digits(text: str) -> int:
    return int("".join(char for char in text if char.isdigit()))
