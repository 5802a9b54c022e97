"""Nodes leave the searches, or the store with all that hangs on them; used to retire, delete, undo and erase.
Journaling is the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.analysis import indexed_text, terms
from graphmem.schema import EdgeType, Op, Passage
from graphmem.stores.chain import Logged
from graphmem.stores.edgekeys import Full
from graphmem.stores.images import image, pack
from graphmem.stores.neo4j import edges, heads, vectors, words
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.nodes import load, within
from graphmem.stores.neo4j.server import Tx, rows
from graphmem.stores.neo4j.vectors import VectorWriter
from graphmem.stores.neo4j.words import Vocabulary

SEARCHED = """UNWIND $keys AS key MATCH (n:Zettel {key: key})
  RETURN key, n._kind, n.retired IS NOT NULL, n._bag, n._half IS NOT NULL ORDER BY key"""
RETIRE = """UNWIND $keys AS key MATCH (n:Zettel {key: key})
  SET n.retired = true, n.version = n.version + 1 REMOVE n._head, n._terms, n._bag, n._vector"""
PUT_WORDS = "UNWIND $rows AS r MATCH (n:Zettel {key: r[0]}) SET n._terms = r[1], n._bag = r[2]"
DELETE = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) DETACH DELETE n"
DROP_USAGE = "UNWIND $keys AS key MATCH (u:_Usage {key: key}) DELETE u"
ALIASES = """UNWIND $keys AS key MATCH (a:_Alias {entity: key})
  RETURN a.folded, a.entity, a.passage, a.seq ORDER BY a.entity, a.folded"""
DROP_ALIASES = "UNWIND $keys AS key MATCH (a:_Alias {entity: key}) DELETE a"

CHUNK = 2_000

AliasRow = tuple[str, int, int | None, int]


def retire(tx: Tx, counter: Counter, keys: Sequence[int]) -> None:
    """These live nodes leave every search; their vectors and token codes stay on them for their return."""
    _uncount(tx, counter, keys)
    counter.count("retired", len(keys))
    rows(tx, RETIRE, keys=sorted(keys))


def _uncount(tx: Tx, counter: Counter, keys: Sequence[int]) -> list[list[Any]]:
    """Takes nodes out of the counts of what is searched; what was known of them."""
    found = rows(tx, SEARCHED, keys=sorted(keys)) if keys else []
    live = [row for row in found if not row[2]]
    counter.count_nodes([row[1] for row in live], -1)
    counter.count("retired", len(live) - len(found))
    counter.count_vectors([row[1] for row in live if row[4]], -1)
    counter.touched |= {row[0] for row in live if row[4]}
    words.enter(tx, counter, [row[3] for row in live if row[3] is not None], -1)
    return found


def bring_back(
    tx: Tx, counter: Counter, keys: Sequence[int], writer: VectorWriter | None, vocabulary: Vocabulary
) -> None:
    """These nodes, live again, enter the searches; vectors only as far as they are on them."""
    put_words(tx, counter, keys, vocabulary)
    vectors.bring_back(tx, writer, keys, counter)
    heads.renew(tx, keys)


def put_words(tx: Tx, counter: Counter | None, keys: Sequence[int], vocabulary: Vocabulary) -> list[bytes]:
    """Writes the words of the passages among these nodes and counts them (with a counter); their bags."""
    bags: list[bytes] = []
    for start in range(0, len(keys), CHUNK):
        found = load(within(tx), keys[start : start + CHUNK])
        spelled = [
            (n, *vocabulary.of(terms(indexed_text(node))))
            for n, node in sorted(found.items())
            if isinstance(node, Passage)
        ]
        if spelled:
            rows(tx, PUT_WORDS, rows=[list(row) for row in spelled])
            bags += [bag for _, _, bag in spelled]
    if counter is not None:
        words.enter(tx, counter, bags, 1)
    return bags


def remove(tx: Tx, counter: Counter, keys: Sequence[int]) -> list[Full]:
    """Takes these nodes out; gives back the edges that went with them."""
    found = [row[0] for row in _uncount(tx, counter, keys)]
    gone = edges.incident(tx, found)
    edges.remove(tx, gone)
    counter.count("edges", -len(gone))
    for statement in (DELETE, DROP_ALIASES, DROP_USAGE):
        rows(tx, statement, keys=found)
    left = set(found)
    heads.renew_with_notes(tx, (row[0] for row in gone if row[1] == EdgeType.SPEAKER and row[0] not in left))
    return gone


def aliases(tx: Tx, entities: Sequence[int]) -> list[AliasRow]:
    return [tuple(row) for row in rows(tx, ALIASES, keys=list(entities))]


def delete_logged(tx: Tx, counter: Counter, keys: Sequence[int]) -> tuple[list[Logged], list[Full]]:
    """Deletes nodes; their images with their aliases, and the edges that went with them."""
    names: dict[int, list[tuple[str, int | None, int]]] = {}
    for folded, entity, passage, seq in aliases(tx, keys):
        names.setdefault(entity, []).append((folded, passage, seq))
    logged: list[Logged] = []
    for start in range(0, len(keys), CHUNK):
        for n, node in sorted(load(within(tx), keys[start : start + CHUNK]).items()):
            more = {"version": node.version} | ({"aliases": names[n]} if n in names else {})
            logged.append((n, bytes.fromhex(node.id), Op.DELETE, pack(image(node) | more)))
    return logged, remove(tx, counter, keys)
