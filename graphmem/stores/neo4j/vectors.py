"""Vectors and token codes of nodes. `_half` keeps a vector as float16 bytes, which scores are made from in every store;
`_vector` is the same as a list, for the server's index, on live nodes only. `_tokens`: sign bits of a passage's tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.errors import InputError, StoreError
from graphmem.schema import Batch, Id
from graphmem.stores.keys import Keys
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.migrate import await_indexes
from graphmem.stores.neo4j.server import Server, Tx, rows

FORMAT = 1
MAX_DIMENSION = 4096

DIMENSION = "MATCH (m:_Meta {name: 'graphmem'}) RETURN m.dimension"
SETTLE = """MATCH (m:_Meta {name: 'graphmem'}) SET m.dimension = coalesce(m.dimension, $dimension) RETURN m.dimension"""
INDEXES = (
    "CREATE VECTOR INDEX graphmem_note_vector IF NOT EXISTS FOR (n:Note) ON (n._vector) OPTIONS $options",
    "CREATE VECTOR INDEX graphmem_passage_vector IF NOT EXISTS FOR (n:Passage) ON (n._vector) OPTIONS $options",
)
FILTERED_INDEXES = (
    "CYPHER 25 CREATE VECTOR INDEX graphmem_note_vector IF NOT EXISTS FOR (n:Note) ON n._vector WITH [n.space] "
    "OPTIONS $options",
    "CYPHER 25 CREATE VECTOR INDEX graphmem_passage_vector IF NOT EXISTS FOR (n:Passage) ON n._vector WITH [n.space] "
    "OPTIONS $options",
)
FILTER_COLUMNS = """SHOW INDEXES YIELD name, properties
  WHERE name IN ['graphmem_note_vector', 'graphmem_passage_vector']
  RETURN name, 'space' IN properties"""

PUT = "UNWIND $rows AS r MATCH (n:Zettel {key: r[0]}) SET n._half = r[1], n._vector = r[2]"
PUT_PACKED = """CYPHER 25 UNWIND $rows AS r MATCH (n:Zettel {key: r[0]})
  SET n._half = r[1], n._vector = toFloatList(r[2])"""
PUT_TOKENS = "UNWIND $rows AS r MATCH (n:Zettel {key: r[0]}) SET n._tokens = r[1]"
HELD = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) RETURN key, n._half, n._tokens"
RETURNING = """UNWIND $keys AS key MATCH (n:Zettel {key: key}) WHERE n._half IS NOT NULL RETURN key, n._kind, n._half"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the batch's ids stand for: keys, kinds, keys of retired nodes; keys under `first_new` were there before."""

    at: Keys
    kind: Callable[[Id], int]
    retired: set[int]
    first_new: int


def dimension(server: Server) -> int | None:
    found = server.read(DIMENSION, {})
    return found[0][0] if found else None


def settle(server: Server, wanted: int, *, filtered: bool) -> int:
    """The first vectors of a store say how long its vectors are; then their indexes are made."""
    if not 1 <= wanted <= MAX_DIMENSION:
        raise InputError(f"vectors of {wanted} numbers cannot be indexed", hint=f"1 to {MAX_DIMENSION} can")
    settled: int = server.write(lambda tx, token, again: rows(tx, SETTLE, dimension=wanted)[0][0])  # noqa: ARG005
    make_indexes(server, settled, filtered=filtered)
    return settled


def make_indexes(server: Server, settled: int, *, filtered: bool) -> None:
    options = {"indexConfig": {"vector.dimensions": settled, "vector.similarity_function": "cosine"}}
    for statement in FILTERED_INDEXES if filtered else INDEXES:
        server.schema(statement, {"options": options})
    await_indexes(server)


def can_filter(server: Server) -> bool:
    """Whether the indexes that are there know the space: one from an older server does not."""
    found = server.schema(FILTER_COLUMNS)
    return bool(found) and all(knows for _, knows in found)


