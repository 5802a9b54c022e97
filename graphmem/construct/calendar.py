"""Calendar arithmetic on local time: intervals of days, weeks, months, seasons, years; and how a person says them.

Local time is microseconds since 1970-01-01 on the wall clock of the source's own UTC offset. Intervals are half-open.
Weeks begin on Monday; seasons are the northern ones, winter being December to February, named by the year it begins in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

Interval = tuple[int, int]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
#: First and last hour of the parts of a day; a night reaches into the next morning.
DAY_PARTS = {"morning": (5, 12), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}


@dataclass(frozen=True, slots=True)
class Moment:
    """The wall clock of a reference time: `day` is its proleptic ordinal, `us` the local time."""

    us: int
    day: int

    @property
    def date(self) -> date:
        return date.fromordinal(self.day)


def moment(at_us: int | None, tz_min: int | None) -> Moment | None:
    """None when the time is unknown or outside the calendar (years 1 to 9999)."""
    if at_us is None:
        return None
    local = at_us + (tz_min or 0) * MINUTE_US
    day = local // DAY_US + _EPOCH
    return Moment(local, day) if _FIRST_DAY < day < _LAST_DAY else None


def day(year: int, month: int, number: int) -> Interval | None:
    """None for a day that does not exist."""
    try:
        return days(date(year, month, number).toordinal(), 1)
    except ValueError:
        return None


def days(first: int, count: int) -> Interval | None:
    """`count` days from the one with ordinal `first`; None outside the calendar."""
    if first < _FIRST_DAY or first + count > _LAST_DAY:
        return None
    start = (first - _EPOCH) * DAY_US
    return start, start + count * DAY_US


def months(year: int, month: int, count: int = 1) -> Interval | None:
    """`count` whole months from this one; `month` may lie outside 1..12 and then counts into other years."""
    first, last = _month_start(year, month), _month_start(year, month + count)
    return None if first is None or last is None else ((first - _EPOCH) * DAY_US, (last - _EPOCH) * DAY_US)


def _month_start(year: int, month: int) -> int | None:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, 1).toordinal() if 1 <= year <= 9999 else None


def years(year: int, count: int = 1) -> Interval | None:
    return months(year, 1, 12 * count)


def season(year: int, name: str) -> Interval | None:
    return months(year, SEASONS[name], 3)


def week(ordinal: int) -> Interval | None:
    """The week, Monday to Sunday, that a day lies in."""
    return days(ordinal - (ordinal - 1) % 7, 7)


def weekend(ordinal: int) -> Interval | None:
    """Saturday and Sunday of the week that a day lies in."""
    return days(ordinal - (ordinal - 1) % 7 + 5, 2)


def part_of(interval: Interval, name: str) -> Interval:
    """The early, middle or late third; the morning to night of a day."""
    start, end = interval
    if name in DAY_PARTS:
        first, last = DAY_PARTS[name]
        return start + first * HOUR_US, start + last * HOUR_US
    whole_days = (end - start) // DAY_US
    first, last = whole_days // 3, whole_days - whole_days // 3
    if name == "early":
        return start, start + max(1, first) * DAY_US
    if name == "late":
        return start + min(last, whole_days - 1) * DAY_US, end
    return start + first * DAY_US, start + max(first + 1, last) * DAY_US


def easter(year: int) -> int:
    """Ordinal of Easter Sunday, Gregorian (the anonymous algorithm, Nature 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    f = (b + 8) // 25
    h = (19 * a + b - d - (b - f + 1) // 3 + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, number = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, number + 1).toordinal()


def thanksgiving(year: int) -> int:
    """Ordinal of the fourth Thursday of November (United States)."""
    first = date(year, 11, 1)
    return (first + timedelta((3 - first.weekday()) % 7 + 21)).toordinal()


def spoken(interval: Interval, granularity: str, *, tz_min: int | None = None) -> str:  # noqa: PLR0911 a table in the shape of returns
    """The interval (microseconds UTC) as a person says it at that offset: "7 May 2023", "May 2023", "the week of 1 May
    2023", "2022"; "between 1 May 2023 and 5 May 2023" where the words were vague."""
    start, end = moment(interval[0], tz_min), moment(interval[1] - 1, tz_min)
    if start is None or end is None:
        return ""
    first, last = start.date, end.date
    if granularity in ("minute", "hour"):
        minutes = start.us % DAY_US // MINUTE_US
        return f"{_day(first)}, {minutes // 60}:{minutes % 60:02d}"
    if granularity == "part":
        hour = start.us % DAY_US // HOUR_US
        name = next((name for name, (begins, _) in DAY_PARTS.items() if begins == hour), "")
        return f"{_day(first)}, {name}" if name else _day(first)
    if granularity == "day" or first == last:
        return _day(first)
    if granularity in ("week", "weekend"):
        return f"the {granularity} of {_day(first)}"
    if granularity == "season":
        name = next((name for name, month in SEASONS.items() if month == first.month and name != "fall"), "")
        return f"{name} {first.year}"
    if granularity == "century":
        return f"the {_ordinal(last.year // 100)} century"
    return _wide(first, last, granularity)


def _wide(first: date, last: date, granularity: str) -> str:
    after = last + timedelta(1) if last < date.max else last
    if first.day == after.day == 1 and first.month == after.month == 1:
        if after.year - first.year == 1:
            return str(first.year)
        if granularity == "decade":
            return f"the {first.year}s"
        return f"{first.year} to {last.year}"
    if first.day == after.day == 1:
        if (after.year - first.year) * 12 + after.month - first.month == 1:
            return f"{_MONTH[first.month]} {first.year}"
        return f"{_MONTH[first.month]} {first.year} to {_MONTH[last.month]} {last.year}"
    return f"between {_day(first)} and {_day(last)}"


_MONTH = ("", *(name.title() for name in MONTHS))


def _day(value: date) -> str:
    return f"{value.day} {_MONTH[value.month]} {value.year}"


def _ordinal(number: int) -> str:
    tail = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{tail}"
