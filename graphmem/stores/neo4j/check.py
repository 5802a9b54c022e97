"""Derived properties against the truth, and the truth against itself; and derived ones anew from it."""

from __future__ import annotations

from collections import Counter as Tally
from typing import Any

import numpy as np

from graphmem.analysis import indexed_text, terms
from graphmem.schema import Hyperedge, NodeKind, Note, Passage, Space
from graphmem.stores.edgekeys import Key, implied
from graphmem.stores.keys import Keys, node_range
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.neo4j import edges, heads, journal, nodes, removal, words
from graphmem.stores.neo4j.counter import VECTORS, Counter, put_back
from graphmem.stores.neo4j.digest import ALIASES, EDGES, IDS
from graphmem.stores.neo4j.model import TYPE_OF, full_edge
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.neo4j.server import Tx, pairs, rows
from graphmem.stores.neo4j.words import BAG, COUNTED, Vocabulary

CHUNK = 1_000

STATES = """MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high
  RETURN n.key, n._kind, n.retired IS NOT NULL, n._head, n._bag, size(split(n._terms, ' ')), n._half IS NOT NULL,
    n._vector IS NOT NULL, n._tokens IS NOT NULL, coalesce(n._parallel, []) ORDER BY n.key"""
DROP_DERIVED = (
    """MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high REMOVE n._head, n._terms, n._bag, n._parallel"""
)
LIVE = """MATCH (n:Zettel) WHERE n.key >= $low AND n.key <= $high AND n.retired IS NULL RETURN n.key ORDER BY n.key"""


def check(read: Read, space: Space, counter: Counter, vocabulary: Vocabulary) -> list[str]:
    low, high = node_range(space.number)
    states = read(STATES, {"low": low, "high": high})
    ids: dict[int, str] = pairs(read(IDS, {"low": low, "high": high}))
    stored = [full_edge(row) for row in read(EDGES, {"low": low, "high": high}) if row[1] in TYPE_OF]
    names = read(ALIASES, {"space": space.number})
    live = {row[0]: row for row in states if not row[2]}
    return [
        *_truth(read, states, {full[:4] for full in stored}, ids, names),
        *journal.check(read, space.number, counter),
        *_tallies(states, len(stored), counter),
        *_heads(read, states),
        *_words(read, space, live, counter, vocabulary),
        *_vectors(states),
        *_parallel(states, stored),
    ]


def _truth(read: Read, states: Any, stored: set[Key], ids: dict[int, str], names: Any) -> list[str]:
    """Every edge has both ends in the space, every span, parent and member its edge, every name its entity."""
    wrong, at = [], Keys({id: key for key, id in ids.items()})
    loose = sum(key[0] not in ids or key[2] not in ids for key in stored)
    if loose:
        wrong.append(f"edges: {loose} have an end that is not there")
    if dangling := sum(entity not in ids for entity, _, _ in names):
        wrong.append(f"aliases: {dangling} stand for no entity")
    if wrong:
        return wrong
    missing, others = 0, 0
    keys = [row[0] for row in states]
    for start in range(0, len(keys), CHUNK):
        found = nodes.load(read, keys[start : start + CHUNK])
        for n, node in found.items():
            if isinstance(node, (Note, Hyperedge)):
                missing += sum(key not in stored for key, _ in implied(node, n, at))
        kinds = {row[0]: row[1] for row in states[start : start + CHUNK]}
        others += sum(kinds[n] != KIND_OF[type(node)] for n, node in found.items())
    if missing:
        wrong.append(f"edges: {missing} that spans, parents or members stand for are missing")
    if others:
        wrong.append(f"nodes: {others} are of another kind than they say")
    return wrong


def _tallies(states: Any, edge_count: int, counter: Counter) -> list[str]:
    """What the counter counts, counted again."""
    return [
        f"counter: {counter.tallies[name]} {name} counted, {count} are there"
        for name, count in counted(states, edge_count).items()
        if counter.tallies[name] != count
    ]


