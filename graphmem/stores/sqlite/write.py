"""One batch in one transaction on SQLite: rows, derived rows and the commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from graphmem.schema import Commit, Id, Node, NodeKind, Op, Passage, Space
from graphmem.stores.batchwrite import BatchWrite, Prepared, Stored
from graphmem.stores.chain import Entry, Logged
from graphmem.stores.edgekeys import Full
from graphmem.stores.headrows import HeadRows
from graphmem.stores.keys import local
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.sqlite import edges, heads, jobs, journal, vectors
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.ids import look_up
from graphmem.stores.sqlite.journal import Counters
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.removal import delete_logged
from graphmem.stores.sqlite.rows import INSERT, TEXTS, Row, load, row

PUT_NODE = "INSERT INTO node VALUES(?, ?, ?, ?, 1, 0)"
SET_VERSION = "UPDATE node SET version = ? WHERE n = ?"
RETIRE = "UPDATE node SET retired = 1, version = version + 1 WHERE n IN (SELECT value FROM json_each(?))"

PUT_ALIAS = "INSERT OR IGNORE INTO alias VALUES(?, ?, ?, ?, ?)"


class Write(BatchWrite):
    counters: Counters

    def __init__(
        self, db: sqlite3.Connection, derived: Derived, space: Space, prepared: Prepared, counters: Counters
    ) -> None:
        super().__init__(space, prepared, counters)
        self.db, self.derived = db, derived

    # -- what is there

    def find(self, ids: Sequence[Id]) -> dict[Id, Stored]:
        return look_up(self.db, self.space.number, ids)

    def load(self, keys: Sequence[int]) -> Mapping[int, Node]:
        return load(self.db, keys)

    def texts(self, keys: Sequence[int]) -> Mapping[int, str]:
        return dict(self.db.execute(TEXTS, (listed(list(keys)),)))

    def owner_heads(self, passages: Sequence[int]) -> tuple[list[int], HeadRows]:
        return heads.of_truth(self.db, passages)

    def incident(self, keys: Sequence[int]) -> list[Full]:
        return edges.incident(self.db, keys)

    # -- the truth and what is derived

    def put(self) -> None:
        self.put_rows()
        self.put_aliases()
        self.put_edges()
        self.put_heads()
        self.put_words()
        self.put_vectors()

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
        self.log_updates()
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
        found, seq = self.edges_found(), self.counters.seq + 1
        adjacency, space = self.derived.adjacency, self.space.number
        gone = self.unlinked(found)
        if gone:
            edges.remove(self.db, adjacency, space, gone)
            self.changes += edges.log(self.db, space, seq, Op.DELETE, gone)
        written = edges.write(self.db, adjacency, space, found, self.first_new)
        self.new_edges = written.new
        self.changes += len(written.new) + edges.log(self.db, space, seq, Op.UPDATE, written.heavier)

    def put_heads(self) -> None:
        """New heads from the batch; those of older passages whose speaker became known, and of their notes, anew."""
        heads.put(self.db, [n for _, n in self.new], self.new_heads(self.new_edges))
        heads.renew_with_notes(self.db, self.stale_heads())

    def put_words(self) -> None:
        passages = [(n, self.prepared.term_lists[node.id]) for node, n in self.new if isinstance(node, Passage)]
        if passages:
            self.derived.postings.add(
                self.space.number, local([n for n, _ in passages]), [words for _, words in passages]
            )

    def put_vectors(self) -> None:
        retired = [found.n for found in self.stored.values() if found.retired]
        known = vectors.Known(self.at, self.kind_of, retired, self.first_new)
        self.revectored = vectors.put(self.derived, self.space.number, self.prepared.batch, known)

    # -- going

    def put_retired(self, keys: list[int]) -> None:
        self.derived.take_out(self.space.number, keys, shelve=True)
        self.db.execute(RETIRE, (listed(keys),))

    def put_deleted(self, keys: list[int]) -> list[Logged]:
        logged, gone = delete_logged(self.db, self.derived, self.space.number, keys)
        self.changes += edges.log(self.db, self.space.number, self.counters.seq + 1, Op.DELETE, gone)
        return logged

    # -- beside it

    def put_items(self) -> None:
        batch = self.prepared.batch
        jobs.put_items(self.db, self.space.number, batch.items)
        jobs.put_refusals(self.db, self.space.number, batch.job, batch.refusals)

    def put_commit(self, entry: Entry) -> Commit:
        return journal.put(self.db, self.space.number, self.space.name, self.counters, entry)
