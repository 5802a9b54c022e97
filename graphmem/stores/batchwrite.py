"""One batch, one transaction: what it names is looked up, checked and sorted here; a store says how rows are put.

Everything is set-based: a batch costs some thirty statements, whatever its size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from graphmem.analysis import indexed_text, terms
from graphmem.errors import Conflict, InputError, NotFound
from graphmem.schema import (
    ROLES,
    Batch,
    Commit,
    EdgeType,
    Hyperedge,
    Id,
    Node,
    NodeKind,
    Note,
    Op,
    Passage,
    Space,
    Span,
)
from graphmem.stores.base import NO_TIME
from graphmem.stores.chain import Entry, Logged
from graphmem.stores.edgekeys import Full, Key, Value, collect, implied
from graphmem.stores.headrows import HEAD, HeadRows, blank
from graphmem.stores.images import image, older_values, pack
from graphmem.stores.keys import NUMBER_LIMIT, NUMBER_MASK, SPACE_BITS, Keys
from graphmem.stores.kinds import IMMUTABLE, KIND_OF, named

STEMS = {int(type) for type in (EdgeType.FROM, EdgeType.DERIVED, *ROLES)}
HEX = frozenset("0123456789abcdef")
SPEAKER = int(EdgeType.SPEAKER)  # a plain int: an enum's comparison and hash are calls


@contextmanager
def fitting(*also: type[Exception]) -> Iterator[None]:
    """Within it a value that no row can hold is an InputError, and what else is named."""
    kinds: tuple[type[Exception], ...] = (OverflowError, UnicodeEncodeError, *also)
    try:
        yield
    except kinds as error:
        raise InputError(
            f"a value does not fit the store: {error}",
            hint="times are within the years 1 to 9999, other numbers have 64 bits (ordinals 32), text no surrogates",
        ) from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is worked out before the writer's lock is taken: the batch's nodes once each, the words of its passages."""

    batch: Batch
    nodes: dict[Id, Node]
    term_lists: dict[Id, list[str]]

    def asked(self) -> list[Id]:
        """All ids that the batch names."""
        batch = self.batch
        asked = dict.fromkeys(self.nodes)
        for node in self.nodes.values():
            asked.update(dict.fromkeys(named(node)))
        for edge in batch.edges:
            asked[edge.src] = asked[edge.dst] = None
        asked.update(dict.fromkeys(batch.vector_ids))
        asked.update(dict.fromkeys(alias.entity for alias in batch.aliases))
        asked.update(dict.fromkeys(alias.passage for alias in batch.aliases if alias.passage is not None))
        asked.update(dict.fromkeys((*batch.tokens, *batch.retire, *(id for id, _ in batch.delete))))
        return list(asked)


