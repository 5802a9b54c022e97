"""What readers hand to the pipeline: sources and passages before they have an identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNSOUND = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> tuple[str, int]:
    """The text with U+FFFD for each NUL and lone surrogate, and how many there were. Length does not change."""
    return _UNSOUND.subn("\ufffd", text)


def instant(when: datetime) -> tuple[int, int | None]:
    """Microseconds UTC and the offset in minutes; None when it has none: taken as UTC."""
    offset = when.utcoffset()
    elapsed = (when if offset is not None else when.replace(tzinfo=timezone.utc)) - _EPOCH
    us = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    return us, None if offset is None else int(offset.total_seconds() // 60)


@dataclass(frozen=True, slots=True)
class PassageDraft:
    """One turn or chunk as it was read. `section` names its session or heading path; `start`, `end` are its offsets
    in the source's text (documents). `meta` holds JSON values; "title" there is indexed and embedded with the text."""

    text: str
    ref: str | None = None
    speaker: str | None = None
    at_us: int | None = None
    tz_min: int | None = None
    section: str | None = None
    start: int = 0
    end: int = 0
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """One source as it was read. `digest` is the sha-256 of the bytes, or of the part of the file it stands for."""

    kind: str  # "conversation", "document"
    outside_id: str
    title: str = ""
    digest: str = ""
    meta: Mapping[str, object] = field(default_factory=dict)
