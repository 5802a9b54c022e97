"""The journal's chain of commits and what each commits to; new edges of a commit, packed.

New nodes of a commit are one range of numbers and new edges packed arrays (18 bytes a note with four links, where
before- and after-images would take 175 to 805).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphmem.schema import Id, Op
from graphmem.stores.canonical import as_json
from graphmem.stores.edgekeys import Key
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS

Logged = tuple[int, bytes, Op, bytes | None]  # key, id, op, packed before


@dataclass(frozen=True, slots=True)
class Entry:
    """What a commit is made of. `made`: the ids of its new nodes, 16 bytes each, in the order of their numbers."""

    job: Id | None
    actor: str
    cause: str
    first: int
    made: bytes
    edges: Sequence[Key]
    logged: Sequence[Logged]
    changes: int
    at_us: int | None = None  # now when not given


def commitment(salt: bytes, made: bytes, body: bytes, logged: Iterable[tuple[bytes, str, bytes | None]]) -> bytes:
    """What the chain covers of the changes. Salted: once the salt is dropped, nobody can confirm a guess."""
    digest = hashlib.blake2b(salt, digest_size=32)
    for part in (made, body, *(x for id, op, before in logged for x in (id, op.encode(), before or b""))):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def link(before: bytes, fields: Sequence[object], sealed: bytes) -> bytes:
    return hashlib.blake2b(before + as_json(list(fields)).encode() + sealed, digest_size=32).digest()


#: Whether the changes of the commit `seq`, whose nodes are (first, nodes), give (salt, body, commitment) again.
Opens = Callable[[int, tuple[int, int], tuple[bytes, bytes, bytes]], bool]


def breaks(commits: Iterable[Sequence[Any]], opens: Opens, counted: tuple[int, bytes]) -> list[str]:
    """Where the chain does not verify: a commit left out, altered, or not what it committed to.

    Rows in order: seq, job, actor, cause, at_us, changes, first, nodes, body, salt, commitment, chain. `counted`: the
    space's seq and chain."""
    wrong, chain, expected = [], b"", 1
    for seq, job, actor, cause, at_us, changes, first, nodes, body, salt, sealed, stored in commits:
        if seq != expected:
            wrong.append(f"journal: commit {expected} is missing")
        chain = link(chain, (seq, job, actor, cause, at_us, changes, first, nodes), sealed)
        if chain != stored:
            wrong.append(f"journal: the chain breaks at commit {seq}")
            chain = stored
        if salt is not None and not opens(seq, (first, nodes), (salt, body, sealed)):
            wrong.append(f"journal: commit {seq} is not what it committed to")
        expected = seq + 1
    if counted != (expected - 1, chain):
        wrong.append(f"journal: the space counts {counted[0]} commits, the journal holds {expected - 1}")
    return wrong


def pack_edges(edges: Sequence[Key]) -> bytes:
    """Local numbers in columns, sources as differences: about 5 bytes an edge once deflated."""
    if not edges:
        return b""
    src, type, dst, start = np.array(edges, np.int64).T
    columns = (
        np.diff(src & NUMBER_MASK, prepend=0).astype("<i4"),
        (dst & NUMBER_MASK).astype("<u4"),
        start.astype("<i4"),
        type.astype("u1"),
    )
    return zlib.compress(b"".join(column.tobytes() for column in columns), 1)


def unpack_edges(space: int, body: bytes) -> list[Key]:
    if not body:
        return []
    raw = zlib.decompress(body)
    count, base = len(raw) // 13, space << SPACE_BITS
    src = np.cumsum(np.frombuffer(raw, "<i4", count).astype(np.int64)) + base
    dst = np.frombuffer(raw, "<u4", count, 4 * count).astype(np.int64) + base
    start = np.frombuffer(raw, "<i4", count, 8 * count)
    type = np.frombuffer(raw, "u1", count, 12 * count)
    return list(zip(src.tolist(), type.tolist(), dst.tolist(), start.tolist(), strict=True))
