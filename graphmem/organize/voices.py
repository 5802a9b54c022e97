"""Whom a sentence speaks of, by its pronouns: the one who says it, the one who is spoken to, or neither."""

from __future__ import annotations

import re
from enum import Enum

_FIRST = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours|ourselves)\b", re.I)
_SECOND = re.compile(r"\b(?:you|your|yours|yourself|yourselves|ya|u)\b", re.I)


class Voice(Enum):
    SELF = "self"  # the speaker alone
    BOTH = "both"  # the speaker at least as much as who is spoken to
    OTHER = "other"  # rather who is spoken to
    NONE = "none"  # neither


def voice(sentence: str) -> Voice:
    first, second = len(_FIRST.findall(sentence)), len(_SECOND.findall(sentence))
    if second > first:
        return Voice.OTHER
    if not first:
        return Voice.NONE
    return Voice.BOTH if second else Voice.SELF
