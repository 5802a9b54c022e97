"""What joins two notes, in values alone: the kind of link, its weight and its reason in words; and how a note changes
when linked notes arrive (A-MEM: link generation and memory evolution, Xu et al. 2025, without a model)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from graphmem.analysis import stem
from graphmem.schema import EdgeType, Link, Note, fold, q8

#: Kinds that this mechanism makes; the other kinds belong to what watches over facts that change.
KINDS = (EdgeType.SIMILAR, EdgeType.ELABORATES, EdgeType.CAUSES)
#: Cosines: two notes of one talk, two with a keyword in common, two without.
ADDS, ALIKE, SAME = 0.45, 0.5, 0.65
LEAST_WORDS = 3  # keywords of a note that says something
THREAD = "; thread: "
MAX_THREAD = 3
MAX_TAGS = 6
MAX_CONTEXT_CHARS = 300
#: Tags that tell of the form of a sentence, not of its matter: never taken over.
FORM_TAGS = frozenset(("question", "number", "quote", "time", "link", "photo", "person", "place"))

_SO = re.compile(
    r"(?:that|this)(?:'s| is| was) why|which is why|as a (?:result|consequence)|because of (?:that|this)|therefore\b"
    r"|consequently\b|hence\b|thus\b|for (?:that|this) reason|thanks to (?:that|this)",
    re.I,
)
_SINCE = re.compile(
    r"(?:(?:it|that|this)(?:'s| is| was) )?because\b(?! of (?:that|this))|the reason (?:is|was)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A note with where it was said: its talk (section, else source), the turn's ordinal, its place within the turn;
    and its own keywords by stem, without the names of those who speak."""

    note: Note
    talk: int
    ordinal: int
    place: int = 0
    words: Mapping[str, str] = field(default_factory=dict)

    def worded(self, names: Set[str]) -> Placed:
        """With its words; `names` are the stems of the names of those who speak."""
        left_out = names | speaker_of(self.note)
        words = {key: word for key, word in words_of(self.note).items() if key not in left_out}
        return replace(self, words=words)


def speaker_of(note: Note) -> frozenset[str]:
    """The stems of what a note's context begins with: who said it, where anybody did."""
    return frozenset(stem(word) for word in note.context.partition(",")[0].lower().split())


def words_of(note: Note) -> dict[str, str]:
    """The keywords that the note's own text gave it, by stem; what it took over later is left out."""
    taken = set(thread_of(note))
    return {stem(word): word for word in note.keywords if word not in taken}


def thread_of(note: Note) -> tuple[str, ...]:
    """The words that the note took over from linked notes."""
    found = note.context.partition(THREAD)[2].partition(" (")[0]
    return tuple(found.split(", ")) if found else ()


def similar(new: Placed, old: Placed, cosine: float) -> Link | None:
    """A link between two notes that tell of the same matter in two talks, or far apart in one; None when too little
    speaks for it: a cosine of SAME, or of ALIKE and a keyword in common."""
    shared = shared_words(new, old)
    if cosine < (ALIKE if shared else SAME) or not (says_enough(new) and says_enough(old)):
        return None
    told = f"both tell of {' and '.join(shared[:3])}" if shared else "the same in other words"
    return Link(new.note.id, EdgeType.SIMILAR, old.note.id, q8(min(1.0, cosine)), f"{told}; cosine {cosine:.2f}")


def elaborates(new: Placed, old: Placed, cosine: float) -> Link | None:
    """A link to a note of an earlier turn of the same talk that the new one adds to, when the cosine says that both
    are of one matter (ADDS; two texts of no common matter have .1 to .25). The same words again add nothing."""
    if new.talk != old.talk or new.ordinal <= old.ordinal or cosine < ADDS:
        return None
    if fold(new.note.text) == fold(old.note.text):
        return None
    if not (says_enough(new) and says_enough(old)):
        return None
    shared = shared_words(new, old)
    matter = f": {' and '.join(shared[:3])}" if shared else ""
    reason = f"adds to \u201c{_short(old.note.text)}\u201d, earlier in the talk{matter}; cosine {cosine:.2f}"
    return Link(new.note.id, EdgeType.ELABORATES, old.note.id, q8(min(1.0, cosine)), reason)


def shared_words(new: Placed, old: Placed) -> list[str]:
    """Keywords in common, as the new note spells them."""
    return [word for key, word in new.words.items() if key in old.words]


def says_enough(placed: Placed) -> bool:
    """Thanks, praise and greetings are alike everywhere and join nothing."""
    return len(placed.words) >= LEAST_WORDS


def cause(new: Placed, old: Placed, cosine: float) -> Link | None:
    """A link from cause to effect, when the new note says so in its first words and stands right behind the old."""
    if not _follows(new, old):
        return None
    weight = q8(min(1.0, max(0.5, cosine)))
    if found := _SO.match(new.note.text):
        return Link(
            old.note.id, EdgeType.CAUSES, new.note.id, weight, f"\u201c{found.group()}\u201d names it the cause"
        )
    if found := _SINCE.match(new.note.text):
        return Link(new.note.id, EdgeType.CAUSES, old.note.id, weight, f"\u201c{found.group()}\u201d gives the reason")
    return None


def _follows(new: Placed, old: Placed) -> bool:
    if new.talk != old.talk:
        return False
    if new.ordinal == old.ordinal:
        return new.place == old.place + 1
    return new.ordinal == old.ordinal + 1 and new.place == 0


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59].rstrip() + "\u2026"


def evolved(note: Note, linked: Sequence[Note]) -> Note | None:
    """The note when a linked one has come; None when nothing changes.

    A keyword or tag that two or more linked notes share is taken over, and the context names the thread. A note takes
    over at most MAX_THREAD words and has at most MAX_TAGS tags: so it evolves a few times and then stands."""
    own, thread = words_of(note), thread_of(note)
    shared = _shared(words_of(other) for other in linked)
    taken = [word for key, word in shared if key not in own and word not in thread][: MAX_THREAD - len(thread)]
    common = _shared(({tag: tag for tag in other.tags if tag not in FORM_TAGS}) for other in linked)
    tags = [tag for tag, _ in common if tag not in note.tags][: max(0, MAX_TAGS - len(note.tags))]
    if not taken and not tags:
        return None
    words = (*thread, *taken)
    context = note.context.partition(THREAD)[0]
    if words:
        told = f"{THREAD}{', '.join(words)} (shared by linked notes)"
        context = context[: MAX_CONTEXT_CHARS - len(told)] + told
    return replace(note, context=context, keywords=(*note.keywords, *taken), tags=(*note.tags, *tags))


def _shared(words: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    """Keys that two or more have, with a word for each: most shared first, then by key."""
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for mine in words:
        counts.update(mine.keys())
        for key, word in mine.items():
            spelled[key] = min(word, spelled.get(key, word))
    return [
        (key, spelled[key]) for key, count in sorted(counts.items(), key=lambda row: (-row[1], row[0])) if count > 1
    ]