def counted(states: Any, edge_count: int) -> dict[str, int]:
    """The tallies that nodes and edges tell."""
    names = (*(kind.name.lower() for kind in NodeKind), "retired", *VECTORS.values(), "other_vectors", "docs", "length")
    told = dict.fromkeys(names, 0) | {"edges": edge_count}
    for _, kind, retired, _, bag, _, half, *_ in states:
        if retired:
            told["retired"] += 1
            continue
        told[NodeKind(kind).name.lower()] += 1
        told[VECTORS.get(kind, "other_vectors")] += half
        if bag is not None:
            told["docs"] += 1
            told["length"] += words.length(bag)
    return told


def _heads(read: Read, states: Any) -> list[str]:
    held = {row[0]: row[3] for row in states if row[3] is not None}
    wrong = 0
    keys = [row[0] for row in states]
    for start in range(0, len(keys), CHUNK):
        found, made = heads.of_truth(read, keys[start : start + CHUNK])
        wrong += sum(held.pop(n, b"") != row.tobytes() for n, row in zip(found, made, strict=True))
    said = [f"heads: {wrong} differ from their nodes"] if wrong else []
    return [*said, f"heads: {len(held)} are of no live node"] if held else said


def _words(read: Read, space: Space, live: Any, counter: Counter, vocabulary: Vocabulary) -> list[str]:
    wrong, bags = 0, []
    passages = [n for n, row in live.items() if row[1] == NodeKind.PASSAGE]
    for start in range(0, len(passages), CHUNK):
        for n, node in nodes.load(read, passages[start : start + CHUNK]).items():
            assert isinstance(node, Passage)
            spelled, bag = vocabulary.of(terms(indexed_text(node)))
            bags.append(bag)
            wrong += live[n][4] != bag or live[n][5] != len(spelled.split(" "))
    said = [f"text: {wrong} passages have other words than their text"] if wrong else []
    joined = np.frombuffer(b"".join(bags), BAG)
    found, count = np.unique(joined["term"], return_counts=True)
    held = np.sort(np.frombuffer(b"".join(row[1] for row in read(words.ALL_BUCKETS, {"space": space.number})), COUNTED))
    if len(held) != counter.tallies["terms"]:
        said.append(f"text: {counter.tallies['terms']} terms counted, {len(held)} are there")
    if not (np.array_equal(held["term"], found) and np.array_equal(held["passages"], count)):
        said.append(f"text: statistics of {len(held)} terms, not those of the {len(found)} of the passages")
    return said


def _vectors(states: Any) -> list[str]:
    unsearched = sum(not row[2] and row[6] != row[7] for row in states)
    dead = sum(row[2] and row[7] for row in states)
    coded = sum(row[8] and row[1] != NodeKind.PASSAGE for row in states)
    said = {
        f"vectors: {unsearched} live nodes are not in the index with their vector": unsearched,
        f"vectors: {dead} retired nodes are in the index": dead,
        f"token codes: {coded} are of no passage": coded,
    }
    return [message for message, count in said.items() if count]


def _parallel(states: Any, stored: list[Any]) -> list[str]:
    wanted: dict[int, Tally[int]] = {}
    for (src, type, dst), count in Tally(full[:3] for full in stored).items():
        for n in {src, dst} if count > 1 else ():
            wanted.setdefault(n, Tally())[type] += count - 1
    wrong = sum(Tally(TYPE_OF[name] for name in row[9]) != wanted.get(row[0], Tally()) for row in states)
    return [f"edges: {wrong} nodes count parallel edges that are not there, or not all"] if wrong else []


# -- rebuilding


def rebuild(tx: Tx, space: Space, counter: Counter, vocabulary: Vocabulary) -> None:
    """Heads, words, statistics, parallel counts and tallies anew; vectors are kept."""
    low, high = node_range(space.number)
    rows(tx, DROP_DERIVED, low=low, high=high)
    live = [row[0] for row in rows(tx, LIVE, low=low, high=high)]
    bags: list[bytes] = []
    for start in range(0, len(live), CHUNK):
        heads.renew(tx, live[start : start + CHUNK])
        bags += removal.put_words(tx, None, live[start : start + CHUNK], vocabulary)
    words.rebuilt(tx, counter, bags)
    stored = [full_edge(row) for row in rows(tx, EDGES, low=low, high=high) if row[1] in TYPE_OF]
    edges.recount(tx, edges.repeated([full[:4] for full in stored]))
    states = rows(tx, STATES, low=low, high=high)
    counter.tallies |= counted(states, len(stored))
    put_back(tx, counter)
