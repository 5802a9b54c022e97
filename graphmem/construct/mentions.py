"""Which entities a passage names: the names it shows, and names known elsewhere that stand in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.construct.entities import Directory
from graphmem.construct.keys import grams
from graphmem.construct.reading import Reading
from graphmem.construct.words import TITLES
from graphmem.schema import Id

#: A key may stand for several entities; a mention points at no more of them than this.
MAX_MEANINGS = 4
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
    standing = _standing(reading, directory)
    persons = _persons(reading)
    resolved = tuple([_resolved(reading, index, standing, persons, directory) for index in range(len(reading.names))])
    placed = [(name.start, name.end, id) for name, id in zip(reading.names, resolved, strict=True)]
    placed.extend((start, end, directory.named(words, "thing", passage.id)) for start, end, words in reading.more)
    placed.extend((*_place(reading, first, last), id) for first, last, id in standing)
    of_title = titles if passage.ordinal == 0 else ()
    return Mentions(resolved, tuple(placed), tuple(dict.fromkeys((*of_title, *(id for _, _, id in placed)))))


def _resolved(
    reading: Reading, index: int, standing: Sequence[tuple[int, int, Id]], persons: dict[str, str], directory: Directory
) -> Id:
    """The entity of a name: that of the longer known name it stands in; of the person named in full before whose first
    name or surname it is; else its own."""
    name, passage = reading.names[index], reading.passage.id
    for first, last, id in standing:
        if first <= name.first and name.last <= last and (first, last) != (name.first, name.last):
            return id
    whole = persons.get(name.text)
    if whole is not None and (reading.passage.speaker is None or not directory.knows(name.text)):
        return directory.named(whole, "person", passage)
    if name.last == name.first + 1 and reading.tokens[name.first].opens and not directory.knows(name.text):
        second = reading.tokens[name.last].text  # "Anytime Ada" at a sentence's start is Ada, when she is known
        if directory.knows(second):
            return directory.named(second, reading.types[index], passage)
    return directory.named(name.text, reading.types[index], passage)


def _persons(reading: Reading) -> dict[str, str]:
    """First name and surname of the persons that the passage names in full, where only one of them has it."""
    found: dict[str, str] = {}
    for name, type in zip(reading.names, reading.types, strict=True):
        words = name.text.split()
        if type == "person" and len(words) in (2, 3) and words[0].lower() not in TITLES:
            for part in (words[0], words[-1]):
                found[part] = name.text if found.get(part, name.text) == name.text else ""
    return {part: whole for part, whole in found.items() if whole and len(part) > 2}


def _standing(reading: Reading, directory: Directory) -> list[tuple[int, int, Id]]:
    """Names that the store or this batch knows, wherever they stand (first token, last token, entity): longest first,
    none inside another; a single word inside a longer name is part of it."""
    inside = {index for name in reading.names if name.last > name.first for index in range(name.first, name.last + 1)}
    exact = {(name.first, name.last) for name in reading.names}
    found: list[tuple[int, int, Id]] = []
    taken = -1
    for first, last, key in grams(reading.text, reading.tokens):
        if first <= taken or (first == last and (first in inside or len(key) < 3)):
            continue
        entities = directory.standing(key)
        if entities:
            taken = last
            if (first, last) not in exact:
                found.extend((first, last, entity) for entity in entities[:MAX_MEANINGS])
    return found


def _place(reading: Reading, first: int, last: int) -> tuple[int, int]:
    return reading.tokens[first].start, reading.tokens[last].end


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
