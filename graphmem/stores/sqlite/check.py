"""Derived rows against the truth, and the truth against itself; and derived rows anew from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from graphmem.analysis import indexed_text, terms
from graphmem.schema import ONE_Q8, EdgeType, NodeKind, Passage
from graphmem.stores.edgekeys import NO_START, Key
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS, node_range
from graphmem.stores.sqlite import heads, journal
from graphmem.stores.sqlite.derived import Derived
from graphmem.stores.sqlite.edges import Arrays
from graphmem.stores.sqlite.rows import load, numbers_in

CHUNK = 2_000

LIVE = "SELECT n, kind FROM node WHERE n BETWEEN ? AND ? AND NOT retired ORDER BY n"
ALL = "SELECT n, kind FROM node WHERE n BETWEEN ? AND ? ORDER BY n"
EDGES = "SELECT src, type, dst, start FROM edge WHERE src BETWEEN ? AND ?"
NOTES = "SELECT n, spans, parents FROM note WHERE n BETWEEN ? AND ?"
HYPEREDGES = "SELECT n, spans, members FROM hyperedge WHERE n BETWEEN ? AND ?"
ROWS = {
    NodeKind.SOURCE: "SELECT n FROM source WHERE n BETWEEN ? AND ?",
    NodeKind.SECTION: "SELECT n FROM section WHERE n BETWEEN ? AND ?",
    NodeKind.PASSAGE: "SELECT n FROM passage WHERE n BETWEEN ? AND ?",
    NodeKind.NOTE: "SELECT n FROM note WHERE n BETWEEN ? AND ?",
    NodeKind.ENTITY: "SELECT n FROM entity WHERE n BETWEEN ? AND ?",
    NodeKind.HYPEREDGE: "SELECT n FROM hyperedge WHERE n BETWEEN ? AND ?",
}
ALIASES = "SELECT count(*) FROM alias WHERE space = ? AND entity NOT IN (SELECT n FROM entity)"
ADJACENT = "SELECT src, type, dst, weight_q8 FROM edge WHERE src BETWEEN ? AND ?"


def check(db: sqlite3.Connection, derived: Derived, space: int) -> list[str]:
    live = db.execute(LIVE, node_range(space)).fetchall()
    numbers = np.array([n for n, _ in live], np.int64) & NUMBER_MASK
    kinds = np.array([kind for _, kind in live], np.uint8)
    passages = numbers[kinds == NodeKind.PASSAGE]
    src, type, dst, weight = _adjacent(db, space)
    return [
        *[f"file: {said}" for (said,) in db.execute("PRAGMA quick_check(5)") if said != "ok"],
        *_truth(db, space),
        *journal.check(db, space),
        *heads.check(db, space),
        *derived.postings.check(space, _words(db, space, passages.tolist())),
        *derived.codes.check(space, numbers, kinds),
        *derived.tokens.check(space, passages),
        *derived.adjacency.check(space, src, dst, type, weight),
    ]


def rebuild(db: sqlite3.Connection, derived: Derived, space: int) -> None:
    """Heads, postings, codes and adjacency anew; vectors are kept, their codes are made from them."""
    heads.rebuild(db, space)
    derived.postings.clear(space)
    live = db.execute(LIVE, node_range(space)).fetchall()
    passages = [n & NUMBER_MASK for n, kind in live if kind == NodeKind.PASSAGE]
    for start in range(0, len(passages), CHUNK):
        part = passages[start : start + CHUNK]
        derived.postings.add(space, np.array(part, np.int64), [words for _, words in _words(db, space, part)])
    derived.codes.rebuild(space)
    derived.adjacency.clear(space)
    src, type, dst, weight = _adjacent(db, space)
    for start in range(0, len(src), 64 * CHUNK):
        part_of = slice(start, start + 64 * CHUNK)
        derived.adjacency.add(space, src[part_of], dst[part_of], type[part_of], weight[part_of])


def _adjacent(db: sqlite3.Connection, space: int) -> Arrays:
    """The adjacency's truth: one entry for all edges of a type between two nodes, the highest weight."""
    best: dict[tuple[int, int, int], int] = {}
    for src, type, dst, weight in db.execute(ADJACENT, node_range(space)):
        ends = (src, type, dst)
        best[ends] = max(weight, best.get(ends, 0))
    table = np.array([(*ends, weight) for ends, weight in best.items()], np.int64).reshape(-1, 4)
    src, type, dst, weight = table.T
    return src & NUMBER_MASK, type.astype(np.uint8), dst & NUMBER_MASK, weight.astype(np.float32) / ONE_Q8


def _words(db: sqlite3.Connection, space: int, passages: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    base = space << SPACE_BITS
    for start in range(0, len(passages), CHUNK):
        nodes = load(db, [base + number for number in passages[start : start + CHUNK]])
        for n, node in sorted(nodes.items()):
            if isinstance(node, Passage):
                yield n & NUMBER_MASK, terms(indexed_text(node))


def _truth(db: sqlite3.Connection, space: int) -> list[str]:
    """Every node has its row, every row its node, every edge both ends and every span its edge."""
    wrong = []
    kinds = dict(db.execute(ALL, node_range(space)).fetchall())
    for kind, statement in ROWS.items():
        rows = {n for (n,) in db.execute(statement, node_range(space))}
        nodes = {n for n, of in kinds.items() if of == kind}
        if rows != nodes:
            wrong.append(f"nodes: {len(rows ^ nodes)} {kind.name.lower()}s have a node or a row, not both")
    stored: set[Key] = set(db.execute(EDGES, node_range(space)))
    loose = sum(at[0] not in kinds or at[2] not in kinds for at in stored)
    if loose:
        wrong.append(f"edges: {loose} have an end that is not there")
    if dangling := db.execute(ALIASES, (space,)).fetchone()[0]:
        wrong.append(f"aliases: {dangling} stand for no entity")
    if not wrong and (missing := _unlinked(db, space, stored)):
        wrong.append(f"edges: {missing} that spans, parents or members stand for are missing")
    return wrong


def _unlinked(db: sqlite3.Connection, space: int, stored: set[Key]) -> int:
    """How many edges that spans, parents and members stand for are not there."""
    base, missing = space << SPACE_BITS, 0
    for n, spans, parents in db.execute(NOTES, node_range(space)):
        missing += sum((n, EdgeType.FROM, base | p, start) not in stored for p, start, _ in numbers_in(spans, 3))
        missing += sum((n, EdgeType.DERIVED, base | p, NO_START) not in stored for (p,) in numbers_in(parents, 1))
    for n, spans, members in db.execute(HYPEREDGES, node_range(space)):
        missing += sum((n, EdgeType.FROM, base | p, start) not in stored for p, start, _ in numbers_in(spans, 3))
        missing += sum((n, role, base | m, NO_START) not in stored for role, m in numbers_in(members, 2))
    return missing
