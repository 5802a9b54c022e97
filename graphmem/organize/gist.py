"""What a handful of notes is about, in their own words: keywords and the statements nearest to their middle."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphmem.organize.kinship import thread_of
from graphmem.schema import Note
from graphmem.stores.base import Floats, Numbers

MAX_KEYWORDS = 8
MAX_TAGS = 4
#: Keywords that stand in the text; the rest are for search and for people.
SHOWN = 5
STATEMENTS = 3
_SCRAP = re.compile(r"\W*(?:[\w'\u2019-]+[^\w.!?]+){0,2}[\w'\u2019-]+[.!?\u2026]")  # up to three words
_LEANS = re.compile(
    r"\W*(?:and|but|so|or|then|only|also|plus|because|which|yes|no|it|its|it['\u2019]s|this|that|that['\u2019]s|these|those|they|"
    r"them|he|she|his|her|the (?:one|first|second|third|other)s?)\b",
    re.I,
)
#: Two statements nearer than this say the same.
SAME = 0.9


@dataclass(frozen=True, slots=True)
class Background:
    """In how many of `total` notes each keyword stands, and words that say nothing here: names of who speaks."""

    counts: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, notes: Sequence[Note], names: frozenset[str] = frozenset()) -> Background:
        return cls(Counter(word for note in notes for word in set(own_words(note))), len(notes), names)


def own_words(note: Note) -> tuple[str, ...]:
    """The keywords of the note's own text: what it takes over from linked notes changes with what is told later, and a
    gist should not."""
    taken = set(thread_of(note))
    return tuple(word for word in note.keywords if word not in taken)


def says_something(note: Note) -> bool:
    """No question, no photo's caption, no bare courtesy."""
    return "question" not in note.tags and "photo" not in note.tags and len(note.keywords) > 1


def stands_alone(note: Note) -> bool:
    """Says something that needs no sentence before it: neither goes on with one, nor points at one, nor begins with a
    mere exclamation."""
    return says_something(note) and _LEANS.match(note.text) is None and _SCRAP.match(note.text) is None


def best_first(notes: Sequence[Note], order: Sequence[int]) -> list[int]:
    """The rows of an order with those first that stand alone, then those that say something."""
    return sorted(order, key=lambda row: (not says_something(notes[row]), not stands_alone(notes[row])))


def distinct(vectors: Floats, order: Sequence[int], most: int) -> list[int]:
    """The first rows of an order that do not say what an earlier one says, at most so many. O(n x most)."""
    chosen: list[int] = []
    for row in order:
        if len(chosen) == most:
            break
        if all(float(vectors[row] @ vectors[other]) <= SAME for other in chosen):
            chosen.append(row)
    return chosen


def is_name(word: str, names: frozenset[str]) -> bool:
    """A speaker's name, a part of it or what it is cut to."""
    return any(word == name or (len(word) > 2 and name.startswith(word)) or word in name.split() for name in names)


def centrality(vectors: Floats) -> Floats:
    """Cosine of each unit vector to the mean of all."""
    middle = vectors.mean(axis=0)
    return np.asarray(vectors @ (middle / max(float(np.linalg.norm(middle)), 1e-9)), np.float32)


def by_centrality(vectors: Floats, ids: Sequence[str]) -> list[int]:
    """Rows, most central first; ties by id. Cosines count to four digits: the last bits differ between machines."""
    near = np.round(centrality(vectors), 4).tolist()
    return sorted(range(len(ids)), key=lambda row: (-near[row], ids[row]))


def keywords(notes: Sequence[Note], order: Sequence[int], background: Background) -> tuple[str, ...]:
    """Those in most notes, weighed down by how common they are around (tf-idf); ties by the most central note."""
    counts = Counter(word for note in notes for word in set(own_words(note)))
    told = dict.fromkeys(word for row in order for word in own_words(notes[row]))
    counts = Counter({word: counts[word] for word in told if not is_name(word, background.names)})
    place = {word: at for at, word in enumerate(counts)}

    def weight(word: str) -> float:
        return counts[word] * math.log(1 + background.total / background.counts.get(word, 1))

    return tuple(sorted(counts, key=lambda word: (-round(weight(word), 6), place[word]))[:MAX_KEYWORDS])


def tags(notes: Sequence[Note]) -> tuple[str, ...]:
    """Those of at least a third of the notes, most common first."""
    counts = Counter(tag for note in notes for tag in note.tags)
    common = [tag for tag in counts if 3 * counts[tag] >= len(notes)]
    return tuple(sorted(common, key=lambda tag: (-counts[tag], tag))[:MAX_TAGS])


def statements(notes: Sequence[Note], vectors: Floats, order: Sequence[int], chars: int) -> list[str]:
    """The most central texts that say different things and fit; the first one is cut when it is too long."""
    chosen: list[int] = []
    left = chars
    for row in order:
        if len(chosen) == STATEMENTS:
            break
        size = len(notes[row].text) + 1
        if (size > left and chosen) or any(float(vectors[row] @ vectors[other]) > SAME for other in chosen):
            continue
        chosen.append(row)
        left -= size
    return [notes[row].text if len(notes[row].text) <= chars else notes[row].text[: chars - 1] + "…" for row in chosen]


def text_of(title: str, words: Sequence[str], told: Sequence[str]) -> str:
    head = f"{title}: {', '.join(words[:SHOWN])}." if words else f"{title}:"
    return " ".join([head, *told])


def sessions_of(section: Numbers, source: Numbers, day: Numbers) -> Numbers:
    """A number for each note's session: its section, else the day it was said on within its source."""
    rows = np.stack([np.where(section > 0, section, -source), np.where(section > 0, 0, day)], axis=1)
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1), np.int64)