@dataclass(frozen=True, slots=True)
class VectorWriter:
    """How vectors travel: packed where the server takes that (12 times faster than lists), `dimension` numbers each."""

    dimension: int
    packed: bool

    def matrix(self, batch: Batch) -> npt.NDArray[np.float16]:
        """The batch's vectors, checked."""
        assert batch.vectors is not None
        if batch.vectors.ndim != 2 or batch.vectors.shape[1] != self.dimension:
            raise InputError(
                f"vectors have shape {batch.vectors.shape}, the store keeps {self.dimension} numbers a node",
                hint="use the embedder that the memory was made with",
            )
        with np.errstate(over="ignore"):  # what overflows is refused below
            matrix = np.ascontiguousarray(batch.vectors, np.float16)
        if not np.isfinite(matrix).all():
            raise InputError(
                "a vector holds a number that is not finite in float16", hint="look at the embedder's output"
            )
        return matrix

    def put(self, tx: Tx, keys: Sequence[int], matrix: npt.NDArray[np.float16]) -> None:
        if not len(keys):
            return
        halves = [row.tobytes() for row in matrix]
        if self.packed:
            from neo4j.vector import Vector

            wide = [Vector(row.tobytes(), "f32") for row in matrix.astype(">f4")]
            rows(tx, PUT_PACKED, rows=[list(row) for row in zip(keys, halves, wide, strict=True)])
        else:
            lists = matrix.astype(np.float64).tolist()
            rows(tx, PUT, rows=[list(row) for row in zip(keys, halves, lists, strict=True)])


def put(tx: Tx, writer: VectorWriter | None, batch: Batch, known: Known, counter: Counter) -> bool:
    """Whether a node that was there before has another vector now: then a batch of nothing else is a change too."""
    old = sorted({known.at[id] for id in (*batch.vector_ids, *batch.tokens) if known.at[id] < known.first_new})
    held = {key: (half, tokens) for key, half, tokens in (rows(tx, HELD, keys=old) if old else [])}
    changed = set[int]()
    if batch.vectors is not None and len(batch.vector_ids):
        if writer is None:
            raise StoreError("the store does not know the dimension of its vectors yet", hint="write it again")
        matrix = writer.matrix(batch)
        last = {known.at[id]: i for i, id in enumerate(batch.vector_ids)}
        kinds = {known.at[id]: known.kind(id) for id in batch.vector_ids}
        fresh = [
            key
            for key, i in last.items()
            if key not in held or (key not in known.retired and held[key][0] != matrix[i].tobytes())
        ]
        writer.put(tx, fresh, matrix[[last[key] for key in fresh]])
        changed |= {key for key in fresh if key in held}
        counter.count_vectors([kinds[key] for key in fresh if key not in held or held[key][0] is None], 1)
    tokens = {known.at[id]: codes.tobytes() for id, codes in batch.tokens.items()}
    coded = [  # new passages came with theirs
        [key, body] for key, body in tokens.items() if key in held and key not in known.retired and held[key][1] != body
    ]
    if coded:
        rows(tx, PUT_TOKENS, rows=coded)
    counter.touched |= changed
    return bool(changed or coded)


def bring_back(tx: Tx, writer: VectorWriter | None, keys: Sequence[int], counter: Counter) -> None:
    """Vectors of nodes that are live again enter the index."""
    found = rows(tx, RETURNING, keys=list(keys)) if keys else []
    if found and writer is not None:
        matrix = np.frombuffer(b"".join(half for _, _, half in found), "<f2").reshape(len(found), -1)
        writer.put(tx, [key for key, _, _ in found], matrix)
    counter.count_vectors([kind for _, kind, _ in found], 1)
    counter.touched |= {key for key, _, _ in found}


def aligned(bodies: Sequence[Any], width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Token codes of nodes, one after the other: offsets (n + 1) and codes (total, width)."""
    offsets = np.zeros(len(bodies) + 1, np.int64)
    np.cumsum([len(body or b"") // width for body in bodies], out=offsets[1:])
    joined = b"".join(body for body in bodies if body)
    return offsets, np.frombuffer(joined, np.uint8).reshape(-1, width)
