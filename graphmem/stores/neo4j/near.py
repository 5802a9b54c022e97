"""Candidates for the nearest vectors of a space that has more than are all scored, and their scores from their float16
rows: chosen here by their codes, else by the server's index. Where the index knows the space it searches within it;
else it is asked for twice as many until there are enough of the space, at most MAX_NEAR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphmem.schema import NodeKind
from graphmem.stores.base import Candidates, Floats, Numbers
from graphmem.stores.headrows import HEAD
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.neo4j.server import Rows
from graphmem.stores.scan import best, cosines, widened

LEAST = 512
MAX_NEAR = 16_384  # what the vector index is asked for at most, where it cannot search within a space

CHOSEN = """UNWIND $chosen AS key MATCH (n:Zettel {key: key}) WHERE n._head IS NOT NULL AND n._half IS NOT NULL
  RETURN collect([key, n._half, n._head])"""
NEAR = {
    NodeKind.NOTE: """CALL db.index.vector.queryNodes('graphmem_note_vector', $k, $vector) YIELD node
  WHERE node.space = $space AND node.key < $before RETURN node.key, node._half, node._head""",
    NodeKind.PASSAGE: """CALL db.index.vector.queryNodes('graphmem_passage_vector', $k, $vector) YIELD node
  WHERE node.space = $space AND node.key < $before RETURN node.key, node._half, node._head""",
}
NEAR_WITHIN = {
    NodeKind.NOTE: """CYPHER 25 MATCH (n:Note) SEARCH n IN (VECTOR INDEX graphmem_note_vector FOR $vector
  WHERE n.space = $space LIMIT $k) WITH n WHERE n.key < $before RETURN n.key, n._half, n._head""",
    NodeKind.PASSAGE: """CYPHER 25 MATCH (n:Passage) SEARCH n IN (VECTOR INDEX graphmem_passage_vector FOR $vector
  WHERE n.space = $space LIMIT $k) WITH n WHERE n.key < $before RETURN n.key, n._half, n._head""",
}


def width(k: int) -> int:
    """How many candidates to ask for. The index of 2026.09 compares single bits: of the ten best of 3,000 it has .91
    among 64 and all among 256."""
    return max(4 * k, LEAST)


def nearest(read: Read, kind: NodeKind, wide: int, asked: Mapping[str, Any], *, enough: int, filtered: bool) -> Rows:
    """Candidates among the `wide` nearest, or twice as many until `enough` are of the space: keys, float16 rows,
    heads."""
    if filtered:
        return read(NEAR_WITHIN[kind], {**asked, "k": wide})
    while True:
        found = read(NEAR[kind], {**asked, "k": wide})
        if len(found) >= enough or wide >= MAX_NEAR:
            return found
        wide = min(2 * wide, MAX_NEAR)


def rescored(rows: Rows, query: Floats, k: int) -> tuple[Candidates, Numbers]:
    """The k best by cosine, and the passages that they stand in first."""
    numbers = np.array([row[0] for row in rows], np.int64) & NUMBER_MASK
    scores = cosines(widened(b"".join(row[1] for row in rows), len(query)), query)
    owner = np.frombuffer(b"".join(row[2] for row in rows), HEAD)["owner"].astype(np.int64)
    found, values = best(numbers, scores, k)
    order = np.argsort(numbers, kind="stable")
    return Candidates(found, values, False), owner[order[np.searchsorted(numbers, found, sorter=order)]]
