"""Proposals held against their passage: what it bears out becomes notes, entities, hyperedges and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphmem.analysis import terms
from graphmem.construct.entities import Directory
from graphmem.construct.foreign import NONE, Words, holds
from graphmem.construct.keys import key_of, whole_at
from graphmem.construct.keywords import TAGS
from graphmem.construct.proposals import MAX_REFUSALS, Proposal, number, refusal, several, words
from graphmem.construct.replies import Unfit
from graphmem.construct.times import find_times, spoken
from graphmem.schema import (
    LINK_KINDS,
    ROLES,
    EdgeType,
    Hyperedge,
    Id,
    Link,
    Member,
    Note,
    NoteKind,
    Passage,
    Refusal,
    Span,
    fold,
    hyperedge_id,
    note_id,
    q8,
)

MADE_BY = "proposer"
MAX_NOTE_CHARS = 600
MAX_MEMBERS = 8
#: Kinds a note from text may have; observations, summaries, scenes and personas come from notes.
NOTE_KINDS = (NoteKind.FACT, NoteKind.EXPERIENCE, NoteKind.BELIEF, NoteKind.STRATEGY)
ENTITY_TYPES = ("person", "place", "organisation", "work", "thing")
_ROLES = {role.name.lower(): role for role in ROLES}
ROLE_NAMES = tuple(name for name in _ROLES if name != "time")
LINKS = {kind.name.lower(): kind for kind in LINK_KINDS}
_ENDS = ("from", "to")
#: Words a note may add to those of its passage: it says the same in plain words, it does not tell more.
MAX_NEW_WORDS = 0.5


@dataclass(slots=True)
class Accepted:
    """What was borne out, in the order of the proposals, and what was refused."""

    notes: list[Note] = field(default_factory=list)
    entities: list[tuple[Id, int, int]] = field(default_factory=list)  # entity, and where its name stands
    hyperedges: list[Hyperedge] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def __len__(self) -> int:
        """How many proposals were borne out."""
        return len(self.notes) + len(self.entities) + len(self.hyperedges) + len(self.links)


@dataclass(frozen=True, slots=True)
class Shown:
    """What else the call that a proposal came from showed: old notes, numbered from 1, and words of other texts."""

    offers: tuple[Note, ...] = ()
    foreign: Words = NONE


def validate(
    key: bytes,
    passage: Passage,
    proposals: Sequence[Proposal],
    directory: Directory,
    notes: Sequence[Note],
    *,
    shown: Shown,
) -> Accepted:
    """`notes`: those the rules made of the passage; a proposal that says the same is a duplicate and refused."""
    court = _Court(key, passage, directory, shown, [*notes])
    accepted = Accepted()
    for proposal in proposals:
        mark = directory.mark()
        try:
            court.judge(proposal, accepted)
        except Unfit as unfit:
            directory.back_to(mark)
            if len(accepted.refusals) < MAX_REFUSALS:
                accepted.refusals.append(refusal(passage.id, f"{proposal.kind}: {unfit}", proposal.text()))
    return accepted


@dataclass(slots=True)
class _Court:
    key: bytes
    passage: Passage
    directory: Directory
    shown: Shown
    notes: list[Note]
    seen: set[object] = field(default_factory=set)

    def judge(self, proposal: Proposal, accepted: Accepted) -> None:
        fields = proposal.fields
        if proposal.kind == "note":
            note = self._note(fields)
            if any(note.id == other.id or fold(note.text) == fold(other.text) for other in self.notes):
                raise Unfit("is there already")
            self.notes.append(note)
            accepted.notes.append(note)
        elif proposal.kind == "entity":
            entity = self._entity(fields)
            self._once(entity)
            accepted.entities.append(entity)
        elif proposal.kind == "hyperedge":
            hyperedge = self._hyperedge(fields)
            self._once(hyperedge.id)
            accepted.hyperedges.append(hyperedge)
        else:
            link = self._link(fields)
            self._once((link.src, link.kind, link.dst))
            accepted.links.append(link)

    def _once(self, identity: object) -> None:
        if identity in self.seen:
            raise Unfit("is there already")
        self.seen.add(identity)

    def _own(self, text: str, name: str) -> str:
        """The text, unless it tells what only another text of the call says."""
        if holds(text, self.shown.foreign):
            raise Unfit(f"{name} holds words of another passage")
        return text

    def _note(self, fields: Mapping[str, Any]) -> Note:
        span = self._span(fields)
        text = " ".join(words(fields, "text", MAX_NOTE_CHARS, required=False).split()) or " ".join(span.quote.split())
        self._tells_no_more(self._own(text, "text"))
        kind = words(fields, "kind", 20, required=False) or "fact"
        if kind not in {allowed.value for allowed in NOTE_KINDS}:
            raise Unfit(f"kind {kind!r} is not one of {', '.join(NOTE_KINDS)}")
        confidence = number(fields, "confidence", 1.0)
        tags = several(fields, "tags", len(TAGS), 20)
        if not set(tags) <= set(TAGS):
            raise Unfit(f"tag {sorted(set(tags) - set(TAGS))[0]!r} is not in the closed set")
        valid = self._valid(fields, span)
        return Note(
            id=note_id(self.key, kind, [(span.passage, span.start, span.end)]),
            kind=NoteKind(kind),
            text=text,
            spans=(span,),
            context=self.notes[0].context if self.notes else "",
            keywords=tuple(word for word in several(fields, "keywords", 8, 40) if self._occurs(word)),
            tags=tags,
            confidence_q8=q8(confidence),
            valid_from_us=valid[0] if valid else None,
            valid_to_us=valid[1] if valid else None,
            made_by=MADE_BY,
        )

    def _valid(self, fields: Mapping[str, Any], span: Span) -> tuple[int, int] | None:
        """When a note holds: by the words that are named for it, else by the first time in its quote."""
        said = words(fields, "time", 60, required=False)
        if said:
            return self._time(said)[0]
        times = find_times(span.quote, self.passage.at_us, self.passage.tz_min)
        return next((time.interval_us for time in times if time.interval_us is not None), None)

    def _span(self, fields: Mapping[str, Any], name: str = "quote") -> Span:
        quote = words(fields, name, MAX_NOTE_CHARS)
        start = whole_at(self.passage.text, quote)
        if start < 0:
            raise Unfit(f"{name} is not in the passage, word for word")
        return Span(self.passage.id, start, start + len(quote), quote)

    def _tells_no_more(self, text: str) -> None:
        """Half of a note's content words and all its digits must stand in the passage or in who said it; what stands
        there as a whole needs no words."""
        if self._occurs(text):
            return
        known = set(fold(f"{self.passage.text} {self.passage.speaker or ''}").replace(".", " ").split())
        known |= {word.strip(".,;:!?\"'()") for word in known}
        said = [word.strip(".,;:!?\"'()") for word in fold(text).split()]
        long = [word for word in said if len(word) > 3]
        new = [word for word in long if word not in known]
        if any(char.isdigit() for word in said if word not in known for char in word):
            raise Unfit("text holds a number that is not in the passage")
        if len(new) > MAX_NEW_WORDS * max(1, len(long)):
            raise Unfit("text tells more than the passage")

    def _occurs(self, name: str) -> bool:
        return fold(name) in fold(self.passage.text)

    def _named(self, name: str) -> tuple[Id, int, int]:
        """The entity that a name in the passage stands for; the speaker's own name and "I" are the speaker's."""
        speaker = self.passage.speaker
        if speaker and (name in ("I", "me", "we") or fold(name) == fold(speaker)):
            return self.directory.person(speaker, self.passage.id), 0, 0
        start = whole_at(self.passage.text, name)
        if start < 0:
            raise Unfit(f"name {name[:60]!r} is not in the passage")
        if not key_of(name):
            raise Unfit("name has no letters")
        proper = any(char.isupper() for char in name)
        entity = self.directory.named(name, "thing", self.passage.id) if proper else self.directory.thing(fold(name))
        return entity, start, start + len(name)

    def _entity(self, fields: Mapping[str, Any]) -> tuple[Id, int, int]:
        name = words(fields, "name", 100)
        type = words(fields, "type", 20, required=False) or "thing"
        if type not in ENTITY_TYPES:
            raise Unfit(f"type {type!r} is not one of {', '.join(ENTITY_TYPES)}")
        start = whole_at(self.passage.text, name)
        if start < 0 or not key_of(name):
            raise Unfit(f"name {name[:60]!r} is not in the passage")
        return self.directory.named(name, type, self.passage.id), start, start + len(name)

    def _hyperedge(self, fields: Mapping[str, Any]) -> Hyperedge:
        span = self._span(fields)
        predicate = " ".join(self._own(words(fields, "predicate", 40), "predicate").casefold().split())
        rows = fields.get("members")
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_MEMBERS:
            raise Unfit(f"members is not a list of 1 to {MAX_MEMBERS}")
        members = [self._member(row) for row in rows]
        valid = None
        said = words(fields, "time", 60, required=False)
        if said:
            valid, date = self._time(said)
            members.append(Member(EdgeType.TIME, self.directory.date(date)))
        distinct = tuple(dict.fromkeys(members))
        if len({member.node for member in distinct}) < 2:
            raise Unfit("fewer than two members")
        pairs = [(member.role.name, member.node) for member in distinct]
        return Hyperedge(
            id=hyperedge_id(self.key, predicate, pairs, [(span.passage, span.start, span.end)]),
            predicate=predicate,
            members=distinct,
            spans=(span,),
            confidence_q8=q8(number(fields, "confidence", 1.0)),
            valid_from_us=valid[0] if valid else None,
            valid_to_us=valid[1] if valid else None,
            made_by=MADE_BY,
        )

    def _member(self, row: object) -> Member:
        if not isinstance(row, dict) or set(row) != {"role", "name"}:
            raise Unfit("a member is not {role, name}")
        role = words(row, "role", 20).casefold()
        if role not in ROLE_NAMES:
            raise Unfit(f"role {role!r} is not one of {', '.join(ROLE_NAMES)}")
        return Member(_ROLES[role], self._named(words(row, "name", 100))[0])

    def _time(self, said: str) -> tuple[tuple[int, int], str]:
        """The interval that words of the passage stand for, and the name of its date."""
        if whole_at(self.passage.text, said) < 0:
            raise Unfit("time is not in the passage, word for word")
        times = find_times(said, self.passage.at_us, self.passage.tz_min)
        if len(times) != 1 or times[0].interval_us is None:
            raise Unfit(f"time {said!r} cannot be resolved")
        interval = times[0].interval_us
        return interval, spoken(interval, times[0].granularity, tz_min=self.passage.tz_min) or said

    def _link(self, fields: Mapping[str, Any]) -> Link:
        kind = words(fields, "kind", 20).casefold()
        if kind not in LINKS:
            raise Unfit(f"kind {kind!r} is not one of {', '.join(LINKS)}")
        numbers = [name for name in ("from", "to") if isinstance(fields.get(name), int)]
        if len(numbers) > 1:
            raise Unfit("a link begins or ends in its passage")
        ends = [self._offered(fields[name]) if name in numbers else self._quoted(fields, name) for name in _ENDS]
        if ends[0].id == ends[1].id:
            raise Unfit("a link joins two notes")
        reason = words(fields, "reason", 200)
        told = holds(reason, self.shown.foreign - frozenset(terms(f"{ends[0].text} {ends[1].text}")))
        if told:
            raise Unfit("reason holds words of neither end")
        weight = q8(number(fields, "weight", 0.5))
        return Link(ends[0].id, LINKS[kind], ends[1].id, weight, f"proposed: {reason}")

    def _offered(self, number: int) -> Note:
        """The old note of a number; no other note can be named."""
        if isinstance(number, bool) or not 1 <= number <= len(self.shown.offers):
            raise Unfit("no old note was offered under that number")
        return self.shown.offers[number - 1]

    def _quoted(self, fields: Mapping[str, Any], name: str) -> Note:
        span = self._span(fields, name)
        for note in self.notes:
            held = note.spans[0]
            if held.start <= span.start and span.end <= held.end:
                return note
        raise Unfit("no note of this passage holds the quote of a link's end")
