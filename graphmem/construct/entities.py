"""Who and what the names stand for: one identity for each name, whoever meets it first.

An entity's id is made of its key (see `keys.key_of`) in one name space for all types, because a mention and a title
must meet in whichever order they come, and the type of a mention is a guess. Dates and common nouns ("pottery class")
have spaces of their own, with a canonical spelling, so that they are the same wherever they are made. A name with an
identity of its own is never merged into another: part of a name ("Ada") resolves to the one person known by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphmem.construct.keys import key_of, without_brackets
from graphmem.schema import Alias, Entity, Id, entity_id, fold

MAX_ENTITY_CHARS = 200


@dataclass(slots=True)
class Directory:
    """The entities of one batch: those the store knows by name, and those made here."""

    key: bytes
    known: Mapping[str, tuple[Entity, ...]]
    made: dict[Id, Entity] = field(default_factory=dict)
    aliases: dict[tuple[str, Id], Alias] = field(default_factory=dict)
    parts: dict[str, set[Id]] = field(default_factory=dict)  # a key of part of a name, or a stated other name
    _seen: dict[str, Id] = field(default_factory=dict)
    _own: dict[str, Id] = field(default_factory=dict)  # key -> the entity made here whose own it is

    def id_of(self, name: str) -> Id:
        """The id that a name has by itself. Raises nothing; lone surrogates are replaced."""
        return entity_id(self.key, _sound(key_of(name) or fold(name) or name), "name")

    def named(self, name: str, type: str, passage: Id | None) -> Id:
        """The entity that a name stands for: itself when it is there; the one whose other name it is; else new."""
        surface = _surface(name)
        seen = self._seen.get(surface)
        if seen is not None:
            return seen
        own, key = self.id_of(surface), key_of(surface)
        others = {entity.id for entity in self.known.get(key, ())} | self.parts.get(key, set())
        is_there = own in self.made or own in others
        if not is_there and len(others) == 1:
            found = next(iter(others))
        else:
            found = own
            if not is_there:
                self._make(own, surface, type)
        self._seen[surface] = found
        self.alias(surface, found, passage)
        return found

    def _make(self, id: Id, name: str, type: str) -> None:
        self.made[id] = Entity(id, name, type)
        self._own.setdefault(key_of(name), id)

    def standing(self, key: str) -> list[Id]:
        """The entities that a key stands for by now, in the store and in this batch."""
        found = [entity.id for entity in self.known.get(key, ())]
        if key in self._own:
            found.append(self._own[key])
        return list(dict.fromkeys(found))

    def knows(self, name: str) -> bool:
        """Whether the name stands for something already, in the store or in this batch."""
        return name in self._seen or key_of(name) in self.known or self.id_of(name) in self.made

    def itself(self, name: str, type: str, passage: Id | None) -> Id:
        """The entity of exactly this name: a speaker, a title."""
        surface = _surface(name)
        own = self.id_of(surface)
        known = {entity.id for entity in self.known.get(key_of(surface), ())}
        if own not in known and own not in self.made:
            self._make(own, surface, type)
        self._seen[surface] = own
        self.alias(surface, own, passage)
        return own

    def alias(self, name: str, entity: Id, passage: Id | None) -> None:
        """Every spelling under which recall may look a name up: folded, and by its key."""
        for folded in {_sound(fold(name)), _sound(key_of(name))}:
            if folded and all(held.id != entity for held in self.known.get(folded, ())):
                self.aliases.setdefault((folded, entity), Alias(folded, entity, passage))

    def also(self, other: str, entity: Id, passage: Id | None) -> None:
        """`other` is one more name of the entity, as the text says or as part of a full name."""
        key = key_of(other)
        if key and self.id_of(other) not in self.made and self.id_of(other) != entity:
            self.parts.setdefault(key, set()).add(entity)
            self.alias(other, entity, passage)

    def person(self, name: str, passage: Id | None) -> Id:
        """A speaker. First name and surname become other names of a speaker with a full name."""
        found = self.itself(name, "person", passage)
        words = name.split()
        if 2 <= len(words) <= 3 and all(word[:1].isupper() for word in words):
            for part in (words[0], words[-1]):
                if len(part.strip(".")) > 1 and not self._is_known_alone(part):
                    self.also(part, found, passage)
        return found

    def _is_known_alone(self, name: str) -> bool:
        own = self.id_of(name)
        return own in self.made or any(entity.id == own for entity in self.known.get(key_of(name), ()))

    def titled(self, title: str, type: str, passage: Id | None) -> tuple[Id, ...]:
        """The entities that a document's title names: without its bracket, and with it when there is one."""
        base = without_brackets(title)
        found = (self.itself(base, type, passage),)
        return found if base == title.strip() else (*found, self.itself(title, type, passage))

    def mark(self) -> tuple[int, int, int]:
        """Where the directory stands, for `back_to`."""
        return len(self.made), len(self.aliases), len(self._seen)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """Forgets what was made since the mark: a refused proposal leaves nothing behind."""
        made, aliases, seen = mark
        while len(self.made) > made:
            _, entity = self.made.popitem()
            self._own.pop(key_of(entity.name), None)
        while len(self.aliases) > aliases:
            self.aliases.popitem()
        while len(self._seen) > seen:
            self._seen.popitem()

    def thing(self, words: str) -> Id:
        """A common noun phrase; the same everywhere, whoever says it."""
        return self._common(words, "thing")

    def date(self, words: str) -> Id:
        return self._common(words, "date")

    def _common(self, words: str, type: str) -> Id:
        name = _sound(" ".join(words.split())[:MAX_ENTITY_CHARS])
        found = entity_id(self.key, name, "date" if type == "date" else "noun")
        if found not in self.made:
            self.made[found] = Entity(found, name, type)
            self.aliases[(fold(name), found)] = Alias(fold(name), found)
        return found


_SPACES = re.compile(r"\s+")


def _surface(name: str) -> str:
    cut = _SPACES.sub(" ", name).strip()[:MAX_ENTITY_CHARS].strip()
    return _sound(cut.removesuffix("'s").removesuffix("\u2019s") or cut)


def _sound(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
