"""One batch, one transaction: look up what it names, check it, write rows, derived rows and the commit.

Everything is set-based: a batch costs some thirty statements, whatever its size.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace

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
from graphmem.stores.sqlite import edges, heads, jobs, journal, vectors
from graphmem.stores.sqlite.derived import Derived, local
from graphmem.stores.sqlite.edges import Key, Value
from graphmem.stores.sqlite.ids import Keys, Stored, look_up
from graphmem.stores.sqlite.images import image, older_values, pack
from graphmem.stores.sqlite.journal import Counters, Entry, Logged
from graphmem.stores.sqlite.keys import NUMBER_LIMIT, NUMBER_MASK, SPACE_BITS, listed
from graphmem.stores.sqlite.removal import delete_logged
from graphmem.stores.sqlite.rows import IMMUTABLE, INSERT, KIND_OF, TEXTS, Row, load, named, row

PUT_NODE = "INSERT INTO node VALUES(?, ?, ?, ?, 1, 0)"
SET_VERSION = "UPDATE node SET version = ? WHERE n = ?"
RETIRE = "UPDATE node SET retired = 1, version = version + 1 WHERE n IN (SELECT value FROM json_each(?))"

PUT_ALIAS = "INSERT OR IGNORE INTO alias VALUES(?, ?, ?, ?, ?)"
STEMS = {int(type) for type in (EdgeType.FROM, EdgeType.DERIVED, *ROLES)}
HEX = frozenset("0123456789abcdef")
SPEAKER = int(EdgeType.SPEAKER)  # a plain int: an enum's comparison and hash are calls


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is worked out before the writer's lock is taken: the batch's nodes once each, the words of its passages."""

    batch: Batch
    nodes: dict[Id, Node]
    term_lists: dict[Id, list[str]]


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


