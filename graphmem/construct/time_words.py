"""The vocabulary of times: numbers, units, months, holidays, as pattern pieces and tables."""

from __future__ import annotations

from graphmem.construct import calendar
from graphmem.construct.calendar import MONTHS, WEEKDAYS, Interval

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
NUMBERS: dict[str, int] = {word: number for number, word in enumerate(_ONES.split(), 1)}
NUMBERS |= {"eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "a": 1, "an": 1}
#: Vague counts: least and most.
VAGUE: dict[str, tuple[int, int]] = {
    "a couple of": (2, 3), "a couple": (2, 3), "couple of": (2, 3), "couple": (2, 3),
    "a few": (2, 5), "few": (2, 5), "several": (3, 7), "some": (2, 7), "many": (5, 30),
}  # fmt: skip
UNITS: dict[str, str] = {
    "minute": "minute", "min": "minute", "hour": "hour", "hr": "hour", "day": "day", "night": "day", "evening": "day",
    "week": "week", "weekend": "week", "fortnight": "fortnight", "month": "month", "year": "year", "yr": "year",
    "decade": "decade", "century": "century", "centurie": "century",
}  # fmt: skip
MONTH_NUMBER: dict[str, int] = {name: number for number, name in enumerate(MONTHS, 1)}
MONTH_NUMBER |= {name[:3]: number for number, name in enumerate(MONTHS, 1)} | {"sept": 9}
WEEKDAY_NUMBER = {name: number for number, name in enumerate(WEEKDAYS)}
WEEKDAY_NUMBER |= {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4}
DECADE_WORDS = {
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70, "eighties": 80,
    "nineties": 90,
}  # fmt: skip

COUNT = (
    r"(?:\d{1,4}|(?:a )?couple(?: of)?|(?:a )?few|several|some|many|an?|"
    + "|".join(sorted((word for word in NUMBERS if len(word) > 2), key=len, reverse=True))
    + ")"
)
UNIT = r"(?:minutes?|mins?|hours?|hrs?|days?|nights?|evenings?|weekends?|weeks?|fortnights?|months?|years?|yrs?|decades?|centur(?:y|ies))"  # noqa: E501
MONTH = "(?:" + "|".join(MONTHS) + ")"
#: Abbreviated months stand only beside a day or a year: "Mar", "Jan" and "Dec" are names and words as well.
ANY_MONTH = r"(?:" + "|".join(MONTHS) + r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
WEEKDAY = "(?:" + "|".join(WEEKDAYS) + ")"
SEASON = "(?:spring|summer|fall|autumn|winter)"
YEAR = r"(?:1[0-9]{3}|20[0-9]{2})"
NTH = r"(?:[0-3]?\d)(?:st|nd|rd|th)?"
HOLIDAY = (
    r"(?:christmas(?: day| eve)?|boxing day|new year'?s?(?: day| eve)|new year'?s|halloween|valentine'?s day|"
    r"thanksgiving(?: day)?|easter(?: sunday)?)"
)


def count_of(words: str) -> tuple[int, int]:
    """Least and most of a count in words or digits; the two are equal when it is exact."""
    folded = " ".join(words.casefold().split())
    if folded.isdigit():
        return int(folded), int(folded)
    if folded in VAGUE:
        return VAGUE[folded]
    number = NUMBERS.get(folded, 1)
    return number, number


def unit_of(word: str) -> str:
    """The unit in the singular; "fortnight" and the nights count as what they are made of."""
    folded = word.casefold()
    return UNITS.get(folded) or UNITS.get(folded.removesuffix("s")) or "century"


def holiday(words: str, year: int) -> Interval | None:
    """The day of a holiday in a year, Christmas and New Year with the days that go with them."""
    name = words.casefold().replace("'", "").replace("\u2019", "")
    if not 1 <= year <= 9998:
        return None
    if name.startswith("christmas"):
        return calendar.day(year, 12, 24 if name.endswith("eve") else 25)
    if name.startswith("new year"):
        return calendar.day(year, 12, 31) if name.endswith("eve") else calendar.day(year, 1, 1)
    fixed = {"boxing day": (12, 26), "halloween": (10, 31), "valentines day": (2, 14)}
    if name in fixed:
        return calendar.day(year, *fixed[name])
    if name.startswith("thanksgiving"):
        return calendar.days(calendar.thanksgiving(year), 1)
    return calendar.days(calendar.easter(year), 1)
