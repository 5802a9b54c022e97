"""One snapshot of one space: a read transaction on a pooled connection, with a deadline that SQLite itself watches."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphmem.errors import DeadlineExceeded, NotFound
from graphmem.schema import Alias, Change, Commit, Edge, EdgeType, Id, Item, Job, Node, NodeKind, Refusal, Source, Space
from graphmem.stores.base import Candidates, ComposedReads, Floats, Found, Heads, Neighbours, Numbers, Tail, Usage
from graphmem.stores.edgekeys import edge
from graphmem.stores.headrows import usage_columns
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS, node_keys, node_range
from graphmem.stores.sqlite import check, digest, heads, jobs, journal, times
from graphmem.stores.sqlite.connect import bounded
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.ids import ids_of, look_up, packed
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.rows import load

#: SQLite's virtual machine instructions between two looks at the clock: about 0.2 ms.
WATCH_EVERY = 10_000

NOTES_OF = f"""SELECT e.dst, e.src FROM edge e JOIN node ON node.n = e.src
  WHERE e.dst IN (SELECT value FROM json_each(?)) AND e.type = {int(EdgeType.FROM)} AND node.kind = {int(NodeKind.NOTE)}
  AND NOT node.retired ORDER BY e.dst, e.src"""
PAGE = "SELECT n FROM node WHERE space = ? AND id > ? AND kind = ? AND NOT retired ORDER BY id LIMIT ?"
EDGES_OUT = """SELECT src, type, dst, start, stop, weight_q8, reason FROM edge
    WHERE src IN (SELECT value FROM json_each(?1)) AND type IN (SELECT value FROM json_each(?2))"""
EDGES = f"""{EDGES_OUT}
  UNION SELECT src, type, dst, start, stop, weight_q8, reason FROM edge
    WHERE dst IN (SELECT value FROM json_each(?1)) AND type IN (SELECT value FROM json_each(?2))"""
ALIASES_OF = "SELECT entity, folded FROM alias WHERE entity IN (SELECT value FROM json_each(?)) ORDER BY entity, folded"
ALIASES = """SELECT entity, folded, passage FROM alias WHERE entity IN (SELECT value FROM json_each(?))
  ORDER BY entity, folded"""
ENTITIES = """SELECT names.key, alias.entity FROM json_each(?) AS names
  CROSS JOIN alias ON alias.space = ? AND alias.folded = names.value
  CROSS JOIN node ON node.n = alias.entity AND NOT node.retired ORDER BY 1, 2"""
KINDS = "SELECT kind, retired, count(*) FROM node WHERE n BETWEEN ? AND ? GROUP BY kind, retired"
EDGE_COUNT = "SELECT count(*) FROM edge WHERE src BETWEEN ? AND ?"
FIND_SOURCE = """SELECT n FROM source WHERE space = ? AND kind = ? AND outside_id = ? ORDER BY revision DESC LIMIT 1"""
PASSAGES_OF = """SELECT node.id FROM passage JOIN node ON node.n = passage.n WHERE passage.source = ?
  ORDER BY passage.ordinal, passage.n"""
NEXT_ORDINAL = "SELECT max(ordinal) + 1 FROM passage WHERE source = ?"
LAST_PASSAGE = "SELECT n FROM passage WHERE section = ? ORDER BY ordinal DESC, n DESC LIMIT 1"
LAST_LOOSE = "SELECT n FROM passage WHERE source = ? AND section IS NULL ORDER BY ordinal DESC, n DESC LIMIT 1"
SECTIONS = "SELECT count(*) FROM section WHERE source = ?"
LAST_SECTION = "SELECT n FROM section WHERE source = ? ORDER BY ordinal DESC, n DESC LIMIT 1"


class SqliteReader(ComposedReads):
    """Numbers are counted within the space, from 1. Use it from the thread that opened it, until its `with` ends."""

    def __init__(self, derived: Derived, space: Space, seq: int, path: Path, *, deadline_s: float | None) -> None:
        self.space, self.seq, self.path = space, seq, path
        self._derived, self._db = derived, derived.db
        self._number, self._base = space.number, space.number << SPACE_BITS
        self._deadline = None if deadline_s is None else time.monotonic() + deadline_s
        if self._deadline is not None:
            self._db.set_progress_handler(self._is_late, WATCH_EVERY)

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def check_deadline(self) -> None:
        if self._is_late():
            raise DeadlineExceeded("the read ran past its deadline", hint="allow more time", source=str(self.path))

    def _keys(self, ids: Sequence[Id]) -> dict[Id, int]:
        found = look_up(self._db, self._number, ids)
        return {id: found[id].n for id in ids if id in found}

    # -- rows

    @bounded
    def get(self, ids: Sequence[Id]) -> dict[Id, Node]:
        keys = self._keys(ids)
        nodes = load(self._db, list(keys.values()))
        return {id: nodes[n] for id, n in keys.items()}

    @bounded
    def numbers(self, ids: Sequence[Id]) -> Numbers:
        keys = self._keys(ids)
        return np.array([keys[id] & NUMBER_MASK if id in keys else -1 for id in ids], np.int64)

    @bounded
    def nodes(self, numbers: Numbers) -> list[Node]:
        keys = node_keys(self._number, np.asarray(numbers, np.int64))
        nodes = load(self._db, keys)
        missing = [n & NUMBER_MASK for n in keys if n not in nodes]
        if missing:
            raise NotFound(f"no node {missing[0]} in space {self.space.name!r}", hint="it may be erased")
        return [nodes[n] for n in keys]

    @bounded
    def heads(self, numbers: Numbers) -> Heads:
        return heads.read(self._db, self._number, numbers)

    @bounded
    def usage(self, numbers: Numbers) -> Usage:
        keys = node_keys(self._number, np.asarray(numbers, np.int64))
        return usage_columns(keys, jobs.usage(self._db, keys))

    @bounded
    def notes_of(self, passages: Numbers) -> tuple[Numbers, Numbers]:
        passages = np.asarray(passages, np.int64)
        found = self._db.execute(NOTES_OF, (listed(node_keys(self._number, passages)),)).fetchall()
        notes: dict[int, list[int]] = {}
        for passage, note in dict.fromkeys(found):
            notes.setdefault(passage & NUMBER_MASK, []).append(note & NUMBER_MASK)
        pairs = [(row, note) for row, number in enumerate(passages.tolist()) for note in notes.get(number, ())]
        table = np.array(pairs, np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    @bounded
    def page(self, kind: NodeKind, *, after: Id | None = None, limit: int = 100) -> list[Node]:
        last = b"" if after is None else packed([after])
        keys = [n for (n,) in self._db.execute(PAGE, (self._number, last, int(kind), limit))]
        nodes = load(self._db, keys)
        return [nodes[n] for n in keys]

    @bounded
    def edges(
        self, ids: Sequence[Id], types: Iterable[EdgeType] | None = None, *, out_only: bool = False, limit: int = 1000
    ) -> list[Edge]:
        keys = listed(list(self._keys(ids).values()))
        wanted = listed([int(type) for type in (EdgeType if types is None else types)])
        rows = self._db.execute(EDGES_OUT if out_only else EDGES, (keys, wanted)).fetchall()
        names = ids_of(self._db, sorted({n for row in rows for n in (row[0], row[2])}))
        told = [edge(row, names) for row in rows]
        return sorted(told, key=lambda e: (e.src, e.type, e.dst, -1 if e.start is None else e.start))[:limit]

    @bounded
    def aliases_of(self, entities: Sequence[Id]) -> dict[Id, tuple[str, ...]]:
        keys = self._keys(entities)
        found: dict[int, list[str]] = {}
        for entity, folded in self._db.execute(ALIASES_OF, (listed(list(keys.values())),)):
            found.setdefault(entity, []).append(folded)
        return {id: tuple(found.get(n, ())) for id, n in keys.items()}

    @bounded
    def aliases(self, entities: Sequence[Id]) -> list[Alias]:
        keys = self._keys(entities)
        rows = self._db.execute(ALIASES, (listed(list(keys.values())),)).fetchall()
        ids = ids_of(self._db, sorted({n for row in rows for n in (row[0], row[2]) if n is not None}))
        return [Alias(folded, ids[entity], ids.get(passage)) for entity, folded, passage in rows]

    @bounded
    def counts(self) -> dict[str, int]:
        counts = {kind.name.lower(): 0 for kind in NodeKind} | {"retired": 0}
        for kind, retired, count in self._db.execute(KINDS, node_range(self._number)):
            counts["retired" if retired else NodeKind(kind).name.lower()] += count
        counts["edges"] = self._db.execute(EDGE_COUNT, node_range(self._number)).fetchone()[0]
        return counts | {"commits": self.seq, "vectors": self._derived.codes.count(self._number)}

    # -- candidates

    @bounded
    def dense(self, query: Floats, k: int, kinds: Sequence[NodeKind]) -> Candidates:
        wanted = [int(kind) for kind in kinds]
        return Candidates(*self._derived.codes.search(self._number, query, k, wanted, seq=self.seq))

    @bounded
    def cosine(self, query: Floats, numbers: Numbers) -> Floats:
        return self._derived.codes.cosine(self._number, query, np.asarray(numbers, np.int64))

    @bounded
    def vectors(self, numbers: Numbers) -> Floats:
        return self._derived.vectors(self._number, np.asarray(numbers, np.int64))

    @bounded
    def tokens(self, numbers: Numbers) -> tuple[Numbers, npt.NDArray[np.uint8]]:
        return self._derived.token_codes(self._number, np.asarray(numbers, np.int64))

    @bounded
    def text(self, terms: Sequence[str], k: int | None) -> Candidates:
        return Candidates(*self._derived.postings.search(self._number, terms, k))

    @bounded
    def entities(self, folded: Sequence[str]) -> Found:
        rows = self._db.execute(ENTITIES, (listed_text(folded), self._number)).fetchall()
        table = np.array(rows, np.int64).reshape(-1, 2)
        return Found(table[:, 0], table[:, 1] & NUMBER_MASK)

    @bounded
    def times(self, start_us: int, end_us: int, k: int) -> Candidates:
        return times.search(self._db, self._number, start_us, end_us, k)

    # -- graph

    @bounded
    def neighbours(self, frontier: Numbers, types: Sequence[EdgeType], *, limit: int = 512) -> Neighbours:
        wanted = [int(type) for type in types]
        return self._derived.adjacency.neighbours(self._number, np.asarray(frontier, np.int64), wanted, limit)

    # -- sources

    @bounded
    def find_source(self, kind: str, outside_id: str) -> Source | None:
        row = self._db.execute(FIND_SOURCE, (self._number, kind, outside_id)).fetchone()
        node = load(self._db, [row[0]])[row[0]] if row else None
        return node if isinstance(node, Source) else None

    @bounded
    def passages_of(self, source: Id) -> list[Id]:
        keys = self._keys([source])
        return [raw.hex() for (raw,) in self._db.execute(PASSAGES_OF, (keys.get(source, -1),))]

    @bounded
    def tail(self, source: Id, section: Id | None) -> Tail:
        keys = self._keys([source] if section is None else [source, section])
        of = keys.get(source, -1)
        last = (LAST_LOOSE, of) if section is None else (LAST_PASSAGE, keys.get(section, -1))
        passage = self._db.execute(last[0], (last[1],)).fetchone()
        latest = self._db.execute(LAST_SECTION, (of,)).fetchone()
        ids = ids_of(self._db, [row[0] for row in (passage, latest) if row])
        return Tail(
            self._db.execute(NEXT_ORDINAL, (of,)).fetchone()[0] or 0,
            ids[passage[0]] if passage else None,
            ids[latest[0]] if latest else None,
            self._db.execute(SECTIONS, (of,)).fetchone()[0],
        )

    # -- journal

    @bounded
    def commits(self, *, after: int = 0, limit: int = 100) -> list[Commit]:
        return journal.commits(self._db, self._number, self.space.name, after, limit)

    @bounded
    def changes(self, seq: int) -> list[Change]:
        return journal.changes(self._db, self._number, seq)

    @bounded
    def history(self, id: Id) -> list[tuple[Commit, Change]]:
        return journal.history(self._db, self._number, self.space.name, id)

    @bounded
    def jobs(self) -> list[Job]:
        return jobs.jobs(self._db, self._number)

    @bounded
    def items(self, job: Id) -> list[Item]:
        return jobs.items(self._db, self._number, job)

    @bounded
    def refusals(self, job: Id | None = None, *, limit: int = 1000) -> list[Refusal]:
        return jobs.refusals(self._db, self._number, job, limit)

    @bounded
    def digest(self) -> str:
        return digest.digest(self._db, self._number)

    @bounded
    def evidence_digest(self) -> str:
        return digest.evidence_digest(self._db, self._number)

    @bounded
    def check(self) -> list[str]:
        return check.check(self._db, self._derived, self._number)


def end(db: sqlite3.Connection) -> None:
    """Ends a reader's transaction and its watch, whatever became of it."""
    db.set_progress_handler(None, 0)
    if db.in_transaction:
        db.execute("ROLLBACK")


def listed_text(names: Sequence[str]) -> str:
    return json.dumps(list(names))
