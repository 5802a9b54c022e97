"""What a memory is made of. Frozen values; validation raises `ValueError` with what, where and what to do.

Times are integers, microseconds UTC; intervals are half-open. Text offsets count code points. Weights and
confidences are quantised to 1/256 (`*_q8`, 0..256) when they are made, so that digests are exact.
`version` is the version a value was computed from: 0 for new; a store refuses an update whose version is not the
stored one (`Conflict`) and stores version + 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphmem.schema.ids import Id
from graphmem.schema.kinds import LINK_KINDS, ROLES, EdgeType, Form, NoteKind

ONE_Q8 = 256


def q8(value: float) -> int:
    """A weight or confidence in 0..1 as 1/256ths. Raises ValueError outside 0..1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"weight {value!r} is outside 0..1")
    return round(value * ONE_Q8)


@dataclass(frozen=True, slots=True)
class Space:
    """The boundary of isolation: a user, an agent, a team. `key` keys every id in it, `number` is the store's own,
    `embedder` names the model of its vectors ("" before the first)."""

    name: str
    key: bytes = field(repr=False)
    number: int = 0
    embedder: str = ""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 200 or not self.name.isprintable():
            raise ValueError(f"space name {self.name[:40]!r} must be 1 to 200 printable characters")


@dataclass(frozen=True, slots=True)
class Source:
    """A conversation, a document: what was ingested. Immutable. A changed document is a new revision."""

    id: Id
    kind: str  # "conversation", "document"
    outside_id: str  # the user's own id, or the path, or a content hash
    title: str = ""
    digest: str = ""  # sha-256 of the bytes read; "" while a live conversation grows
    revision: int = 0
    supersedes: Id | None = None
    meta: Mapping[str, object] = field(default_factory=dict)  # JSON values
    version: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a source: a session of a dialogue, a headed part of a document. Immutable."""

    id: Id
    source: Id
    name: str  # the outside name of the session, or the heading path
    ordinal: int = 0
    at_us: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of evidence: a dialogue turn or a document chunk. Immutable.

    `start`, `end` are its offsets in the source's text (documents; 0, len(text) for turns).
    `meta` holds JSON values such as caption, page, path, replaced (characters replaced by the reader).
    """

    id: Id
    source: Id
    section: Id | None
    ordinal: int  # within the source
    text: str
    ref: str | None = None
    speaker: str | None = None
    at_us: int | None = None
    tz_min: int | None = None  # the source's UTC offset, minutes
    start: int = 0
    end: int = 0
    form: Form = Form.NONE
    meta: Mapping[str, object] = field(default_factory=dict)
    version: int = 0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"passage {self.ref or self.ordinal} has no text")
        if "\x00" in self.text:
            raise ValueError(f"passage {self.ref or self.ordinal} has a NUL; readers replace it")


@dataclass(frozen=True, slots=True)
class Span:
    """`passage.text[start:end] == quote`, checked when it is written."""

    passage: Id
    start: int
    end: int
    quote: str

    def __post_init__(self) -> None:
        if self.end - self.start != len(self.quote) or self.start < 0 or not self.quote:
            raise ValueError(f"span {self.start}:{self.end} does not fit its quote {self.quote[:40]!r}")


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence-sized idea in plain words. From text: `spans`. Made from other notes: `parents`."""

    id: Id
    kind: NoteKind
    text: str
    spans: tuple[Span, ...] = ()
    parents: tuple[Id, ...] = ()
    context: str = ""
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    confidence_q8: int = ONE_Q8
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    made_by: str = "rules"
    subject: str | None = None
    version: int = 0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a note needs text")
        if not self.spans and not self.parents:
            raise ValueError(
                f"note {self.text[:40]!r} names neither spans nor parents: everything says where it came from"
            )
        if not 0 <= self.confidence_q8 <= ONE_Q8:
            raise ValueError(f"confidence_q8 {self.confidence_q8} is outside 0..256")
        if self.valid_from_us is not None and self.valid_to_us is not None and self.valid_from_us >= self.valid_to_us:
            raise ValueError(f"note {self.text[:40]!r}: valid_from_us must be before valid_to_us")


@dataclass(frozen=True, slots=True)
class Entity:
    """A person, place, thing. Aliases are kept beside it (`Alias`), merging adds an ALSO_KNOWN_AS edge."""

    id: Id
    name: str
    type: str = "thing"  # person, place, organisation, date, work, thing
    version: int = 0

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an entity needs a name")


@dataclass(frozen=True, slots=True)
class Alias:
    """A folded name that stands for an entity, and where it was seen first."""

    folded: str
    entity: Id
    passage: Id | None = None


@dataclass(frozen=True, slots=True)
class Member:
    role: EdgeType
    node: Id  # an entity or a note

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"{self.role!r} is not a role; roles are {', '.join(role.name for role in ROLES)}")


@dataclass(frozen=True, slots=True)
class Hyperedge:
    """An n-ary relation: a predicate and two or more members, each with a role; itself citable by its spans."""

    id: Id
    predicate: str
    members: tuple[Member, ...]
    spans: tuple[Span, ...]
    confidence_q8: int = ONE_Q8
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    made_by: str = "rules"
    version: int = 0

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError(f"hyperedge {self.predicate!r} has {len(self.members)} member; it needs two or more")
        if not self.spans:
            raise ValueError(f"hyperedge {self.predicate!r} names no span of evidence")


@dataclass(frozen=True, slots=True)
class Edge:
    """A stored edge. A repeated (src, type, dst, start) is the same edge: the higher weight stays."""

    src: Id
    type: EdgeType
    dst: Id
    weight_q8: int = ONE_Q8
    reason: str = ""
    start: int | None = None  # FROM: the span in the passage
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A typed, weighted, explained edge from note to note."""

    src: Id
    kind: EdgeType
    dst: Id
    weight_q8: int
    reason: str

    def __post_init__(self) -> None:
        if self.kind not in LINK_KINDS:
            raise ValueError(
                f"{self.kind!r} is not a link kind; kinds are {', '.join(kind.name for kind in LINK_KINDS)}"
            )
        if not self.reason:
            raise ValueError("a link needs a reason")
        if self.src == self.dst:
            raise ValueError("a link joins two notes, not a note to itself")

    def edge(self) -> Edge:
        return Edge(self.src, self.kind, self.dst, self.weight_q8, self.reason)


Node = Source | Section | Passage | Note | Entity | Hyperedge
