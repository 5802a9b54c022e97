"""One batch in one transaction on the server: some fifteen statements, whatever its size, rows in sorted order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.schema import Commit, Hyperedge, Id, Node, NodeKind, Note, Op, Passage, Space
from graphmem.stores.batchwrite import BatchWrite, Prepared, Stored
from graphmem.stores.chain import Entry, Logged
from graphmem.stores.edgekeys import Full
from graphmem.stores.headrows import HeadRows
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.neo4j import edges, heads, jobs, journal, nodes, removal, vectors, words
from graphmem.stores.neo4j.counter import Counter, put_back
from graphmem.stores.neo4j.model import COLUMNS, ENTITY_LABELS, KIND_LABEL, NOTE_LABELS, fields, labels, references
from graphmem.stores.neo4j.server import Tx, rows
from graphmem.stores.neo4j.vectors import VectorWriter
from graphmem.stores.neo4j.words import Vocabulary

REFERENCES = {
    NodeKind.PASSAGE: ("_source", "_section"),
    NodeKind.SECTION: ("_source",),
    NodeKind.NOTE: ("_owner",),
    NodeKind.HYPEREDGE: ("_owner",),
}


def _columns(kind: NodeKind) -> list[str]:
    return [*COLUMNS[kind].split(), *REFERENCES.get(kind, ())]


def _create(kind: NodeKind) -> str:
    """Row: key, id, labels, head, then the columns; of a passage then its terms, bag and token codes."""
    more = ("_terms", "_bag", "_tokens") if kind == NodeKind.PASSAGE else ()
    named = ", ".join(f"{name}: r[{i}]" for i, name in enumerate([*_columns(kind), *more], 4))
    return f"""UNWIND $rows AS r CREATE (n:Zettel:{KIND_LABEL[kind]}:$(r[2]) {{key: r[0], id: r[1], space: $space,
  version: 1, _kind: {int(kind)}, _head: r[3], {named}}})"""


def _update(kind: NodeKind) -> str:
    """Row: key, version, labels, then the columns."""
    named = ", ".join(f"n.{name} = r[{i}]" for i, name in enumerate(_columns(kind), 3))
    other = ":".join(NOTE_LABELS if kind == NodeKind.NOTE else ENTITY_LABELS)
    return f"""UNWIND $rows AS r MATCH (n:Zettel {{key: r[0]}})
  REMOVE n:{other} SET n:$(r[2]) SET n.version = r[1], {named}"""


CREATE = {kind: _create(kind) for kind in NodeKind}
UPDATE = {kind: _update(kind) for kind in NodeKind}
PUT_ALIASES = """UNWIND $rows AS r MERGE (a:_Alias {space: $space, folded: r[0], entity: r[1]})
  ON CREATE SET a.passage = r[2], a.seq = $seq, a.fresh = true
  WITH a WHERE a.fresh REMOVE a.fresh RETURN count(a)"""


@dataclass(frozen=True, slots=True)
class Means:
    """What a write needs beside its batch."""

    vocabulary: Vocabulary
    writer: VectorWriter | None  # None until the store has vectors
    token: str


class Write(BatchWrite):
    counters: Counter

    def __init__(self, tx: Tx, space: Space, prepared: Prepared, counters: Counter, means: Means) -> None:
        super().__init__(space, prepared, counters)
        self.tx, self.means = tx, means
        self._read = nodes.within(tx)

    # -- what is there

    def find(self, ids: Sequence[Id]) -> dict[Id, Stored]:
        return nodes.find(self._read, self.space.number, ids)

    def load(self, keys: Sequence[int]) -> Mapping[int, Node]:
        return nodes.load(self._read, keys)

    def texts(self, keys: Sequence[int]) -> Mapping[int, str]:
        return nodes.texts(self._read, keys)

    def owner_heads(self, passages: Sequence[int]) -> tuple[list[int], HeadRows]:
        return heads.of_truth(self._read, passages)

    def incident(self, keys: Sequence[int]) -> list[Full]:
        return edges.incident(self.tx, keys)

    # -- the truth and what is derived

    def put(self) -> None:
        found = self.edges_found()
        self.put_new(self.new_heads(at for at in found if at[0] >= self.first_new))
        self.put_changed()
        self.put_aliases()
        seq = self.counters.seq + 1
        gone = self.unlinked(found)
        edges.remove(self.tx, gone)
        self.changes += edges.log(self.tx, self.space.number, seq, Op.DELETE, gone)
        written = edges.write(self.tx, found, self.first_new)
        self.new_edges = written.new
        self.changes += len(written.new)
        self.changes += edges.log(self.tx, self.space.number, seq, Op.UPDATE, written.heavier)
        self.counters.count("edges", len(written.new) - len(gone))
        heads.renew_with_notes(self.tx, self.stale_heads())
        self.put_vectors()

    def put_new(self, made: HeadRows) -> None:
        """New nodes with their heads; passages with their words and token codes."""
        packed, size = made.tobytes(), made.dtype.itemsize
        parts: dict[NodeKind, list[list[Any]]] = {}
        bags, tokens = [], self.prepared.batch.tokens
        for i, (node, n) in enumerate(self.new):
            row = [n, node.id, labels(node), packed[i * size : (i + 1) * size], *fields(node)]
            row += references(node, self.at.__getitem__)
            if isinstance(node, Passage):
                spelled, bag = self.means.vocabulary.of(self.prepared.term_lists[node.id])
                row += [spelled, bag, tokens[node.id].tobytes() if node.id in tokens else None]
                bags.append(bag)
            parts.setdefault(KIND_OF[type(node)], []).append(row)
        for kind, part in sorted(parts.items()):
            rows(self.tx, CREATE[kind], space=self.space.number, rows=part)
            self.counters.count_nodes([kind], len(part))
        words.enter(self.tx, self.counters, bags, 1)
        self.changes += len(self.new)

    def put_changed(self) -> None:
        parts: dict[NodeKind, list[list[Any]]] = {}
        for node, n, old in self.changed:
            row = [n, old.version + 1, labels(node), *fields(node), *references(node, self.at.__getitem__)]
            parts.setdefault(KIND_OF[type(node)], []).append(row)
        for kind, part in sorted(parts.items()):
            rows(self.tx, UPDATE[kind], rows=sorted(part, key=lambda row: row[0]))
        self.counters.touched |= {n for node, n, _ in self.changed if isinstance(node, (Note, Hyperedge))}
        self.log_updates()

    def put_aliases(self) -> None:
        told = {
            (a.folded, self.at[a.entity]): None if a.passage is None else self.at[a.passage]
            for a in reversed(self.prepared.batch.aliases)
        }
        if told:
            named = [[folded, entity, passage] for (folded, entity), passage in sorted(told.items())]
            made = rows(self.tx, PUT_ALIASES, space=self.space.number, seq=self.counters.seq + 1, rows=named)
            self.changes += made[0][0]

    def put_vectors(self) -> None:
        retired = {found.n for found in self.stored.values() if found.retired}
        known = vectors.Known(self.at, self.kind_of, retired, self.first_new)
        self.revectored = vectors.put(self.tx, self.means.writer, self.prepared.batch, known, self.counters)

    # -- going

    def put_retired(self, keys: list[int]) -> None:
        removal.retire(self.tx, self.counters, keys)

    def put_deleted(self, keys: list[int]) -> list[Logged]:
        logged, gone = removal.delete_logged(self.tx, self.counters, keys)
        self.changes += edges.log(self.tx, self.space.number, self.counters.seq + 1, Op.DELETE, gone)
        return logged

    # -- beside it

    def put_items(self) -> None:
        batch = self.prepared.batch
        jobs.put_items(self.tx, self.space.number, batch.items)
        jobs.put_refusals(self.tx, self.counters, batch.job, batch.refusals, self.means.token)

    def put_commit(self, entry: Entry) -> Commit:
        return journal.put(self.tx, self.space, self.counters, entry, self.means.token)


def write(tx: Tx, space: Space, prepared: Prepared, counter: Counter, means: Means) -> Commit | None:
    made = Write(tx, space, prepared, counter, means).run()
    if made is None:
        put_back(tx, counter)
    return made
