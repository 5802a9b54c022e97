"""Which entities a passage names: the names it shows, and names known elsewhere that stand in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.construct.entities import Directory
from graphmem.construct.keys import grams
from graphmem.construct.names import NameSpan
from graphmem.construct.reading import Reading
from graphmem.schema import Id

#: Other names, where a text states them between two names: "Ada Berg, known as Addy", "my friend Ada (Addy)".
_ALSO = re.compile(
    r",? ?(?:\(|, )?(?:also |better |often |commonly |sometimes )?"
    r"(?:known as|called|nicknamed|aka|a\.k\.a\.|born|n\u00e9e?) "
    r"(?:the )?[\u201c\"']?",
    re.I,
)
_NEEDS_COMMA = re.compile(r" (?:called|born) ", re.I)
_FRIEND = re.compile(
    r"\bmy (?:\w+ )?(?:friend|sister|brother|cousin|aunt|uncle|colleague|neighbou?r|boss|dog|cat) \Z", re.I
)


@dataclass(frozen=True, slots=True)
class Mentions:
    """`resolved`: the entity of each name of the reading; `placed`: (start, end, entity) of all; `all`: entities."""

    resolved: tuple[Id, ...]
    placed: tuple[tuple[int, int, Id], ...]
    all: tuple[Id, ...]


def mentions_of(reading: Reading, directory: Directory, titles: Sequence[Id]) -> Mentions:
    """`titles`: the entities of the document's title; its first passage is about them, named or not."""
    passage = reading.passage
    _stated_aliases(reading, directory)
    resolved = tuple(
        [_named(reading, name, type, directory) for name, type in zip(reading.names, reading.types, strict=True)]
    )
    placed = [(name.start, name.end, id) for name, id in zip(reading.names, resolved, strict=True)]
    placed.extend((start, end, directory.named(words, "thing", passage.id)) for start, end, words in reading.more)
    placed.extend(_known(reading, directory))
    of_title = titles if passage.ordinal == 0 else ()
    return Mentions(resolved, tuple(placed), tuple(dict.fromkeys((*of_title, *(id for _, _, id in placed)))))


def _named(reading: Reading, name: NameSpan, type: str, directory: Directory) -> Id:
    """The entity of a name. "Anytime Ada" at a sentence's start is Ada, when she is known and the pair is not."""
    if name.last == name.first + 1 and reading.tokens[name.first].opens and not directory.knows(name.text):
        second = name.text.split()[-1]
        if directory.knows(second):
            return directory.named(second, type, reading.passage.id)
    return directory.named(name.text, type, reading.passage.id)


def _known(reading: Reading, directory: Directory) -> list[tuple[int, int, Id]]:
    """Names that the store or this batch knows and that no rule found here: longest first, none inside another of
    these; a single word inside a longer name is part of it."""
    inside = {index for name in reading.names if name.last > name.first for index in range(name.first, name.last + 1)}
    exact = {(name.first, name.last) for name in reading.names}
    found: list[tuple[int, int, Id]] = []
    taken = -1
    for first, last, key in grams(reading.text, reading.tokens):
        if first <= taken or (first, last) in exact or (first == last and (first in inside or len(key) < 4)):
            continue
        entities = directory.known.get(key, ())
        if not entities:
            continue
        start, end = reading.tokens[first].start, reading.tokens[last].end
        found.extend((start, end, entity.id) for entity in entities[:4])
        taken = last
    return found


def _stated_aliases(reading: Reading, directory: Directory) -> None:
    for before, after in zip(reading.names, reading.names[1:], strict=False):
        gap = reading.text[before.end : after.start]
        if len(gap) > 40:
            continue
        stated = _ALSO.fullmatch(gap) is not None and not _NEEDS_COMMA.fullmatch(gap)
        bracketed = gap == " (" and _FRIEND.search(reading.text, max(0, before.start - 40), before.start) is not None
        if stated or bracketed:
            entity = directory.named(before.text, "person", reading.passage.id)
            directory.also(after.text, entity, reading.passage.id)