def prepare(batch: Batch) -> Prepared:
    nodes: dict[Id, Node] = {}
    for node in batch.nodes:
        other = nodes.setdefault(node.id, node)
        if other is not node and (KIND_OF[type(other)] != KIND_OF[type(node)] or image(other) != image(node)):
            raise InputError(f"the batch has two different {KIND_OF[type(node)].name.lower()}s with id {node.id}")
    count = 0 if batch.vectors is None else len(batch.vectors)
    if len(batch.vector_ids) != count:
        raise InputError(f"the batch names {len(batch.vector_ids)} nodes for {count} vectors")
    term_lists = {id: terms(indexed_text(node)) for id, node in nodes.items() if isinstance(node, Passage)}
    return Prepared(batch, nodes, term_lists)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store knows of a node beside its content. `n` is its key, space and number."""

    n: int
    kind: int
    version: int
    retired: bool


class Counts(Protocol):
    """Where the space stands: the last commit and the next number."""

    seq: int
    next: int


class BatchWrite(ABC):
    """The state of one transaction. `at`: keys of all ids that the batch names, stored or new."""

    def __init__(self, space: Space, prepared: Prepared, counters: Counts) -> None:
        self.space, self.prepared, self.counters = space, prepared, counters
        self.base = space.number << SPACE_BITS
        self.first_new = self.base + counters.next
        self.stored: dict[Id, Stored] = {}
        self.at = Keys()
        self.new: list[tuple[Node, int]] = []
        self.changed: list[tuple[Node, int, Node]] = []  # new value, key, old value
        self.logged: dict[int, Logged] = {}
        self.new_edges: list[Key] = []
        self.changes = 0
        self.revectored = False

    def run(self) -> Commit | None:
        """The commit, or None when nothing changed (items and refusals are written either way)."""
        self.check_turn()
        self.look_up()
        self.sort_nodes()
        self.check_spans()
        self.put()
        self.retire()
        self.delete()
        self.put_items()
        return self.commit()

    # -- what a store does

    @abstractmethod
    def find(self, ids: Sequence[Id]) -> dict[Id, Stored]:
        """Those of the ids that are there."""

    @abstractmethod
    def load(self, keys: Sequence[int]) -> Mapping[int, Node]:
        """The nodes of these keys."""

    @abstractmethod
    def texts(self, keys: Sequence[int]) -> Mapping[int, str]:
        """The texts of the passages among these keys."""

    @abstractmethod
    def owner_heads(self, passages: Sequence[int]) -> tuple[list[int], HeadRows]:
        """Heads of stored live passages, with their keys."""

    @abstractmethod
    def incident(self, keys: Sequence[int]) -> Iterable[Full]:
        """All edges with an end among these nodes."""

    @abstractmethod
    def put(self) -> None:
        """Rows of new and changed nodes, aliases, edges, and what is derived from them."""

    @abstractmethod
    def put_retired(self, keys: list[int]) -> None:
        """Takes live nodes out of every search."""

    @abstractmethod
    def put_deleted(self, keys: list[int]) -> list[Logged]:
        """Takes nodes out with their edges, whose removal it journals; their images."""

    @abstractmethod
    def put_items(self) -> None:
        """Items and refusals."""

    @abstractmethod
    def put_commit(self, entry: Entry) -> Commit:
        """The commit, its changes and the space's counters."""

    # -- what is there

    def check_turn(self) -> None:
        repeated = self.prepared.batch.replays
        if repeated is not None and repeated.seq != self.counters.seq + 1:
            raise Conflict(
                f"commit {repeated.seq} cannot be repeated: space {self.space.name!r} is at {self.counters.seq}",
                hint="something else writes to the space; go on from where it is",
            )

    def look_up(self) -> None:
        self.stored = self.find(self.prepared.asked())
        self.at = Keys({id: found.n for id, found in self.stored.items()})

    def sort_nodes(self) -> None:
        """Which nodes are new, which changed; what is the same is left alone."""
        known = [id for id in self.prepared.nodes if id in self.stored]
        old = self.load([self.at[id] for id in known]) if known else {}
        n = self.first_new
        for id, node in self.prepared.nodes.items():
            if id in self.stored:
                self._compare(node, self.stored[id], old[self.at[id]])
                continue
            if node.version:
                raise Conflict(f"node {id} is gone, the update names version {node.version}", hint="read it again")
            if len(id) != 32 or not set(id) <= HEX:
                raise InputError(f"{id!r} is no id", hint="an id is 32 lower-case hex digits")
            self.at[id] = n
            self.new.append((node, n))
            n += 1
        if n - self.base > NUMBER_LIMIT:
            raise InputError("the space is full: it holds 4 billion nodes", hint="use another space")

    def _compare(self, node: Node, stored: Stored, old: Node) -> None:
        if KIND_OF[type(node)] == stored.kind and (
            node == old or node == replace(old, version=node.version) or image(node) == image(old)
        ):
            return
        name = NodeKind(stored.kind).name.lower()
        if stored.kind in IMMUTABLE or KIND_OF[type(node)] != stored.kind:
            raise InputError(f"{name} {node.id} is in the store with other content", hint="a changed one has a new id")
        if node.version != stored.version:
            raise Conflict(
                f"{name} {node.id} has version {stored.version}, the update was computed from {node.version}",
                hint="read it again and compute the update anew",
            )
        self.changed.append((node, stored.n, old))

    def check_spans(self) -> None:
        touched = (*(node for node, _ in self.new), *(node for node, _, _ in self.changed))
        quoting = [node for node in touched if isinstance(node, (Note, Hyperedge))]
        nodes = self.prepared.nodes
        outside = {span.passage for node in quoting for span in node.spans if span.passage not in nodes}
        keys = {self.at[id]: id for id in outside}
        texts = {keys[n]: text for n, text in self.texts(sorted(keys)).items()} if keys else {}
        for node in quoting:
            for span in node.spans:
                passage = nodes.get(span.passage)
                text = passage.text if isinstance(passage, Passage) else texts.get(span.passage)
                if text is None or text[span.start : span.end] != span.quote:
                    raise _wrong_quote(span, text)

    # -- what is to be there

    def log_updates(self) -> None:
        """Old values of the fields that changed."""
        for node, n, old in self.changed:
            before = pack(older_values(image(old), image(node)))
            self.logged[n] = (n, bytes.fromhex(node.id), Op.UPDATE, before)

    def edges_found(self) -> dict[Key, Value]:
        """Edges of the batch and those that its new and changed nodes stand for."""
        touched = [*self.new, *((node, n) for node, n, _ in self.changed)]
        return collect(self.prepared.batch.edges, touched, self.at)

    def unlinked(self, found: Mapping[Key, Value]) -> list[Full]:
        """Stored edges that a changed node stood for and no longer does."""
        before = {id for _, _, old in self.changed for id in named(old) if id not in self.at}
        self.at.update({id: found.n for id, found in self.find(sorted(before)).items()} if before else {})
        gone = {
            at
            for node, n, old in self.changed
            for at in dict(implied(old, n, self.at)).keys() - dict(implied(node, n, self.at)).keys()
            if at not in found
        }
        ends = [n for _, n, _ in self.changed] if gone else []
        return [full for full in self.incident(ends) if full[:4] in gone] if ends else []

    def new_heads(self, edges: Iterable[Key]) -> HeadRows:
        """Heads of the new nodes, in their order; `edges` has those of new passages to their speakers."""
        made = blank(len(self.new))
        made["kind"] = [KIND_OF[type(node)] for node, _ in self.new]
        speakers: dict[int, int] = {}
        for src, type_, dst, _ in edges:
            if type_ == SPEAKER:
                speakers[src] = min(dst, speakers.get(src, dst))
        place: dict[Id, int] = {}
        rows = []
        for i, (node, n) in enumerate(self.new):
            if isinstance(node, Passage):
                place[node.id] = i
                rows.append(self._head(node, n, speakers.get(n, 0)))
        if rows:
            made[list(place.values())] = np.array(rows, HEAD)
        self._follow(made, place)
        return made

    def _head(self, node: Passage, n: int, speaker: int) -> tuple[int, ...]:
        section = 0 if node.section is None else self.at[node.section] & NUMBER_MASK
        at_us = NO_TIME if node.at_us is None else node.at_us
        source, speaker = self.at[node.source] & NUMBER_MASK, speaker & NUMBER_MASK
        return 3, int(node.form), n & NUMBER_MASK, source, section, speaker, node.ordinal, at_us

    def _follow(self, made: HeadRows, place: dict[Id, int]) -> None:
        """Notes and hyperedges take after their first passage."""
        inside, outside = list[tuple[int, int]](), list[tuple[int, int]]()
        for i, (node, _) in enumerate(self.new):
            if isinstance(node, (Note, Hyperedge)) and node.spans:
                passage = node.spans[0].passage
                if passage in place:
                    inside.append((i, place[passage]))
                else:
                    outside.append((i, self.at[passage]))
        known, found = self.owner_heads(sorted({n for _, n in outside})) if outside else ([], blank(0))
        at = {n: j for j, n in enumerate(known)}
        for pairs, rows in (
            (inside, made),
            ([(i, at[n]) for i, n in outside if n in at], found),
        ):
            if pairs:
                mine, owners = np.array(pairs).T
                kinds = made["kind"][mine]
                made[mine] = rows[owners]
                made["kind"][mine] = kinds

    def stale_heads(self) -> set[int]:
        """Keys of older nodes whose heads, or those of what quotes them, are to be made again."""
        stale = {at[0] for at in self.new_edges if at[1] == SPEAKER and at[0] < self.first_new}
        return stale | {n for _, n, _ in self.changed}

    def kind_of(self, id: Id) -> int:
        node = self.prepared.nodes.get(id)
        return self.stored[id].kind if node is None else KIND_OF[type(node)]

    # -- going

    def retire(self) -> None:
        keys = [self.at[id] for id in dict.fromkeys(self.prepared.batch.retire) if not self._is_retired(id)]
        if not keys:
            return
        ids = {self.at[id]: id for id in self.prepared.batch.retire}
        self.put_retired(keys)
        for n in keys:
            before = self.logged[n][3] if n in self.logged else None
            self.logged[n] = (n, bytes.fromhex(ids[n]), Op.RETIRE, before)

    def _is_retired(self, id: Id) -> bool:
        found = self.stored.get(id)
        return found is not None and found.retired

    def delete(self) -> None:
        keys = []
        for id, version in self.prepared.batch.delete:
            found = self.stored.get(id)
            if found is None:
                raise NotFound(f"no node {id} to delete", hint="it may be gone already")
            if found.version != version or found.n in self.logged:
                raise Conflict(
                    f"node {id} has version {found.version}, the delete was computed from {version}",
                    hint="read it again",
                )
            keys.append(found.n)
        if keys:
            self._refuse_to_orphan(keys)
            self.logged.update({entry[0]: entry for entry in self.put_deleted(keys)})

    def _refuse_to_orphan(self, keys: list[int]) -> None:
        """Evidence is only ever erased, and what is derived from a node goes with it or before it."""
        gone = set(keys)
        if any(found.kind in IMMUTABLE for found in self.stored.values() if found.n in gone):
            raise InputError("sources, sections and passages are never deleted", hint="`forget` erases them")
        for src, type_, dst, *_ in self.incident(keys):
            if dst in gone and src not in gone and type_ in STEMS:
                id = next(id for id, n in self.at.items() if n == dst)
                raise InputError(f"node {id} has a note or relation made from it", hint="delete that with it")

    def commit(self) -> Commit | None:
        changes = self.changes + len(self.logged)
        batch = self.prepared.batch
        if not changes and not self.revectored and batch.replays is None:
            return None
        return self.put_commit(
            Entry(
                batch.job,
                batch.actor,
                batch.cause,
                self.counters.next,
                b"".join(bytes.fromhex(node.id) for node, _ in self.new),
                self.new_edges,
                [self.logged[n] for n in sorted(self.logged)],
                changes,
                batch.replays.at_us if batch.replays else None,
            )
        )


def _wrong_quote(span: Span, text: str | None) -> InputError:
    there = "is not in the store" if text is None else f"reads {text[span.start : span.end][:40]!r} there"
    return InputError(
        f"a span quotes {span.quote[:40]!r} at {span.start}:{span.end}, passage {span.passage} {there}",
        hint="spans count code points of the passage's text",
    )
