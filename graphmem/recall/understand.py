"""What a question asks: words, names, months and intervals, whether it asks for a time or a guess. No model, no
store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from graphmem.analysis import STOP_WORDS, terms
from graphmem.schema import fold

MAX_NAME_WORDS = 8
MAX_LOWER_WORDS = 3  # of a name that is not written in capitals
MAX_NAMES = 150
MAX_WORDS = 200  # of a question; the rest of a longer text is not looked up as names

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WORD = re.compile(r"\w+(?:['\u2019.&/-]\w+)*")
_POSSESSIVE = re.compile(r"['\u2019]s$")
_WHEN = re.compile(r"\s*(?:when|how long|what (?:date|year|month|day|time)|which (?:date|year|month|day))\b", re.I)
_GUESS = re.compile(r"\b(?:would|might|likely|probably)\b", re.I)
_MONTH = re.compile(rf"\b({'|'.join(MONTHS)})\b", re.I)
_MAY = re.compile(r"\b(?:in|on|of|since|until|during|last|this|\d+(?:st|nd|rd|th)?) may\b|\bmay (?:\d|of)", re.I)
_DAY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?\b(?!\d)")
_YEAR = re.compile(r"\b((?:19|20)\d{2})\b")
_AGO = re.compile(r"\b(\d{1,3}|a|one|two|three) (day|week|month|year)s? ago\b", re.I)
_LAST = re.compile(r"\b(?:last|past|this) (week|month|year)\b", re.I)
_SMALL = {"a": 1, "one": 1, "two": 2, "three": 3}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True, slots=True)
class Name:
    """A run of words that may be a name: its place in the question, and the key it is looked up by."""

    start: int
    end: int
    folded: str
    words: int
    capital: bool  # its first and its last word start with an upper-case letter or a digit


@dataclass(frozen=True, slots=True)
class Dates:
    """Calendar words of a question: months 1..12, days of month, years; `interval_us` for one month of
    one year, and for relative ones."""

    months: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    years: tuple[int, ...] = ()
    interval_us: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.months or self.interval_us)


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    names: tuple[Name, ...]
    dates: Dates
    asks_when: bool
    now_us: int | None = None
    asks_guess: bool = False  # what would be, not what was told


def understand(text: str, now_us: int | None = None) -> Question:
    """Reads the question's text alone. O(words x MAX_NAME_WORDS). Relative times need `now_us`."""
    when, guess = bool(_WHEN.match(text)), bool(_GUESS.search(text))
    return Question(text, names_in(text), dates_in(text, now_us), when, now_us, guess)


def names_in(text: str) -> tuple[Name, ...]:
    """Word runs that may be names, longest first, then from left to right; runs of stop words alone are left out."""
    words = [(m.start(), _end(m)) for m in _WORD.finditer(text)][:MAX_WORDS]
    capital = [text[start].isupper() or text[start].isdigit() for start, _ in words]
    empty = [text[start:end].casefold() in STOP_WORDS for start, end in words]
    found = []
    for size in range(min(MAX_NAME_WORDS, len(words)), 0, -1):
        for first in range(len(words) - size + 1):
            last = first + size - 1
            named = capital[first] and capital[last]
            if (size > MAX_LOWER_WORDS and not named) or all(empty[first : last + 1]):
                continue
            start, end = words[first][0], words[last][1]
            found.append(Name(start, end, fold(text[start:end]), size, named))
    if len(found) > MAX_NAMES:
        found = sorted(found, key=lambda name: (not name.capital, -name.words, name.start))[:MAX_NAMES]
        found.sort(key=lambda name: (-name.words, name.start))
    return tuple(found)


def _end(match: re.Match[str]) -> int:
    possessive = _POSSESSIVE.search(match.group())
    return match.start() + possessive.start() if possessive else match.end()


def dates_in(text: str, now_us: int | None) -> Dates:
    months = tuple(
        MONTHS.index(found.lower()) + 1 for found in _MONTH.findall(text) if found.lower() != "may" or _MAY.search(text)
    )
    years = tuple(int(year) for year in _YEAR.findall(text))
    days = tuple(int(day) for day in _DAY.findall(_YEAR.sub(" ", text)) if 1 <= int(day) <= 31) if months else ()
    interval = relative_interval(text, now_us) if now_us is not None else None
    if interval is None and len(months) == len(years) == 1:
        interval = month_interval(years[0], months[0])
    return Dates(months, days, years, interval)


def month_interval(year: int, month: int) -> tuple[int, int]:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc)
    return _interval(datetime(year, month, 1, tzinfo=timezone.utc), following)


def relative_interval(text: str, now_us: int) -> tuple[int, int] | None:
    """The half-open interval that 'yesterday' or 'two months ago' names, wide where the words are vague."""
    now = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=now_us)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if re.search(r"\btoday\b", text, re.I):
        return _interval(today, today + timedelta(days=1))
    if re.search(r"\byesterday\b", text, re.I):
        return _interval(today - timedelta(days=1), today)
    if ago := _AGO.search(text):
        count = _SMALL.get(ago.group(1).lower()) or int(ago.group(1))
        unit = _UNIT_DAYS[ago.group(2).lower()]
        middle, slack = today - timedelta(days=count * unit), timedelta(days=max(1, unit // 2))
        return _interval(middle - slack, middle + slack)
    if last := _LAST.search(text):
        unit = _UNIT_DAYS[last.group(1).lower()]
        return _interval(today - timedelta(days=unit + unit // 2), today + timedelta(days=1))
    return None


def _interval(start: datetime, end: datetime) -> tuple[int, int]:
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    microsecond = timedelta(microseconds=1)
    return (start - epoch) // microsecond, (end - epoch) // microsecond


def spoken_by_me(text: str, people: tuple[Name, ...]) -> str:
    """The question as the person asked about would put it: their name becomes I, their possessive my.

    A name in a dialogue mostly stands in turns of the other side. On LoCoMo this lifts dense recall@10 from 47 to 67.
    """
    out, at = [], 0
    for name in sorted(people, key=lambda name: name.start):
        possessive = text[name.end : name.end + 2].lower() in ("'s", "\u2019s")
        out += [text[at : name.start], "my" if possessive else "I"]
        at = name.end + 2 * possessive
    return "".join([*out, text[at:]])


def search_terms(text: str, people: tuple[Name, ...]) -> list[str]:
    """Distinct terms for full-text search, the names of speakers left out (unless nothing else is left)."""
    kept, at = [], 0
    for name in sorted(people, key=lambda name: name.start):
        kept.append(text[at : name.start])
        at = name.end
    rest = " ".join([*kept, text[at:]])
    return list(dict.fromkeys(terms(rest) or terms(text)))
