"""The working hypergraph: facts as hyperedges that are extended and merged where they share members (HGMem).

A merged hyperedge says that its notes bear on the question *together*. The pairs of its members do not: two facts
that share a city and two that share a year make every pair of a third fact that nobody told.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from graphmem.reflect.facts import Fact, edge_of, hyperedge_of
from graphmem.schema import EdgeType, Id, Member, WorkingEdge

#: Hyperedges that working memory holds; more are not merged.
MAX_EDGES = 128
#: Members of a merged hyperedge: a chain of a few facts. One that would grow beyond is left as it is.
MAX_MEMBERS = 48
#: Roles that say what a fact is about; OBJECT is its note.
NOTE_ROLE = EdgeType.OBJECT


@dataclass(slots=True)
class Working:
    """Grows by `add` and `join`. `chains` has for each passage the widest hyperedge that led to it."""

    key: bytes
    edges: dict[Id, WorkingEdge] = field(default_factory=dict)
    chains: dict[Id, Id] = field(default_factory=dict)

    def add(self, fact: Fact) -> WorkingEdge | None:
        """The fact as a hyperedge of its own. None when it names nothing that could be shared."""
        edge = hyperedge_of(self.key, fact)
        if edge is None or len(self.edges) >= MAX_EDGES:
            return None
        known = self.edges.setdefault(edge.id, WorkingEdge(edge, fact.ranked.score))
        self.chains.setdefault(fact.passage.id, edge.id)
        return known

    def join(self, start: Id, fact: Fact) -> WorkingEdge | None:
        """Merges the hyperedge that led to passage `start` with a fact that shares a member with it; what was merged
        before is extended. None when they share nothing."""
        added = self.add(fact)
        before = self.edges.get(self.chains.get(start, ""))
        if added is None or before is None or added.edge.id == before.edge.id:
            return None
        shared = entities(before) & entities(added)
        if not shared or len(self.edges) >= MAX_EDGES:
            return None
        members = merged_members((*before.edge.members, *added.edge.members), shared)
        if len(members) > MAX_MEMBERS:
            return None
        edge = edge_of(self.key, "together", members, (*before.edge.spans, *added.edge.spans))
        merged = WorkingEdge(edge, fact.ranked.score, (before.edge.id, added.edge.id))
        self.chains[fact.passage.id] = edge.id
        return self.edges.setdefault(edge.id, merged)

    def joint(self, members: Collection[Id]) -> tuple[WorkingEdge, ...]:
        """The hyperedges that hold all of these members at once: what one fact, or facts worked together, say."""
        wanted = set(members)
        return tuple(edge for edge in self.edges.values() if wanted <= {member.node for member in edge.edge.members})


def entities(edge: WorkingEdge) -> frozenset[Id]:
    return frozenset(member.node for member in edge.edge.members if member.role is not NOTE_ROLE)


def merged_members(members: tuple[Member, ...], shared: Collection[Id]) -> list[Member]:
    """Each node once, in its first role; what was shared is the topic of the whole."""
    roles: dict[Id, EdgeType] = {}
    for member in members:
        roles.setdefault(member.node, member.role)
    return [Member(EdgeType.TOPIC if node in shared else role, node) for node, role in roles.items()]
