"""The derived rows of one connection, and what keeps them in step when nodes come, go, retire and return."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.analysis import indexed_text, terms
from graphmem.schema import NodeKind, Passage
from graphmem.stores.base import Floats, Numbers
from graphmem.stores.keys import NUMBER_MASK, local, node_keys
from graphmem.stores.scan import Codes as CodeRows
from graphmem.stores.sqlite import heads, rows
from graphmem.stores.sqlite.adjacency import Adjacency
from graphmem.stores.sqlite.codes import CodeCache, Codes, TokenCodes
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.postings import Postings

VECTORS = "SELECT node, kind, body FROM vector WHERE node IN (SELECT value FROM json_each(?))"
TOKENS = "SELECT node, body FROM token_code WHERE node IN (SELECT value FROM json_each(?))"
SHELVE = "INSERT OR REPLACE INTO shelf VALUES(?, ?, ?, ?)"
SHELVED = "SELECT n, kind, vector, tokens FROM shelf WHERE n IN (SELECT value FROM json_each(?))"
UNSHELVE = "DELETE FROM shelf WHERE n IN (SELECT value FROM json_each(?))"


@dataclass(slots=True)
class Derived:
    """Postings, codes and adjacency on one connection; every method works inside the caller's transaction."""

    db: sqlite3.Connection
    postings: Postings
    codes: Codes
    tokens: TokenCodes
    adjacency: Adjacency

    @classmethod
    def on(cls, db: sqlite3.Connection, dimension: int, cache: CodeCache | None = None) -> Derived:
        return cls(db, Postings(db), Codes(db, cache, dimension), TokenCodes(db, dimension), Adjacency(db))

    def settle(self, dimension: int) -> None:
        self.codes.dimension = dimension
        self.tokens.bytes = (dimension + 7) // 8

    def vectors(self, space: int, numbers: Numbers) -> Floats:
        """(n, dimension), zeros where there is none; those of retired nodes come from the shelf."""
        found = self.codes.vectors(space, numbers)
        blank = np.flatnonzero(~found.any(axis=1)).tolist()
        if blank:
            held = self._on_shelf(space, numbers[blank])
            for i in blank:
                body = held.get(int(numbers[i]), (None, None))[0]
                if body is not None:
                    found[i] = np.frombuffer(body, "<f2")
        return found

    def token_codes(self, space: int, numbers: Numbers) -> tuple[Numbers, CodeRows]:
        """As `TokenCodes.get`, those of retired passages from the shelf."""
        offsets, codes = self.tokens.get(space, numbers)
        blank = np.flatnonzero(np.diff(offsets) == 0).tolist()
        held = self._on_shelf(space, numbers[blank]) if blank else {}
        if not held:
            return offsets, codes
        parts = [codes[offsets[i] : offsets[i + 1]].tobytes() for i in range(len(numbers))]
        for i in blank:
            parts[i] = held.get(int(numbers[i]), (None, None))[1] or b""
        sizes = [len(part) // self.tokens.bytes for part in parts]
        joined = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, self.tokens.bytes)
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), joined

    def _on_shelf(self, space: int, numbers: Numbers) -> dict[int, tuple[bytes | None, bytes | None]]:
        rows = self.db.execute(SHELVED, (listed(node_keys(space, numbers)),))
        return {n & NUMBER_MASK: (vector, tokens) for n, _, vector, tokens in rows}

    def take_out(self, space: int, keys: Sequence[int], *, shelve: bool) -> None:
        """These live nodes leave text, vectors, tokens and heads; `shelve` keeps vectors for their return."""
        if shelve:
            self._shelve(keys)
        passages, term_lists = self._texts(keys)
        self.postings.remove(space, passages, term_lists)
        self.codes.remove(space, local(keys))
        self.tokens.remove(space, local(keys))
        heads.drop(self.db, keys)

    def bring_back(self, space: int, keys: Sequence[int]) -> None:
        """These nodes, live again, enter the searches; vectors only as far as they were shelved."""
        passages, term_lists = self._texts(keys)
        self.postings.add(space, passages, term_lists)
        shelved = self.db.execute(SHELVED, (listed(list(keys)),)).fetchall()
        held = [row for row in shelved if row[2] is not None]
        if held:
            matrix = np.frombuffer(b"".join(row[2] for row in held), "<f2").reshape(len(held), -1)
            kinds = np.array([row[1] for row in held], np.uint8)
            self.codes.add(space, local([row[0] for row in held]), kinds, matrix)
        coded = [row for row in shelved if row[3] is not None]
        if coded:
            codes = [np.frombuffer(row[3], np.uint8).reshape(-1, self.tokens.bytes) for row in coded]
            self.tokens.add(space, local([row[0] for row in coded]), codes)
        self.db.execute(UNSHELVE, (listed(list(keys)),))
        heads.renew(self.db, keys)

    def _shelve(self, keys: Sequence[int]) -> None:
        kept: dict[int, list[Any]] = {}
        for n, kind, body in self.db.execute(VECTORS, (listed(list(keys)),)):
            kept[n] = [kind, body, None]
        for n, body in self.db.execute(TOKENS, (listed(list(keys)),)):
            kept.setdefault(n, [int(NodeKind.PASSAGE), None, None])[2] = body
        self.db.executemany(SHELVE, [(n, *row) for n, row in kept.items()])

    def _texts(self, keys: Sequence[int]) -> tuple[Numbers, list[list[str]]]:
        nodes = rows.load(self.db, keys)
        passages = [(n, node) for n, node in sorted(nodes.items()) if isinstance(node, Passage)]
        return local([n for n, _ in passages]), [terms(indexed_text(node)) for _, node in passages]


def as_f16(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    return np.ascontiguousarray(matrix, np.float16)
