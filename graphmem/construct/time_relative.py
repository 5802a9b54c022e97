"""What relative expressions mean: yesterday, two weeks ago, last summer, next Friday. See `time_rules`."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphmem.construct import calendar
from graphmem.construct.calendar import HOUR_US, MINUTE_US, Interval, Moment
from graphmem.construct.time_rules import Meaning, Setting, near
from graphmem.construct.time_words import MONTH_NUMBER, SEASON, WEEKDAY_NUMBER, count_of, holiday, unit_of


def ago(match: re.Match[str], setting: Setting) -> Meaning | None:
    least, most = count_of(match[1])
    return _shifted(setting.now, -most, -least, unit_of(match[2]))


def ahead(match: re.Match[str], setting: Setting) -> Meaning | None:
    least, most = count_of(match[1] or match[3])
    return _shifted(setting.now, least, most, unit_of(match[2] or match[4]))


def _shifted(now: Moment | None, least: int, most: int, unit: str) -> Meaning | None:  # noqa: PLR0911 a table in the shape of returns
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


def near_unit(match: re.Match[str], setting: Setting) -> Meaning | None:  # noqa: PLR0911 a table in the shape of returns
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
        return Meaning(
            calendar.days(_weekday(now.day, WEEKDAY_NUMBER[unit], step, is_future=setting.is_future), 1), granularity
        )
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
    granularity = "day" if unit in WEEKDAY_NUMBER else "season" if re.fullmatch(SEASON, unit) else unit
    now = setting.now
    if now is None:
        return Meaning(None, granularity)
    if granularity == "day":
        nearest = _weekday(now.day, WEEKDAY_NUMBER[unit], step // 2, is_future=False)
        return Meaning(calendar.days(nearest + 7 * step // 2, 1), "day")
    if granularity == "season":
        return Meaning(_nth(lambda year: calendar.season(year, unit), now, step), "season")
    return Meaning(_unit(now, unit, step), unit)


def weekday(match: re.Match[str], setting: Setting) -> Meaning | None:
    """A weekday alone: the next one when the words around speak of what is to come, else the last one."""
    part = (match[2] or "").casefold().strip()
    if setting.now is None:
        return Meaning(None, "part" if part else "day")
    ordinal = _weekday(
        setting.now.day,
        WEEKDAY_NUMBER[match[1].casefold().rstrip(".")],
        1 if setting.is_future else -1,
        is_future=False,
    )
    found = calendar.days(ordinal, 1)
    return Meaning(calendar.part_of(found, part) if part and found else found, "part" if part else "day")


def _weekday(today: int, number: int, step: int, *, is_future: bool) -> int:
    """The weekday strictly before (-1) or after (1) today; of this week (0), else the one that the tense asks for."""
    shift = (number - (today - 1) % 7) % 7
    if step == 0:
        return today + shift if is_future or shift == 0 else today - (today - 1) % 7 + number
    return today + (shift or 7) if step > 0 else today + shift - 7


def holiday_of(match: re.Match[str], setting: Setting) -> Meaning | None:
    if match[2] is not None:
        return Meaning(holiday(match[1], int(match[2])), "day")
    return Meaning(near(setting, lambda year: holiday(match[1], year)), "day")


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
