"""What a reader knows already: heads, token codes, notes and hops that came along with an earlier answer, so that the
next question of a recall costs no round trip. Lives as long as its reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphmem.schema import EdgeType
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j import graph, times

#: What the hops of a recall begin with: the turns before and after, and the names that stand in a passage.
FIRST_HOPS = (EdgeType.NEXT, EdgeType.MENTIONS)

NOTES = """COLLECT { MATCH (n)<-[:FROM]-(note:Note) WHERE note._head IS NOT NULL AND note.key < $before
    RETURN DISTINCT note.key }"""
USED = "COLLECT { MATCH (u:_Usage {key: n.key}) RETURN [u.used, u.last_us] }"
SAID = "CASE WHEN n:Passage THEN [n.text, n._half] ELSE ['', n._half] END"
#: What comes with each passage: 1 KB beside its token codes spares a recall that weighs what holds a round trip.
PARTS = f"n._tokens, {SAID}, {NOTES}, {USED}"
ROW = f"[n.key, n._head, {PARTS}, {graph.columns('n', FIRST_HOPS)}]"
PASSAGES = f"""UNWIND $keys AS key MATCH (n:Zettel {{key: key}}) WITH n
  RETURN n.key, n._head, {PARTS}, {graph.columns("n", FIRST_HOPS)}"""
TOKENS = f"UNWIND $keys AS key MATCH (n:Zettel {{key: key}}) RETURN n.key, {PARTS}"

_WORDS = """CALL () { UNWIND $queries AS query
    CALL db.index.fulltext.queryNodes('graphmem_words', query, {limit: $limit}) YIELD node
    RETURN collect([node.key, node._bag]) AS hits }
  CALL () { UNWIND $buckets AS bucket MATCH (t:_Terms {space: $space, bucket: bucket})
    RETURN collect([t.bucket, t.body]) AS held }"""
_NEAR = """CALL () { CALL db.index.vector.queryNodes('graphmem_note_vector', $k, $vector) YIELD node
    WHERE node.space = $space AND node.key < $before
    RETURN collect([node.key, node._half, node._head]) AS near, collect(DISTINCT node._owner)[..$ahead] AS owners }"""
_NEAR_WITHIN = """CALL () { MATCH (n:Note) SEARCH n IN (VECTOR INDEX graphmem_note_vector FOR $vector
    WHERE n.space = $space LIMIT $k) WITH n WHERE n.key < $before
    RETURN collect([n.key, n._half, n._head]) AS near, collect(DISTINCT n._owner)[..$ahead] AS owners }"""

# In order of their cosines: then the 80 best passages by these come first, where by the order of codes .85 of them are
# among the first 128 (100,000 real sentences), and what is missed costs a round trip. Only live nodes have `_vector`.
_CHOSEN = """CALL () { UNWIND $chosen AS key MATCH (n:Zettel {key: key}) WHERE n._vector IS NOT NULL
    WITH n, vector.similarity.cosine(n._vector, $vector) AS score ORDER BY score DESC LIMIT $notes
    RETURN collect([n.key, n._half, n._head]) AS near, collect(DISTINCT n._owner)[..$near_ahead] AS owners }"""
_NOTES = {
    "known": "WITH *, [] AS near, $owners AS owners",
    "chosen": _CHOSEN,
    "within": _NEAR_WITHIN,
    "over": _NEAR,
}


def search(*, timed: bool, near: str) -> str:
    """One statement for all that a search looks for. `near`: "known" when the notes are known without the server,
    "chosen" when it is known which ones to score, "within" when its index searches within a space, else "over" for a
    fetch over all spaces."""
    notes = _NOTES[near]
    held = "CALL () { CALL () { " + times.SEARCH + " } RETURN collect([key, fit, owner]) AS timed }"
    return f"""{"CYPHER 25 " if near == "within" else ""}{_WORDS} {held if timed else "WITH *, [] AS timed"} {notes}
  WITH hits, held, timed, near, [hit IN hits | hit[0]][..$ahead] + owners + $titled + [fit IN timed | fit[2]] AS keys
  CALL (keys) {{ UNWIND keys AS key WITH DISTINCT key MATCH (n:Zettel {{key: key}}) RETURN collect({ROW}) AS ahead }}
  RETURN hits, held, timed, near, ahead"""


SEARCH = {(timed, near): search(timed=timed, near=near) for timed in (False, True) for near in _NOTES}


@dataclass(slots=True)
class Ahead:
    """By key: heads (None: no live node), token codes (None: none), live notes of a passage, uses (None: never any);
    hops by number."""

    before: int  # numbers from here on came later
    heads: dict[int, bytes | None] = field(default_factory=dict)
    tokens: dict[int, bytes | None] = field(default_factory=dict)
    notes: dict[int, list[int]] = field(default_factory=dict)
    used: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    said: dict[int, tuple[str, bytes | None]] = field(default_factory=dict)  # text of a passage, float16 vector
    hops: graph.Hops = field(default_factory=dict)
    titled: list[int] = field(default_factory=list)  # keys of passages that names of the question lead to

    def take_passages(self, rows: Iterable[Sequence[Any]], window: int) -> None:
        """What `PASSAGES` returns."""
        for key, head, tokens, said, notes, used, *hops in rows:
            self.heads[key] = head
            self.take_tokens([(key, tokens, said, notes, used)])
            self.take_hops(key, hops, FIRST_HOPS, window)

    def expect(self, keys: Iterable[int]) -> None:
        """What `TOKENS` is asked of: what is not there has nothing, and is not asked of again."""
        for key in keys:
            self.tokens.setdefault(key)
            self.used.setdefault(key)
            self.said.setdefault(key, ("", None))

    def take_tokens(self, rows: Iterable[Sequence[Any]]) -> None:
        """What `TOKENS` returns."""
        for key, tokens, said, notes, used in rows:
            self.tokens[key] = tokens
            self.said[key] = (said[0], said[1])
            self.notes[key] = sorted(notes)
            self.take_usage([(key, used)])

    def take_usage(self, rows: Iterable[Sequence[Any]]) -> None:
        for key, used in rows:
            self.used[key] = (used[0][0], used[0][1]) if used else None

    def take_hops(self, key: int, row: Sequence[Any], types: Sequence[EdgeType], window: int) -> None:
        """What `graph.columns` returns for a node; heads of the nodes at the other ends come with it."""
        for type, hop in graph.hops(row, types, window, self.before):
            self.hops[key & NUMBER_MASK, type] = hop
        self.heads.update(graph.heads_in(row))

    def take_frontier(self, rows: Iterable[Sequence[Any]], types: Sequence[EdgeType], window: int) -> None:
        """What `graph.statement` returns."""
        for key, parallel, degrees, listed, *more in rows:
            self.take_hops(key, (parallel, degrees, listed), types, window)
            for source, *parts in more[0] if more else ():
                self.take_hops(source, parts, (EdgeType.PART,), window)
