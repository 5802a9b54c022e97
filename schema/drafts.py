"""What readers hand to the pipeline: sources and passages before they have an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