@dataclass(slots=True)
class Write:
    """The state of one transaction. `at`: keys of all ids that the batch names, stored or new."""

    db: sqlite3.Connection
    derived: Derived
    space: Space
    prepared: Prepared
    counters: Counters
    base: int = 0
    first_new: int = 0
    stored: dict[Id, Stored] = field(default_factory=dict)
    at: Keys = field(default_factory=Keys)
    new: list[tuple[Node, int]] = field(default_factory=list)
    changed: list[tuple[Node, int, Node]] = field(default_factory=list)  # new value, key, old value
    logged: dict[int, Logged] = field(default_factory=dict)
    edges: edges.Written = field(default_factory=lambda: edges.Written([], []))
    changes: int = 0
    revectored: bool = False

    def run(self) -> Commit | None:
        """The commit, or None when nothing changed (items and refusals are written either way)."""
        self.check_turn()
        self.look_up()
        self.sort_nodes()
        self.check_spans()
        self.put_rows()
        self.put_aliases()
        self.put_edges()
        self.put_heads()
        self.put_words()
        self.put_vectors()
        self.retire()
        self.delete()
        batch = self.prepared.batch
        jobs.put_items(self.db, self.space.number, batch.items)
        jobs.put_refusals(self.db, self.space.number, batch.job, batch.refusals)
        return self.commit()

    # -- what is there

    def check_turn(self) -> None:
        repeated = self.prepared.batch.replays
        if repeated is not None and repeated.seq != self.counters.seq + 1:
            raise Conflict(
                f"commit {repeated.seq} cannot be repeated: space {self.space.name!r} is at {self.counters.seq}",
                hint="something else writes to the space; go on from where it is",
            )

    def look_up(self) -> None:
        batch, nodes = self.prepared.batch, self.prepared.nodes
        asked = dict.fromkeys(nodes)
        for node in nodes.values():
            asked.update(dict.fromkeys(named(node)))
        for edge in batch.edges:
            asked[edge.src] = asked[edge.dst] = None
        asked.update(dict.fromkeys(batch.vector_ids))
        asked.update(dict.fromkeys(alias.entity for alias in batch.aliases))
        asked.update(dict.fromkeys(alias.passage for alias in batch.aliases if alias.passage is not None))
        asked.update(dict.fromkeys((*batch.tokens, *batch.retire, *(id for id, _ in batch.delete))))
        self.stored = look_up(self.db, self.space.number, list(asked))
        self.at = Keys({id: found.n for id, found in self.stored.items()})
        self.base = self.space.number << SPACE_BITS
        self.first_new = self.base + self.counters.next

    def sort_nodes(self) -> None:
        """Which nodes are new, which changed; what is the same is left alone."""
        known = [id for id in self.prepared.nodes if id in self.stored]
        old = load(self.db, [self.at[id] for id in known])
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
        texts = {keys[n]: text for n, text in self.db.execute(TEXTS, (listed(sorted(keys)),))} if keys else {}
        for node in quoting:
            for span in node.spans:
                passage = nodes.get(span.passage)
                text = passage.text if isinstance(passage, Passage) else texts.get(span.passage)
                if text is None or text[span.start : span.end] != span.quote:
                    raise _wrong_quote(span, text)

    # -- the truth

    def put_rows(self) -> None:
        kinds = {n: KIND_OF[type(node)] for node, n in self.new}
        space = self.space.number
        self.db.executemany(PUT_NODE, [(n, space, bytes.fromhex(node.id), int(kinds[n])) for node, n in self.new])
        rows: dict[NodeKind, list[Row]] = {}
        for node, n in self.new:
            rows.setdefault(kinds[n], []).append(row(node, n, self.at.__getitem__))
        for node, n, old in self.changed:
            rows.setdefault(KIND_OF[type(node)], []).append(row(node, n, self.at.__getitem__))
            self.db.execute(SET_VERSION, (old.version + 1, n))
            before = pack(older_values(image(old), image(node)))
            self.logged[n] = (n, bytes.fromhex(node.id), Op.UPDATE, before)
        for kind, part in rows.items():
            self.db.executemany(INSERT[kind], part)
        self.changes += len(self.new)

    def put_aliases(self) -> None:
        seq, space = self.counters.seq + 1, self.space.number
        rows = [
            (space, a.folded, self.at[a.entity], None if a.passage is None else self.at[a.passage], seq)
            for a in self.prepared.batch.aliases
        ]
        if rows:
            self.changes += max(self.db.executemany(PUT_ALIAS, rows).rowcount, 0)

    def put_edges(self) -> None:
        touched = [*self.new, *((node, n) for node, n, _ in self.changed)]
        found = edges.collect(self.prepared.batch.edges, touched, self.at)
        self._unlink(found)
        adjacency = self.derived.adjacency
        self.edges = edges.write(self.db, adjacency, self.space.number, found, self.first_new)
        heavier = edges.log(self.db, self.space.number, self.counters.seq + 1, Op.UPDATE, self.edges.heavier)
        self.changes += len(self.edges.new) + heavier

    def _unlink(self, found: dict[Key, Value]) -> None:
        """Edges that a changed node stood for and no longer does."""
        gone = {
            at
            for node, n, old in self.changed
            for at in dict(edges.implied(old, n, self.at)).keys() - dict(edges.implied(node, n, self.at)).keys()
            if at not in found
        }
        ends = [n for _, n, _ in self.changed] if gone else []
        rows = [full for full in edges.incident(self.db, ends) if full[:4] in gone]
        if rows:
            edges.remove(self.db, self.derived.adjacency, self.space.number, rows)
            self.changes += edges.log(self.db, self.space.number, self.counters.seq + 1, Op.DELETE, rows)

    # -- derived

    def put_heads(self) -> None:
        """New heads from the batch; those of older passages whose speaker became known, and of their notes, anew."""
        heads.put(self.db, [n for _, n in self.new], self._heads())
        stale = {at[0] for at in self.edges.new if at[1] == EdgeType.SPEAKER and at[0] < self.first_new}
        stale |= {n for _, n, _ in self.changed}
        heads.renew_with_notes(self.db, stale)

    def _heads(self) -> heads.HeadRows:
        made = heads.blank(len(self.new))
        made["kind"] = [KIND_OF[type(node)] for node, _ in self.new]
        speakers: dict[int, int] = {}
        for src, type_, dst, _ in self.edges.new:
            if type_ == SPEAKER:
                speakers[src] = min(dst, speakers.get(src, dst))
        place: dict[Id, int] = {}
        rows: list[Row] = []
        for i, (node, n) in enumerate(self.new):
            if isinstance(node, Passage):
                place[node.id] = i
                rows.append(self._head(node, n, speakers.get(n, 0)))
        if rows:
            made[list(place.values())] = np.array(rows, heads.HEAD)
        self._follow(made, place)
        return made

    def _head(self, node: Passage, n: int, speaker: int) -> Row:
        section = 0 if node.section is None else self.at[node.section] & NUMBER_MASK
        at_us = NO_TIME if node.at_us is None else node.at_us
        source, speaker = self.at[node.source] & NUMBER_MASK, speaker & NUMBER_MASK
        return 3, int(node.form), n & NUMBER_MASK, source, section, speaker, node.ordinal, at_us

    def _follow(self, made: heads.HeadRows, place: dict[Id, int]) -> None:
        """Notes and hyperedges take after their first passage."""
        inside, outside = list[tuple[int, int]](), list[tuple[int, int]]()
        for i, (node, _) in enumerate(self.new):
            if isinstance(node, (Note, Hyperedge)) and node.spans:
                passage = node.spans[0].passage
                if passage in place:
                    inside.append((i, place[passage]))
                else:
                    outside.append((i, self.at[passage]))
        known, found = heads.of_truth(self.db, sorted({n for _, n in outside})) if outside else ([], heads.blank(0))
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

    def put_words(self) -> None:
        passages = [(n, self.prepared.term_lists[node.id]) for node, n in self.new if isinstance(node, Passage)]
        if passages:
            self.derived.postings.add(
                self.space.number, local([n for n, _ in passages]), [words for _, words in passages]
            )

    def put_vectors(self) -> None:
        retired = [found.n for found in self.stored.values() if found.retired]
        known = vectors.Known(self.at, self._kind, retired, self.first_new)
        self.revectored = vectors.put(self.derived, self.space.number, self.prepared.batch, known)

    def _kind(self, id: Id) -> int:
        node = self.prepared.nodes.get(id)
        return self.stored[id].kind if node is None else KIND_OF[type(node)]

    # -- going

    def retire(self) -> None:
        keys = [self.at[id] for id in dict.fromkeys(self.prepared.batch.retire) if not self._is_retired(id)]
        if not keys:
            return
        ids = {self.at[id]: id for id in self.prepared.batch.retire}
        self.derived.take_out(self.space.number, keys, shelve=True)
        self.db.execute(RETIRE, (listed(keys),))
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
            logged, gone = delete_logged(self.db, self.derived, self.space.number, keys)
            self.logged.update({entry[0]: entry for entry in logged})
            self.changes += edges.log(self.db, self.space.number, self.counters.seq + 1, Op.DELETE, gone)

    def _refuse_to_orphan(self, keys: list[int]) -> None:
        """Evidence is only ever erased, and what is derived from a node goes with it or before it."""
        gone = set(keys)
        if any(found.kind in IMMUTABLE for found in self.stored.values() if found.n in gone):
            raise InputError("sources, sections and passages are never deleted", hint="`forget` erases them")
        for src, type_, dst, *_ in edges.incident(self.db, keys):
            if dst in gone and src not in gone and type_ in STEMS:
                id = next(id for id, n in self.at.items() if n == dst)
                raise InputError(f"node {id} has a note or relation made from it", hint="delete that with it")

    def commit(self) -> Commit | None:
        changes = self.changes + len(self.logged)
        batch = self.prepared.batch
        if not changes and not self.revectored and batch.replays is None:
            return None
        entry = Entry(
            batch.job,
            batch.actor,
            batch.cause,
            self.counters.next,
            b"".join(bytes.fromhex(node.id) for node, _ in self.new),
            self.edges.new,
            [self.logged[n] for n in sorted(self.logged)],
            changes,
            batch.replays.at_us if batch.replays else None,
        )
        return journal.put(self.db, self.space.number, self.space.name, self.counters, entry)


def _wrong_quote(span: Span, text: str | None) -> InputError:
    there = "is not in the store" if text is None else f"reads {text[span.start : span.end][:40]!r} there"
    return InputError(
        f"a span quotes {span.quote[:40]!r} at {span.start}:{span.end}, passage {span.passage} {there}",
        hint="spans count code points of the passage's text",
    )
