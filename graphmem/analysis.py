"""The text analyser that every store and the shared scorer use: words, stop words, a light stemmer; and which text
of a passage is indexed and embedded. Changing any of it changes derived rows: bump `ANALYSER_VERSION`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from graphmem.schema import Passage

ANALYSER_VERSION = 1
MAX_TERM_CHARS = 40

STOP_WORDS = frozenset(
    "a an the and or but if so than then that this these those there here is am are was were be been being do does did "
    "doing done has have having had can could will would shall should may might must of in on at by for from to with "
    "without into onto about over under between through during before after as it its he him his she her hers they "
    "them their theirs we us our ours you your yours i me my mine not no nor only just very too also again more most "
    "some any all each both such own same other what which who whom whose when where why how "
    "i'm i've i'd i'll it's he's she's that's there's what's let's don't doesn't didn't can't won't isn't aren't "
    "wasn't weren't you're you've you'll we're we've we'll they're they've".split()
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_VOWELS = frozenset("aeiouy")


def terms(text: str) -> list[str]:
    """Content words in order: case-folded, stop words dropped, stemmed. O(len(text))."""
    words = _WORD.findall(text.casefold().replace("\u2019", "'"))
    return [stem(word[:MAX_TERM_CHARS]) for word in words if word not in STOP_WORDS]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Strip English plural, -ing, -ed, -ly and a final -e: one key for the forms of a word, not its root."""
    word = word.removesuffix("'s")
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and not _VOWELS.isdisjoint(base):
            if base[-1] == base[-2] and base[-1] not in "lsz":
                base = base[:-1]
            return base.removesuffix("e")
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def spoken_date(at_us: int | None, tz_min: int | None) -> str:
    """'8 May 2023', in the source's own zone: questions spell months out. "" when unknown."""
    return "" if at_us is None else _spoken_day((at_us + (tz_min or 0) * 60_000_000) // 86_400_000_000)


@lru_cache(maxsize=4_096)
def _spoken_day(day: int) -> str:
    """The turns of a session share a day: 2 % of a bulk write went into spelling it again."""
    date = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=day)
    return f"{date.day} {date:%B} {date.year}"


def indexed_text(passage: Passage) -> str:
    """What full-text search sees of a passage: date, speaker, title or heading, text."""
    title = passage.meta.get("title", "")
    parts = (spoken_date(passage.at_us, passage.tz_min), passage.speaker or "", str(title), passage.text)
    return " ".join(part for part in parts if part)


def embedded_text(passage: Passage) -> str:
    """What the vector and the token codes of a passage stand for: title and text; a turn's text alone.

    Speakers stay out: a name in a chat mostly marks who is spoken to, and costs .8 points of recall@10. The question
    that a turn answers stays out too: the edge to the turn before finds it as well, and can be shown.
    """
    title = passage.meta.get("title", "")
    return f"{title}\n{passage.text}" if title else passage.text
