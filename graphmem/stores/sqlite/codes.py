"""Vectors as float16 rows, their sign bits in blocks that a search scans, and the sign bits of token vectors.

Up to 20,000 vectors of the asked kinds every one is scored: exact. Above, codes choose one of 50 (2,000 to 8,000),
of them 300 (800 beyond 200,000) are scored from their rows, and the answer says that it is not exact. A block row
starts with a random stamp that changes whenever its content does, so a cache finds what changed and reads no more.
Every method works inside the caller's transaction.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from graphmem.errors import InputError
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS, checked, node_keys, node_range
from graphmem.stores.scan import (
    LARGE,
    Floats,
    Numbers,
    at_unit_length,
    best,
    columns,
    cosines,
    encode,
    promising,
    rounded,
    widened,
)
from graphmem.stores.scan import (
    Codes as CodeRows,
)
from graphmem.stores.sqlite.code_cache import CodeCache, Segment, View
from graphmem.stores.sqlite.keys import listed

__all__ = ["FORMAT", "CodeCache", "Codes", "TokenCodes"]

FORMAT = 1
BLOCK = 256  # vectors a block: a write of one vector rewrites at most 13 kB
EXACT_LIMIT = 20_000
BATCH = 2048  # vectors read at a time when none are kept

PUT_VECTOR = "INSERT INTO vector VALUES(?, ?, ?)"
KINDS = "SELECT node, kind FROM vector WHERE node IN (SELECT value FROM json_each(?))"
HELD = "SELECT node, kind FROM vector WHERE node BETWEEN ? AND ? ORDER BY node"
DROP_VECTOR = "DELETE FROM vector WHERE node = ?"
# In the order asked: 0.8 ms for 400 rows, 1.0 by IN, which sorts them first.
VECTORS = "SELECT node, body FROM json_each(?) asked CROSS JOIN vector ON node = asked.value"
ALL_VECTORS = "SELECT node, kind, body FROM vector WHERE node BETWEEN ? AND ? ORDER BY node"
LAST_BLOCK = "SELECT block, held FROM vector_code WHERE space = ? AND kind = ? ORDER BY block DESC LIMIT 1"
BLOCK_BODY = "SELECT held, body FROM vector_code WHERE space = ? AND kind = ? AND block = ?"
BLOCKS = "SELECT block, stamp, held, low, high FROM vector_code WHERE space = ? AND kind = ? ORDER BY block"
STAMPS = "SELECT block, stamp FROM vector_code WHERE space = ? AND kind = ? ORDER BY block"
BODIES = (
    "SELECT block, held, body FROM vector_code WHERE space = ? AND kind = ? AND block BETWEEN ? AND ? ORDER BY block"
)
PUT_BLOCK = """INSERT INTO vector_code VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(space, kind, block)
  DO UPDATE SET stamp = excluded.stamp, held = excluded.held, low = excluded.low, high = excluded.high,
  body = excluded.body"""
DROP_BLOCK = "DELETE FROM vector_code WHERE space = ? AND kind = ? AND block = ?"
CLEAR_CODES = "DELETE FROM vector_code WHERE space = ?"
CLEAR_VECTORS = "DELETE FROM vector WHERE node BETWEEN ? AND ?"
ALL_CODES = "SELECT kind, held, body FROM vector_code WHERE space = ? ORDER BY kind, block"


def _unpack(held: int, body: bytes) -> tuple[Numbers, CodeRows]:
    numbers = np.frombuffer(body, "<u4", held).astype(np.int64)
    return numbers, np.frombuffer(body, np.uint8, offset=4 * held).reshape(held, -1)


class Codes:
    """The vectors of all spaces on one connection; `cache` is shared by the connections of a store."""

    def __init__(self, db: sqlite3.Connection, cache: CodeCache | None = None, dimension: int = 384) -> None:
        self.db = db
        self.dimension = dimension
        self.cache = cache or CodeCache()

    # -- writing
    def add(self, space: int, numbers: Numbers, kinds: npt.ArrayLike, matrix: npt.NDArray[np.floating]) -> None:
        """Vectors (n, dimension) of new nodes; a number that has one already gets this one instead."""
        numbers = checked(numbers)
        if not len(numbers):
            return
        of = np.broadcast_to(np.asarray(kinds, np.uint8), len(numbers))
        with np.errstate(over="ignore"):  # what overflows is refused below
            rows = np.ascontiguousarray(matrix, np.float16)
        self._fits(rows.shape[1])
        if not np.isfinite(rows).all():
            raise InputError(
                "a vector holds a number that is not finite in float16", hint="look at the embedder's output"
            )
        keys = node_keys(space, numbers)
        there = [node & NUMBER_MASK for node, _ in self.db.execute(KINDS, (listed(keys),))]
        if there:
            self.remove(space, np.array(there, np.int64))
        size, packed = rows.shape[1] * 2, rows.tobytes()
        bodies = (packed[i : i + size] for i in range(0, len(packed), size))
        self.db.executemany(PUT_VECTOR, zip(keys, of.tolist(), bodies, strict=True))
        codes = encode(rows)
        for kind in np.unique(of).tolist():
            mine = of == kind
            self._append(space, kind, numbers[mine], codes[mine])

    def _append(self, space: int, kind: int, numbers: Numbers, codes: CodeRows) -> None:
        block, held = self.db.execute(LAST_BLOCK, (space, kind)).fetchone() or (0, 0)
        if held >= BLOCK:
            block, held = block + 1, 0
        if held:
            old, old_codes = _unpack(*self.db.execute(BLOCK_BODY, (space, kind, block)).fetchone())
            numbers, codes = np.concatenate([old, numbers]), np.concatenate([old_codes, codes])
        for start in range(0, len(numbers), BLOCK):
            self._put_block(space, kind, block, numbers[start : start + BLOCK], codes[start : start + BLOCK])
            block += 1

    def _put_block(self, space: int, kind: int, block: int, numbers: Numbers, codes: CodeRows) -> None:
        if not len(numbers):
            self.db.execute(DROP_BLOCK, (space, kind, block))
            return
        body = numbers.astype("<u4").tobytes() + codes.tobytes()
        low, high = int(numbers.min()), int(numbers.max())
        self.db.execute(PUT_BLOCK, (space, kind, block, secrets.randbits(62), len(numbers), low, high, body))

    def remove(self, space: int, numbers: Numbers) -> None:
        """Take vectors out and rewrite the blocks that held their codes; numbers without a vector are passed over."""
        found = self.db.execute(KINDS, (listed(node_keys(space, checked(numbers))),)).fetchall()
        if not found:
            return
        nodes, kinds = np.array(found, np.int64).T
        gone = np.sort(nodes & NUMBER_MASK)
        for kind in np.unique(kinds).tolist():
            mine = np.sort(nodes[kinds == kind] & NUMBER_MASK)
            blocks = self.db.execute(BLOCKS, (space, kind)).fetchall()
            low, high = np.array([row[3:] for row in blocks], np.int64).reshape(-1, 2).T
            touched = np.searchsorted(mine, low) < np.searchsorted(mine, high, side="right")
            for i in np.flatnonzero(touched).tolist():
                held, codes = _unpack(*self.db.execute(BLOCK_BODY, (space, kind, blocks[i][0])).fetchone())
                kept = ~np.isin(held, gone)
                if not kept.all():
                    self._put_block(space, kind, blocks[i][0], held[kept], codes[kept])
        self.db.executemany(DROP_VECTOR, ((node,) for node in nodes.tolist()))

    def clear(self, space: int) -> None:
        """Vectors and codes of the space."""
        self.db.execute(CLEAR_CODES, (space,))
        self.db.execute(CLEAR_VECTORS, node_range(space))

    def rebuild(self, space: int) -> None:
        """Codes anew from the vectors, which are the truth here."""
        self.db.execute(CLEAR_CODES, (space,))
        for nodes, kinds, rows in self._all_vectors(space):
            codes = encode(rows)
            for kind in np.unique(kinds).tolist():
                self._append(space, kind, nodes[kinds == kind], codes[kinds == kind])

    # -- reading
    def held(self, space: int) -> tuple[Numbers, npt.NDArray[np.uint8]]:
        """Numbers that have a vector, ascending, and their kinds."""
        rows = np.array(self.db.execute(HELD, node_range(space)).fetchall(), np.int64).reshape(-1, 2)
        return rows[:, 0] & NUMBER_MASK, rows[:, 1].astype(np.uint8)

    def count(self, space: int) -> int:
        return int(
            self.db.execute("SELECT coalesce(sum(held), 0) FROM vector_code WHERE space = ?", (space,)).fetchone()[0]
        )

    def search(
        self, space: int, query: Floats, k: int, kinds: Sequence[int], *, seq: int | None = None
    ) -> tuple[Numbers, Floats, bool]:
        """The k nearest by cosine, best first, ties by number; and whether no nearer one can be missing.

        `seq` is the last commit that the connection sees: as long as it stays, the cache is used without a look at
        the file. None (inside a write): the file is looked at each time.
        """
        query = np.ascontiguousarray(query, np.float32)
        self._fits(len(query))
        views = [view for kind in dict.fromkeys(kinds) if (view := self._view(space, kind, seq)).count]
        total = sum(view.count for view in views)
        if not total or k <= 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32), True
        if total <= EXACT_LIMIT:
            numbers = np.concatenate([s.numbers for view in views for s in view.segments])
            scores = np.concatenate([self._scores(space, view, query) for view in views])
            return *best(numbers, scores, k), True
        segments = [segment for view in views for segment in view.segments]
        return *self._approximate(space, segments, query, k), False

    def _approximate(self, space: int, segments: list[Segment], query: Floats, k: int) -> tuple[Numbers, Floats]:
        words = [segment.words for segment in segments]
        look = max(300 if sum(segment.count for segment in segments) <= LARGE else 800, k + k // 2)
        places = np.sort(promising(words, query, look, max(2_000, 4 * look)))
        numbers = np.concatenate([segment.numbers for segment in segments])[places]
        return best(numbers, cosines(self.vectors(space, numbers), query), k)

    def _scores(self, space: int, view: View, query: Floats) -> Floats:
        """Cosine of every vector of the view. The first question reads them and keeps none; the second keeps them."""
        unit = query / max(float(np.sqrt(query @ query)), 1e-30)
        keep = self.cache.worth_keeping(view, len(query))
        parts = []
        for segment in view.segments:
            if segment.vectors is None and keep:
                segment.vectors = self._unit_rows(space, segment)
            if segment.vectors is not None:
                parts += [rounded(block @ unit) for block in segment.vectors]
                continue
            for start in range(0, segment.count, BATCH):
                rows = self.vectors(space, segment.numbers[start : start + BATCH])
                parts.append(cosines(rows, query))
        return np.concatenate(parts)

    def _unit_rows(self, space: int, segment: Segment) -> tuple[Floats, ...]:
        """A segment's vectors at unit length, block by block; only blocks that changed are read."""
        known = segment.take_over()
        return tuple(
            known[stamp] if stamp in known else at_unit_length(self.vectors(space, segment.numbers[a:b]))
            for stamp, (a, b) in zip(segment.stamps, pairwise(segment.starts), strict=True)
        )

    def _view(self, space: int, kind: int, seq: int | None) -> View:
        known = self.cache.get(space, kind)
        if known is not None and seq is not None and known.seq == seq:
            return known
        groups: dict[int, dict[int, int]] = {}
        for block, stamp in self.db.execute(STAMPS, (space, kind)):
            groups.setdefault(block // CodeCache.BLOCKS_A_SEGMENT, {})[stamp] = block
        have = {segment.place: segment for segment in known.segments} if known else {}
        segments = []
        for place, blocks in groups.items():
            segment = have.get(place)
            if segment is None or segment.stamps != tuple(blocks):
                segment = self._segment(space, kind, place, blocks, segment)
            segments.append(segment)
        return self.cache.put(space, kind, View(seq, tuple(segments), known.asked if known else 0))

    def _segment(self, space: int, kind: int, place: int, blocks: dict[int, int], before: Segment | None) -> Segment:
        """The segment of these blocks, given by stamp in their order; only those that changed are read."""
        parts = before.blocks() if before else {}
        changed = {block: stamp for stamp, block in blocks.items() if stamp not in parts}
        for block, held, body in self.db.execute(BODIES, (space, kind, min(changed), max(changed))) if changed else ():
            if block in changed:
                numbers, codes = _unpack(held, body)
                parts[changed[block]] = (numbers, columns(codes))
        return Segment.of(place, {stamp: parts[stamp] for stamp in blocks}, before)

    def cosine(self, space: int, query: Floats, numbers: Numbers) -> Floats:
        """Aligned with the numbers; NaN where a node has no vector."""
        query = np.ascontiguousarray(query, np.float32)
        self._fits(len(query))
        rows, missing = self._aligned(space, numbers)
        scores = cosines(rows, query)
        scores[missing] = np.nan
        return scores

    def vectors(self, space: int, numbers: Numbers) -> Floats:
        """(n, dimension) float32, zeros where a node has none."""
        return self._aligned(space, numbers)[0]

    def _fits(self, dimension: int) -> None:
        if dimension != self.dimension:
            raise InputError(
                f"a vector has {dimension} numbers; those of this memory have {self.dimension}",
                hint="use the embedder that the memory was made with",
            )

    def _aligned(self, space: int, numbers: Numbers) -> tuple[Floats, npt.NDArray[np.bool_]]:
        numbers = np.asarray(numbers, np.int64)
        found = self.db.execute(VECTORS, (listed(node_keys(space, numbers)),)).fetchall()
        rows = widened(b"".join([row[1] for row in found]), self.dimension)
        nodes = np.fromiter((row[0] for row in found), np.int64, len(found)) & NUMBER_MASK
        if len(nodes) == len(numbers) and np.array_equal(nodes, numbers):
            return rows, np.zeros(len(numbers), bool)
        order = np.argsort(nodes)
        at = np.minimum(np.searchsorted(nodes, numbers, sorter=order), max(len(nodes) - 1, 0))
        out = np.zeros((len(numbers), self.dimension), np.float32)
        there = nodes[order[at]] == numbers if len(nodes) else np.zeros(len(numbers), bool)
        out[there] = rows[order[at[there]]]
        return out, ~there

    # -- checking
    def _all_vectors(self, space: int) -> Iterator[tuple[Numbers, Numbers, npt.NDArray[np.float16]]]:
        cursor = self.db.execute(ALL_VECTORS, node_range(space))
        while batch := cursor.fetchmany(BATCH):
            nodes = np.array([row[0] for row in batch], np.int64) & NUMBER_MASK
            kinds = np.array([row[1] for row in batch], np.int64)
            yield nodes, kinds, np.frombuffer(b"".join([row[2] for row in batch]), "<f2").reshape(len(batch), -1)

    def check(self, space: int, numbers: Numbers, kinds: npt.ArrayLike) -> list[str]:
        """Where vectors stand for no such live node (the truth), or codes are not the vectors' sign bits."""
        live = dict(zip(np.asarray(numbers).tolist(), np.asarray(kinds).tolist(), strict=True))
        codes: dict[int, tuple[int, bytes]] = {}
        stored = 0
        for kind, held, body in self.db.execute(ALL_CODES, (space,)):
            block_numbers, rows = _unpack(held, body)
            codes |= {n: (kind, row.tobytes()) for n, row in zip(block_numbers.tolist(), rows, strict=True)}
            stored += held
        dead = wrong = count = 0
        for nodes, of, rows16 in self._all_vectors(space):
            count += len(nodes)
            for n, kind, row in zip(nodes.tolist(), of.tolist(), encode(rows16), strict=True):
                dead += live.get(n) != kind
                wrong += codes.get(n) != (kind, row.tobytes())
        said = {
            f"vectors: {dead} are of no live node of their kind": dead,
            f"vectors: {wrong} have other codes than their sign bits": wrong,
            f"vectors: {stored} codes for {count} vectors": stored != count or len(codes) != stored,
        }
        return [message for message, holds in said.items() if holds]


class TokenCodes:
    """Sign bits of the token vectors of passages, for late interaction: uint8 (tokens, bytes) a passage."""

    PUT = "INSERT INTO token_code VALUES(?, ?) ON CONFLICT(node) DO UPDATE SET body = excluded.body"
    GET = "SELECT node, body FROM token_code WHERE node IN (SELECT value FROM json_each(?))"
    DROP = "DELETE FROM token_code WHERE node = ?"
    HELD = "SELECT node FROM token_code WHERE node BETWEEN ? AND ?"
    CLEAR = "DELETE FROM token_code WHERE node BETWEEN ? AND ?"

    def __init__(self, db: sqlite3.Connection, dimension: int = 384) -> None:
        self.db = db
        self.bytes = (dimension + 7) // 8

    def add(self, space: int, numbers: Numbers, codes: Sequence[npt.NDArray[np.uint8]]) -> None:
        keys = node_keys(space, checked(numbers))
        self.db.executemany(self.PUT, zip(keys, (code.tobytes() for code in codes), strict=True))

    def remove(self, space: int, numbers: Numbers) -> None:
        self.db.executemany(self.DROP, ((key,) for key in node_keys(space, checked(numbers))))

    def get(self, space: int, numbers: Numbers) -> tuple[Numbers, CodeRows]:
        """Offsets (n + 1) into the codes (total, bytes): those of numbers[i] are codes[offsets[i] : offsets[i + 1]]."""
        keys = node_keys(space, np.asarray(numbers, np.int64))
        found = dict(self.db.execute(self.GET, (listed(keys),)))
        bodies = [found.get(key, b"") for key in keys]
        offsets = np.zeros(len(keys) + 1, np.int64)
        np.cumsum([len(body) // self.bytes for body in bodies], out=offsets[1:])
        return offsets, np.frombuffer(b"".join(bodies), np.uint8).reshape(-1, self.bytes)

    def clear(self, space: int) -> None:
        self.db.execute(self.CLEAR, node_range(space))

    def check(self, space: int, numbers: Numbers) -> list[str]:
        live = set(np.asarray(numbers).tolist())
        base = space << SPACE_BITS
        dead = sum(node - base not in live for (node,) in self.db.execute(self.HELD, node_range(space)))
        return [f"token codes: {dead} are of no live passage"] if dead else []
