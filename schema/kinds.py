"""The closed sets: what kinds of nodes, notes, edges and roles there are. Their numbers are stored; never reorder."""

from __future__ import annotations

from enum import IntEnum, IntFlag, StrEnum


class NodeKind(IntEnum):
    SOURCE = 1
    SECTION = 2  # a session of a dialogue, a headed part of a document
    PASSAGE = 3
    NOTE = 4
    ENTITY = 5
    HYPEREDGE = 6


class NoteKind(StrEnum):
    FACT = "fact"
    EXPERIENCE = "experience"
    OBSERVATION = "observation"
    BELIEF = "belief"
    STRATEGY = "strategy"
    SUMMARY = "summary"
    SCENE = "scene"
    PERSONA = "persona"


class EdgeType(IntEnum):
    """Every edge there can be, with the ends it joins."""

    FROM = 1  # note or hyperedge -> passage, with the span
    DERIVED = 2  # note -> note it was made from
    PART = 3  # passage -> section and source; section -> source
    NEXT = 4  # passage -> the passage after it in its section; section -> the next section
    MENTIONS = 5  # passage -> entity that it names
    SPEAKER = 6  # passage -> entity who said it
    TITLE = 7  # source -> entity that its title names
    ALSO_KNOWN_AS = 8  # entity -> entity
    ABOUT = 9  # note -> entity that it names
    AGENT = 16  # hyperedge -> entity or note, by role
    OBJECT = 17
    WITH = 18
    PLACE = 19
    TIME = 20
    TOPIC = 21
    OTHER = 22
    SIMILAR = 32  # links: note -> note
    ELABORATES = 33
    CONTRADICTS = 34
    CAUSES = 35
    FOLLOWS = 36
    SUPERSEDES = 37


ROLES = tuple(EdgeType(number) for number in range(16, 23))
LINK_KINDS = tuple(EdgeType(number) for number in range(32, 38))


class Form(IntFlag):
    """The form of a passage, seen in its text alone: cheap facts that ranking uses without reading the text."""

    NONE = 0
    ENDS_IN_QUESTION = 1
    HAS_QUESTION = 2
    OPENS_SECTION = 4
    NAMES_TIME = 8
    SHORT = 16  # fewer than five content words
    HAS_CAPTION = 32


class Op(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    RETIRE = "retire"  # superseded: kept as evidence, left out of search


class JobState(StrEnum):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"  # finished, with failed items
    UNDONE = "undone"


class ItemState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # nothing to do: the same content is there already
