"""What one reader sees of one space: each method at most a round trip or two, and a deadline that the server watches.

Neo4j reads what is committed when a statement runs. A reader is opened at a commit; nodes that came later have higher
numbers and are left out of every search, hop and count. What is updated or erased meanwhile shows at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.errors import DeadlineExceeded, InputError, NotFound
from graphmem.schema import Alias, Change, Commit, Edge, EdgeType, Id, Item, Job, Node, NodeKind, Refusal, Source, Space
from graphmem.stores import bm25
from graphmem.stores.base import (
    Candidates,
    Floats,
    Found,
    Heads,
    Named,
    Neighbours,
    Numbers,
    Searched,
    Tail,
    Usage,
    Wanted,
)
from graphmem.stores.edgekeys import edge
from graphmem.stores.headrows import HEAD, blank, columns, usage_columns
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS, node_keys
from graphmem.stores.neo4j import (
    ahead,
    check,
    digest,
    graph,
    jobs,
    journal,
    names,
    near,
    nodes,
    sources,
    times,
    vectors,
    words,
)
from graphmem.stores.neo4j.ahead import Ahead
from graphmem.stores.neo4j.code_cache import CodeCache, Place, chosen
from graphmem.stores.neo4j.connect import IndexFault
from graphmem.stores.neo4j.counter import LOOK, VECTORS, Counter, absent
from graphmem.stores.neo4j.model import RELATION, TYPE_OF, full_edge
from graphmem.stores.neo4j.server import Rows, Server
from graphmem.stores.neo4j.vector_cache import EXACT_LIMIT, VectorCache, nearest
from graphmem.stores.neo4j.words import Vocabulary
from graphmem.stores.scan import cosines, widened

AHEAD = 128  # passages that words find whose heads, token codes and hops come along: recall ranks the 80 best
TIES = 8  # more notes than are wanted, as the server's cosines order those that ours hold equal as it likes
NEAR_AHEAD = 84  # and passages of the nearest notes, which come in exact order
AHEAD_WINDOW = 64

HEADS = f"""UNWIND $keys AS key MATCH (n:Zettel {{key: key}}) WHERE n._head IS NOT NULL
  RETURN key, n._head, {ahead.USED}"""
HALVES = (
    "UNWIND $keys AS key MATCH (n:Zettel {key: key}) WHERE n._half IS NOT NULL RETURN key, n._half, n._head IS NOT NULL"
)
NOTES_OF = """UNWIND $keys AS key MATCH (:Zettel {key: key})<-[:FROM]-(n:Note) WHERE n._head IS NOT NULL
    AND n.key < $before RETURN DISTINCT key, n.key AS note ORDER BY key, note"""
PAGE = """MATCH (n:Zettel {space: $space}) WHERE n.id > $after AND n._kind = $kind AND n._head IS NOT NULL
  WITH n ORDER BY n.id LIMIT $limit RETURN n.id"""
EDGES = """UNWIND $ids AS id MATCH (a:Zettel {space: $space, id: id})-[e]->(b:Zettel) WHERE type(e) IN $types
    RETURN a.key, type(e), b.key, e.start, e.end, e.weight, e.reason, a.id, b.id
  UNION UNWIND $inward AS id MATCH (b:Zettel {space: $space, id: id})<-[e]-(a:Zettel) WHERE type(e) IN $types
    RETURN a.key, type(e), b.key, e.start, e.end, e.weight, e.reason, a.id, b.id"""
WORDS = """UNWIND $queries AS query
  CALL db.index.fulltext.queryNodes('graphmem_words', query, {limit: $limit}) YIELD node
  RETURN node.key, node._bag"""


class Neo4jReader:
    """Numbers are counted within the space, from 1. Use it from the thread that opened it, until its `with` ends."""

    def __init__(
        self,
        server: Server,
        space: Space,
        *,
        cache: VectorCache,
        codes: CodeCache,
        vocabulary: Vocabulary,
        dimension: int,
        filtered: bool,
        deadline_s: float | None,
    ) -> None:
        self.space = space
        self._server, self._cache, self._codes, self._vocabulary = server, cache, codes, vocabulary
        self._dimension, self._filtered = dimension, filtered
        self._end = None if deadline_s is None else time.monotonic() + deadline_s
        self._base = space.number << SPACE_BITS
        self._counter = self._count()
        self.seq = self._counter.seq
        self._before = self._base + self._counter.next
        self._ahead = Ahead(self._counter.next)

    def _count(self) -> Counter:
        found = self._server.read(LOOK, {"space": self.space.number})
        if not found:
            raise absent(self.space)
        return Counter.of(found[0][0])

    def _read(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        if self._end is not None and time.monotonic() > self._end:
            raise DeadlineExceeded("the read ran past its deadline", hint="allow more time", source=self._server.url)
        return self._server.read(statement, parameters, end=self._end)

    def _ask(self, statement: str, **parameters: Any) -> Rows:
        return self._read(statement, parameters)

    def _keys(self, numbers: Numbers) -> list[int]:
        return node_keys(self.space.number, np.asarray(numbers, np.int64))

    # -- rows

    def get(self, ids: Sequence[Id]) -> dict[Id, Node]:
        found = nodes.load_ids(self._read, self.space.number, ids)
        return {id: found[id] for id in ids if id in found}

    def numbers(self, ids: Sequence[Id]) -> Numbers:
        found = nodes.find(self._read, self.space.number, list(dict.fromkeys(ids)))
        return np.array([found[id].n & NUMBER_MASK if id in found else -1 for id in ids], np.int64)

    def nodes(self, numbers: Numbers) -> list[Node]:
        keys = self._keys(numbers)
        found = nodes.load(self._read, list(dict.fromkeys(keys)))
        missing = [n & NUMBER_MASK for n in keys if n not in found]
        if missing:
            raise NotFound(f"no node {missing[0]} in space {self.space.name!r}", hint="it may be erased")
        return [found[n] for n in keys]

    def heads(self, numbers: Numbers) -> Heads:
        numbers = np.asarray(numbers, np.int64)
        keys = self._keys(numbers)
        known = self._ahead.heads
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            known.update(dict.fromkeys(unknown))
            if len(unknown) <= AHEAD:
                self._come_along(unknown)
            else:
                self._ahead.used.update(dict.fromkeys(unknown))
                for key, head, used in self._ask(HEADS, keys=unknown):
                    known[key] = head
                    self._ahead.take_usage([(key, used)])
        none = blank(1).tobytes()
        rows = np.frombuffer(b"".join(known[key] or none for key in keys), HEAD)
        return columns(numbers, rows)

    def _come_along(self, keys: list[int]) -> None:
        """What a recall asks of passages, of these."""
        found = self._ask(ahead.PASSAGES, keys=keys, before=self._before, window=AHEAD_WINDOW)
        self._ahead.take_passages(found, AHEAD_WINDOW)

    def usage(self, numbers: Numbers) -> Usage:
        keys = self._keys(numbers)
        known = self._ahead.used
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            self._come_with_tokens(unknown)
        return usage_columns(keys, known)

    def _come_with_tokens(self, keys: list[int]) -> None:
        """Token codes, texts, vectors, notes and uses of these: what a recall asks of those that its hops found."""
        self._ahead.expect(keys)
        self._ahead.take_tokens(self._ask(ahead.TOKENS, keys=keys, before=self._before))

    def notes_of(self, passages: Numbers) -> tuple[Numbers, Numbers]:
        keys = self._keys(passages)
        known = self._ahead.notes
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            known.update({key: [] for key in unknown})
            for passage, note in self._ask(NOTES_OF, keys=unknown, before=self._before):
                known[passage].append(note)
        pairs = [(row, note & NUMBER_MASK) for row, key in enumerate(keys) for note in known[key]]
        table = np.array(pairs, np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def page(self, kind: NodeKind, *, after: Id | None = None, limit: int = 100) -> list[Node]:
        asked = {"space": self.space.number, "after": after or "", "kind": int(kind), "limit": limit}
        ids = [row[0] for row in self._read(PAGE, asked)]
        found = nodes.load_ids(self._read, self.space.number, ids)
        return [found[id] for id in ids if id in found]

    def edges(
        self, ids: Sequence[Id], types: Iterable[EdgeType] | None = None, *, out_only: bool = False, limit: int = 1000
    ) -> list[Edge]:
        relations = [RELATION[type] for type in (EdgeType if types is None else types)]
        asked = {
            "space": self.space.number,
            "types": relations,
            "ids": list(ids),
            "inward": [] if out_only else list(ids),
        }
        found = self._read(EDGES, asked) if ids else ()
        known = {n: id for row in found for n, id in ((row[0], row[7]), (row[2], row[8]))}
        told = [edge(full_edge(row[:7]), known) for row in found if row[1] in TYPE_OF]
        return sorted(told, key=lambda e: (e.src, e.type, e.dst, -1 if e.start is None else e.start))[:limit]

    def aliases_of(self, entities: Sequence[Id]) -> dict[Id, tuple[str, ...]]:
        return names.aliases_of(self._read, self.space.number, entities)

    def aliases(self, entities: Sequence[Id]) -> list[Alias]:
        return names.aliases(self._read, self.space.number, entities)

    def counts(self) -> dict[str, int]:
        self._in_time()
        return self._counter.counts()

    def _in_time(self) -> None:
        if self._end is not None and time.monotonic() > self._end:
            raise DeadlineExceeded("the read ran past its deadline", hint="allow more time", source=self._server.url)

    # -- candidates

    def dense(self, query: Floats, k: int, kinds: Sequence[NodeKind]) -> Candidates:
        self._in_time()
        return self._dense(query, k, kinds)[0]

    def _dense(self, query: Floats, k: int, kinds: Sequence[NodeKind]) -> tuple[Candidates, Numbers]:
        """And the passages that what was found stands in first."""
        query = self._fitting(query)
        held = {kind: self._counter.tallies[VECTORS.get(int(kind), "other_vectors")] for kind in dict.fromkeys(kinds)}
        held = {kind: count for kind, count in held.items() if count}
        none = np.zeros(0, np.int64)
        if not held or k <= 0:
            return Candidates(none, np.zeros(0, np.float32)), none
        if sum(held.values()) <= EXACT_LIMIT:
            number = self.space.number
            matrices = [self._cache.matrix(self._read, number, int(kind), self.seq, self._dimension) for kind in held]
            found, scores, owners = nearest(matrices, query, k, self._counter.next)
            return Candidates(found, scores), owners
        keys = self._chosen(query, k, held)
        if keys is not None:
            return near.rescored(self._ask(near.CHOSEN, chosen=keys)[0][0], query, k)
        rows = [row for kind in held for row in self._near(query, k, kind, wide=near.width(k))]
        return near.rescored(rows, query, k)

    def _chosen(self, query: Floats, k: int, held: Mapping[NodeKind, int]) -> list[int] | None:
        """Which of these kinds to score for the k nearest, most promising first; None as long as codes are missing."""
        tables = []
        for kind, count in held.items():
            place = Place(self.space.number, int(kind), self._dimension)
            table = self._codes.table(self._read, place, self._counter, count)
            if table is None:
                return None
            tables.append(table)
        return self._keys(chosen(tables, query, k, self._counter.next))

    def _near(self, query: Floats, k: int, kind: NodeKind, *, wide: int) -> Rows:
        asked = {"vector": query.astype(np.float64).tolist(), "space": self.space.number, "before": self._before}
        enough = self._enough(k, kind)
        try:
            return near.nearest(self._read, kind, wide, asked, enough=enough, filtered=self._filtered)
        except IndexFault:
            if not self._filtered:
                raise
        return near.nearest(self._read, kind, wide, asked, enough=enough, filtered=False)

    def _enough(self, k: int, kind: NodeKind) -> int:
        """`k` vectors of a kind, or as many as the space has."""
        return min(k, self._counter.tallies[VECTORS.get(int(kind), "other_vectors")])

    def _fitting(self, query: Floats) -> Floats:
        query = np.ascontiguousarray(query, np.float32)
        if len(query) != self._dimension:
            raise InputError(
                f"a vector has {len(query)} numbers; those of this memory have {self._dimension}",
                hint="use the embedder that the memory was made with",
            )
        return query

    def cosine(self, query: Floats, numbers: Numbers) -> Floats:
        query = self._fitting(query)
        rows, missing = self._vectors(numbers, live=True)
        scores = cosines(rows, query)
        scores[missing] = np.nan
        return scores

    def vectors(self, numbers: Numbers) -> Floats:
        return self._vectors(numbers, live=False)[0]

    def _vectors(self, numbers: Numbers, *, live: bool) -> tuple[Floats, npt.NDArray[np.bool_]]:
        keys = self._keys(numbers)
        found = self._ask(HALVES, keys=list(dict.fromkeys(keys))) if keys else []
        held = {key: half for key, half, searched in found if searched or not live}
        none = bytes(2 * self._dimension)
        rows = widened(b"".join(held.get(key, none) for key in keys), self._dimension)
        return rows, np.array([key not in held for key in keys], bool)

    def said(self, numbers: Numbers) -> tuple[list[str], Floats]:
        keys = self._keys(numbers)
        known = self._ahead.said
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            self._come_with_tokens(unknown)
        none = bytes(2 * self._dimension)
        halves = b"".join(known[key][1] or none for key in keys)
        return [known[key][0] for key in keys], widened(halves, self._dimension)

    def tokens(self, numbers: Numbers) -> tuple[Numbers, npt.NDArray[np.uint8]]:
        keys = self._keys(numbers)
        known = self._ahead.tokens
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            self._come_with_tokens(unknown)
        return vectors.aligned([known[key] for key in keys], (self._dimension + 7) // 8)

    def text(self, terms: Sequence[str], k: int | None) -> Candidates:
        self._in_time()
        wanted = words.ordered(terms, self._vocabulary)
        docs = self._counter.tallies["docs"]
        if not docs or not wanted:
            return Candidates(np.zeros(0, np.int64), np.zeros(0, np.float32))
        limit = docs + 1 if k is None else words.fetched(k, docs)
        found = self._ask(WORDS, queries=words.queries(wanted), limit=limit)
        return self._scored(found, wanted, k, limit)

    def _scored(
        self, found: Sequence[Sequence[Any]], wanted: list[int], k: int | None, limit: int, held: Rows | None = None
    ) -> Candidates:
        """BM25 of what the index gave. When it gave all that it was asked for there may be more: then the space's own
        statistics (`held`, asked for when not given) tell how many passages have a term."""
        hits = {key: bag for key, bag in found if bag is not None and key < self._before}
        more = len(found) >= limit and limit <= self._counter.tallies["docs"]
        if more and held is None:
            held = self._ask(words.BUCKETS, space=self.space.number, buckets=self._buckets(wanted))
        found_in = words.counted(held or [], wanted) if more else None
        numbers, scores = words.scored(hits, wanted, self._counter, found_in)
        found_numbers, best_scores = bm25.best(numbers, scores, k)
        return Candidates(found_numbers, best_scores, not more)

    def _buckets(self, wanted: list[int]) -> list[int]:
        return sorted(set(words.bucket_of(np.array(wanted, np.uint64), self._counter.spread).tolist()))

    def entities(self, folded: Sequence[str]) -> Found:
        return names.entities(self._read, self.space.number, folded, self._before)

    def times(self, start_us: int, end_us: int, k: int) -> Candidates:
        return times.ranked(self._ask(times.SEARCH, **self._interval((start_us, end_us), k)), k)[0]

    def _interval(self, interval_us: tuple[int, int], k: int) -> dict[str, Any]:
        start_us, end_us = interval_us
        return {
            "space": self.space.number, "start_us": start_us, "end_us": end_us, "timed": k, "before": self._before
        }  # fmt: skip

    # -- what a recall asks first

    def named(self, folded: Sequence[str], *, limit: int) -> Named:
        found = names.named(
            self._read, self.space.number, folded, before=self._before, limit=limit, window=graph.WINDOW
        )
        self._ahead.titled = list(dict.fromkeys((self._base + found.titled).tolist()))
        return found

    def search(self, wanted: Wanted) -> Searched:
        terms = words.ordered(wanted.terms, self._vocabulary)
        docs = self._counter.tallies["docs"]
        limit = words.fetched(wanted.passages, docs)
        known, keys = self._known_near(wanted)
        how = "known" if known is not None else "chosen" if keys is not None else "within" if self._filtered else "over"
        asked = {
            "queries": words.queries(terms) if docs else [],
            "limit": limit,
            "buckets": self._buckets(terms) if limit <= docs else [],
            "titled": self._ahead.titled[:AHEAD],
            "ahead": AHEAD,
            "window": AHEAD_WINDOW,
            "before": self._before,
            "space": self.space.number,
        }
        if known is not None:
            owners = dict.fromkeys(known[1][known[1] > 0].tolist())
            asked["owners"] = node_keys(self.space.number, np.array(list(owners)[:NEAR_AHEAD], np.int64))
        else:
            query = self._fitting(wanted.vector)
            asked |= {"vector": query.astype(np.float64).tolist(), "k": near.width(wanted.notes)}
            asked |= {"chosen": keys or [], "near_ahead": NEAR_AHEAD, "notes": wanted.notes + TIES}
        if wanted.interval_us is not None:
            asked |= self._interval(wanted.interval_us, wanted.timed)
        try:
            rows = self._read(ahead.SEARCH[wanted.interval_us is not None, how], asked)
        except IndexFault:
            if how != "within":
                raise
            how = "over"
            rows = self._read(ahead.SEARCH[wanted.interval_us is not None, how], asked)
        hits, held, timed, found, passages = rows[0]
        self._ahead.take_passages(passages, AHEAD_WINDOW)
        if known is None:
            if how == "over" and len(found) < self._enough(wanted.notes, NodeKind.NOTE):
                found = self._near(wanted.vector, wanted.notes, NodeKind.NOTE, wide=2 * near.width(wanted.notes))
            known = near.rescored(found, self._fitting(wanted.vector), wanted.notes)
        text = self._scored(hits, terms, wanted.passages, limit, held)
        return Searched(text, *known, times.ranked(timed, wanted.timed)[1])

    def _known_near(self, wanted: Wanted) -> tuple[tuple[Candidates, Numbers] | None, list[int] | None]:
        """What is known without the server's index: the nearest notes, or which ones to score for them."""
        count = self._counter.tallies["note_vectors"]
        if count > EXACT_LIMIT:
            return None, self._chosen(self._fitting(wanted.vector), wanted.notes, {NodeKind.NOTE: count})
        return self._dense(wanted.vector, wanted.notes, (NodeKind.NOTE,)), None

    # -- graph

    def neighbours(self, frontier: Numbers, types: Sequence[EdgeType], *, limit: int = 512) -> Neighbours:
        frontier = np.asarray(frontier, np.int64)
        wanted = tuple(types) or tuple(EdgeType)
        window = min(graph.WINDOW, max(AHEAD_WINDOW, 4 * limit))
        known = self._ahead
        unknown = graph.missing(np.unique(frontier).tolist(), wanted, known.hops, min(limit, graph.WINDOW))
        if unknown:
            keys = self._keys(np.array(unknown, np.int64))
            known.take_frontier(self._ask(graph.statement(wanted), keys=keys, window=window), wanted, window)
        else:
            self._in_time()
        return graph.told(frontier, wanted, known.hops, limit)

    # -- sources

    def find_source(self, kind: str, outside_id: str) -> Source | None:
        id = sources.find_source(self._read, self.space.number, kind, outside_id)
        node = self.get([id]).get(id) if id is not None else None
        return node if isinstance(node, Source) else None

    def passages_of(self, source: Id) -> list[Id]:
        return sources.passages_of(self._read, self.space.number, source)

    def tail(self, source: Id, section: Id | None) -> Tail:
        return sources.tail(self._read, self.space.number, source, section)

    # -- journal

    def commits(self, *, after: int = 0, limit: int = 100) -> list[Commit]:
        return journal.commits(self._read, self.space, after, limit)

    def changes(self, seq: int) -> list[Change]:
        return journal.changes(self._read, self.space.number, seq)

    def history(self, id: Id) -> list[tuple[Commit, Change]]:
        return journal.history(self._read, self.space, id)

    def jobs(self) -> list[Job]:
        return jobs.jobs(self._read, self.space.number)

    def items(self, job: Id) -> list[Item]:
        return jobs.items(self._read, self.space.number, job)

    def refusals(self, job: Id | None = None, *, limit: int = 1000) -> list[Refusal]:
        return jobs.refusals(self._read, self.space.number, job, limit)

    def digest(self) -> str:
        return digest.digest(self._read, self.space.number)

    def evidence_digest(self) -> str:
        return digest.evidence_digest(self._read, self.space.number)

    def check(self) -> list[str]:
        return check.check(self._read, self.space, self._count(), self._vocabulary)
