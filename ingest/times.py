"""Times as chats and documents write them, to microseconds UTC and the offset that was written.

Accepted: ISO 8601 with or without offset; seconds, milliseconds or microseconds since 1970 (told apart by size), as a
number or as digits; "1:56 pm on 8 May, 2023". No offset: taken as UTC, and the offset is None.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

from graphmem.schema import instant

HINT = "use ISO 8601, for example 2026-05-12T09:30+02:00, or seconds since 1970"

_MONTHS = "january february march april may june july august september october november december".split()
_DIGITS = re.compile(r"[+-]?\d{9,17}(?:\.\d+)?", re.ASCII)
_SPOKEN = re.compile(
    r"(?:(\d{1,2})(?::(\d{2}))?\s*([ap])\.?m\.?\s+on\s+)?(\d{1,2})\s+([a-z]{3,9})\.?,?\s+(\d{4})", re.ASCII | re.I
)


def moment(value: object) -> tuple[int, int | None]:
    """Microseconds UTC and the offset in minutes (None: none was written). Raises ValueError, saying what it saw."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_shown(value)} is not a time")
    if isinstance(value, str):
        text = value.strip()
        if not _DIGITS.fullmatch(text):
            return _written(text)
        value = float(text)
    return _since_1970(value), None


def _since_1970(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a time")
    for limit, microseconds in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if abs(value) < limit:
            return round(value * microseconds)
    raise ValueError(f"{_shown(value)} is too large for seconds, milliseconds or microseconds since 1970")


def _written(text: str) -> tuple[int, int | None]:
    try:
        when = _spoken(text) or datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a date that exists") from None
    return instant(when)


def _spoken(text: str) -> datetime | None:
    """ "1:56 pm on 8 May, 2023", or its date alone; None when the text has another form."""
    found = _SPOKEN.fullmatch(text)
    if found is None:
        return None
    hour, minute, half, day, name, year = found.groups()
    month = next((at for at, full in enumerate(_MONTHS, 1) if full.startswith(name.lower())), 0)
    clock = 0
    if hour is not None:
        if not 1 <= int(hour) <= 12:
            raise ValueError("no such hour")
        clock = int(hour) % 12 + (12 if half.lower() == "p" else 0)
    return datetime(int(year), month, int(day), clock, int(minute or 0))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
