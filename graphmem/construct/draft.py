"""What a batch has given so far, and the edges that hold it together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphmem.construct.entities import Directory
from graphmem.schema import Alias, Edge, EdgeType, Entity, Hyperedge, Id, Note, Refusal


@dataclass(frozen=True, slots=True)
class Constructed:
    """What a batch of passages gives. Entities are those that were not known; order follows the text."""

    notes: tuple[Note, ...] = ()
    entities: tuple[Entity, ...] = ()
    aliases: tuple[Alias, ...] = ()
    hyperedges: tuple[Hyperedge, ...] = ()
    edges: tuple[Edge, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    accepted: int = 0  # proposals that the evidence bears out


@dataclass(slots=True)
class Draft:
    notes: list[Note] = field(default_factory=list)
    hyperedges: list[Hyperedge] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    accepted: int = 0

    def join(
        self,
        passage: Id,
        speaker: Id | None,
        *,
        entities: Sequence[Id],
        placed: Sequence[tuple[int, int, Id]],
        notes: Sequence[Note],
        hyperedges: Sequence[Hyperedge],
    ) -> None:
        """Adds a passage's notes and hyperedges with their edges. `placed`: where in the passage entities are named."""
        edges = self.edges
        if speaker is not None:
            edges.append(Edge(passage, EdgeType.SPEAKER, speaker))
        edges.extend([Edge(passage, EdgeType.MENTIONS, entity) for entity in dict.fromkeys(entities)])
        for note in notes:
            start, end = note.spans[0].start, note.spans[0].end
            edges.append(Edge(note.id, EdgeType.FROM, passage, start=start, end=end))
            about = dict.fromkeys([entity for low, high, entity in placed if start <= low and high <= end])
            edges.extend([Edge(note.id, EdgeType.ABOUT, entity) for entity in about])
        for hyperedge in hyperedges:
            edges.extend([Edge(hyperedge.id, member.role, member.node) for member in hyperedge.members])
            span = hyperedge.spans[0]
            edges.append(Edge(hyperedge.id, EdgeType.FROM, passage, start=span.start, end=span.end))
        self.notes.extend(notes)
        self.hyperedges.extend(hyperedges)

    def constructed(self, directory: Directory) -> Constructed:
        return Constructed(
            tuple(self.notes),
            tuple(directory.made.values()),
            tuple(directory.aliases.values()),
            tuple(self.hyperedges),
            tuple(self.edges),
            tuple(self.refusals),
            self.accepted,
        )
