"""What flows over a store's edges: to the turns next to a seed, over an entity to the page that it leads to, and over
links to what a note adds to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.recall.activation import Activation, Shares, spread
from graphmem.recall.plan import Plan
from graphmem.schema import EdgeType, Form
from graphmem.stores.base import Heads, Neighbours, Reader

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


#: What leads from note to note.
LINKS = (EdgeType.DERIVED, EdgeType.SIMILAR, EdgeType.ELABORATES, EdgeType.CAUSES)
NO_SHARES = Shares(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def seed_values(score: npt.NDArray[np.floating[Any]], count: int) -> Floats:
    """What the best `count` have above the last of them; 0 for the rest. With fewer candidates, above the least."""
    if not len(score):
        return np.empty(0)
    last = np.partition(score, len(score) - min(count, len(score)))[len(score) - min(count, len(score))]
    return np.asarray(np.maximum(score - last, 0.0), np.float64)


def near(reader: Reader, seeds: Heads, values: Floats, plan: Plan) -> Activation:
    """One hop over NEXT, both ways. Turns after a question get more."""
    asking = seeds.numbers[(seeds.form & Form.HAS_QUESTION) > 0]
    turns = NextTurns(reader, plan, asking)
    return spread(seeds.numbers, values, turns, hops=1, decay=plan.decay, expanded=plan.expanded)


def bridge(reader: Reader, starts: Numbers, plan: Plan, linked: LinkedNotes | None = None) -> Activation:
    """Passage -MENTIONS-> entity, and from there to the source that it titles or to other passages that name it.

    Starts share a mass of 1: an unlikely start cannot drown the rest, and a page with many names says little by each.
    """
    mass = np.full(len(starts), 1.0 / max(1, len(starts)))
    return spread(
        starts,
        mass,
        OverEntities(reader, plan, linked),
        hops=3,
        decay=plan.decay,
        threshold=plan.threshold,
        expanded=plan.expanded,
    )


def over_links(reader: Reader, numbers: Numbers, values: Floats, linked: LinkedNotes, plan: Plan) -> Activation:
    """Note -link-> note, derived note -DERIVED-> note, and from there to the passage that it stands in."""
    walk = OverLinks(reader, plan, linked)
    return spread(numbers, values, walk, hops=2, decay=plan.decay, threshold=plan.threshold, expanded=plan.expanded)


@dataclass(slots=True)
class LinkedNotes:
    """The links of notes, read along with a hop of the bridge where there is one: on a server they cost no round trip
    of their own."""

    reader: Reader
    notes: Numbers
    limit: int
    edges: Neighbours | None = None

    def along(self, frontier: Numbers, types: tuple[EdgeType, ...]) -> Neighbours:
        """The edges of a frontier; those of the notes are kept."""
        if self.edges is not None or not len(self.notes):
            return self.reader.neighbours(frontier, types, limit=self.limit)
        both = self.reader.neighbours(np.concatenate([frontier, self.notes]), (*types, *LINKS), limit=self.limit)
        mine = both.row >= len(frontier)
        self.edges = _rows(both, mine & np.isin(both.type, LINKS), len(frontier), slice(len(frontier), None))
        return _rows(both, ~mine & np.isin(both.type, types), 0, slice(0, len(frontier)))

    def read(self) -> Neighbours:
        if self.edges is None:
            self.edges = self.reader.neighbours(self.notes, LINKS, limit=self.limit)
        return self.edges


def above(linked: LinkedNotes, values: Floats) -> dict[int, dict[int, float]]:
    """Derived notes that at least two of the linked notes are part of, with what each part gives: its value, shared by
    all that it is part of. `values` go with `linked.notes`. Read with the links; O(their edges)."""
    edges = linked.read()
    up = np.flatnonzero((edges.type == EdgeType.DERIVED) & ~edges.forward)
    amount = values[edges.row] / np.maximum(_fan_out(edges), 1)
    found: dict[int, dict[int, float]] = {}
    for row in up.tolist():
        note = int(linked.notes[edges.row[row]])
        found.setdefault(int(edges.number[row]), {})[note] = float(amount[row])
    return {number: parts for number, parts in found.items() if len(parts) > 1}


def _rows(edges: Neighbours, kept: npt.NDArray[np.bool_], first: int, nodes: slice) -> Neighbours:
    """These edges, for the part of the frontier that begins at `first`."""
    return Neighbours(
        edges.row[kept] - first,
        edges.number[kept],
        edges.type[kept],
        edges.forward[kept],
        edges.weight[kept],
        edges.degree[nodes],
        edges.cut,
    )


@dataclass(frozen=True, slots=True)
class OverLinks:
    """Hop 0 leaves notes over their links (a note passes a kind's weight on, divided by how many such links it has)
    and derived notes for what they were made from; hop 1 leads each note to its passage."""

    reader: Reader
    plan: Plan
    linked: LinkedNotes

    def __call__(self, frontier: Numbers, hop: int) -> Shares:
        if hop == 0:
            edges = self.linked.read()
            at = np.searchsorted(frontier, self.linked.notes)
            known = (at < len(frontier)) & (frontier[np.minimum(at, len(frontier) - 1)] == self.linked.notes)
            kept = known[edges.row]
            share = self._weights(edges) / np.maximum(_fan_out(edges), 1)
            shares = _shares(edges, np.where(kept, share, 0.0))
            return replace(shares, row=at[shares.row])
        owner = self.reader.heads(frontier).owner
        rows = np.flatnonzero(owner > 0)
        from_note = np.full(len(rows), int(EdgeType.FROM), np.int64)
        return Shares(rows, owner[rows], np.ones(len(rows)), from_note)

    def _weights(self, edges: Neighbours) -> Floats:
        plan, share = self.plan, np.zeros(len(edges.row))
        out = edges.forward
        share[(edges.type == EdgeType.ELABORATES) & out] = plan.elaborates
        share[(edges.type == EdgeType.ELABORATES) & ~out] = plan.elaborated
        share[edges.type == EdgeType.SIMILAR] = plan.similar
        share[edges.type == EdgeType.CAUSES] = plan.causes
        share[(edges.type == EdgeType.DERIVED) & out] = plan.member
        return share


def _fan_out(edges: Neighbours) -> Floats:
    """For each edge how many of its type and direction its node has, among those read."""
    key = (edges.row.astype(np.int64) << 8) | (edges.type.astype(np.int64) << 1) | edges.forward
    _, at, count = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(count[at], np.float64)


@dataclass(frozen=True, slots=True)
class NextTurns:
    reader: Reader
    plan: Plan
    asking: Numbers  # the seeds that hold a question

    def __call__(self, frontier: Numbers, hop: int) -> Shares:  # noqa: ARG002 every hop is alike
        edges = self.reader.neighbours(frontier, (EdgeType.NEXT,), limit=8)
        asks = np.isin(frontier, self.asking)
        forward = np.where(asks[edges.row], self.plan.next_after_question, self.plan.next)
        return _shares(edges, np.where(edges.forward, forward, self.plan.previous))


@dataclass(frozen=True, slots=True)
class OverEntities:
    """Hop 0 leaves passages, hop 1 entities, hop 2 the sources that a title led to. Passages that are reached stay
    where they are, unread: in dialogue, where no page has a title, there is no third hop to ask for.

    An entity passes on title/mention x rarity / fan-out, rarity = 1 / log2(1 + mentions): a name that everything
    mentions leads nowhere.
    """

    reader: Reader
    plan: Plan
    linked: LinkedNotes | None = None
    _sources: set[int] = field(default_factory=set)

    def __call__(self, frontier: Numbers, hop: int) -> Shares:
        limit = self.plan.edges_a_node
        if hop == 0:
            edges = self.reader.neighbours(frontier, (EdgeType.MENTIONS,), limit=limit)
            return _shares(edges, np.where(edges.forward, _by_degree(edges, EdgeType.MENTIONS), 0.0))
        if hop == 1:
            linked = self.linked or LinkedNotes(self.reader, frontier[:0], limit)
            edges = linked.along(frontier, (EdgeType.TITLE, EdgeType.MENTIONS))
            rarity = 1.0 / np.log2(1.0 + np.maximum(edges.degree[:, EdgeType.MENTIONS], 1))[edges.row]
            title = self.plan.title * _by_degree(edges, EdgeType.TITLE)
            mention = self.plan.mention * _by_degree(edges, EdgeType.MENTIONS)
            share = rarity * np.where(edges.type == EdgeType.TITLE, title, mention)
            self._sources.update(edges.number[edges.type == EdgeType.TITLE].tolist())
            return _shares(edges, np.where(edges.forward, 0.0, share))
        at = np.flatnonzero(np.isin(frontier, list(self._sources)))
        if not len(at):
            return NO_SHARES
        edges = self.reader.neighbours(frontier[at], (EdgeType.PART,), limit=limit)
        shares = _shares(edges, np.where(edges.forward, 0.0, _by_degree(edges, EdgeType.PART)))
        return replace(shares, row=at[shares.row])


def _by_degree(edges: Neighbours, type: EdgeType) -> Floats:
    """1 / the number of edges of this type that the row's node has, read or not."""
    return np.asarray(1.0 / np.maximum(edges.degree[:, type], 1), np.float64)[edges.row]


def _shares(edges: Neighbours, share: Floats) -> Shares:
    kind = np.where(edges.forward, 1, -1) * edges.type.astype(np.int64)
    keep = share > 0
    weighted = (share * edges.weight)[keep]
    return Shares(edges.row[keep], edges.number[keep].astype(np.int64), weighted, kind[keep], edges.cut)


def kind_name(kind: int) -> str:
    """How a path names an edge: `NEXT`, or `~NEXT` against its direction."""
    return EdgeType(abs(kind)).name if kind > 0 else f"~{EdgeType(abs(kind)).name}"


def champions(group: Numbers, values: Floats, numbers: Numbers) -> dict[int, tuple[int, float]]:
    """The strongest seed of each group: group -> (its number, its value)."""
    best: dict[int, tuple[int, float]] = {}
    for index in np.argsort(-values, kind="stable").tolist():
        if values[index] <= 0:
            break
        best.setdefault(int(group[index]), (int(numbers[index]), float(values[index])))
    return best


def groups(section: Numbers, source: Sequence[int] | Numbers) -> Numbers:
    """What a passage stands in: its section, else its source (as a negative number)."""
    return np.where(section > 0, section, -np.maximum(np.asarray(source, np.int64), 0))
