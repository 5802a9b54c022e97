"""Identity: every id is a keyed hash of what a thing *is*, never of what evolves.

An id is 32 lower-case hex digits of blake2b-128 keyed with the space's key, so a hash of a short text cannot be
confirmed by guessing once the space (and its key) is erased. Parts are length-prefixed: no two part lists collide
by concatenation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

Id = str
ID_BYTES = 16


def identity(key: bytes, kind: str, *parts: str | int | None) -> Id:
    """The id of a `kind` with these identifying parts, in this order. None and "" differ."""
    digest = hashlib.blake2b(key=key, digest_size=ID_BYTES)
    for part in (kind, *parts):
        raw = b"" if part is None else str(part).encode("utf-8")
        digest.update(b"%d:" % (-1 if part is None else len(raw)))
        digest.update(raw)
    return digest.hexdigest()


def source_id(key: bytes, kind: str, outside_id: str, revision: int) -> Id:
    return identity(key, "source", kind, outside_id, revision)


def section_id(key: bytes, source: Id, name: str) -> Id:
    return identity(key, "section", source, name)


def passage_id(key: bytes, source: Id, ref: str | None, ordinal: int, text: str) -> Id:
    """By its source, its outside `ref` (else its ordinal) and its text: the same words said twice are two passages."""
    return identity(key, "passage", source, f"ref:{ref}" if ref is not None else f"ord:{ordinal}", text)


def note_id(key: bytes, kind: str, spans: Iterable[tuple[Id, int, int]], subject: str | None = None) -> Id:
    """A note from text by its spans and kind; an observation or persona (no spans) by its subject."""
    parts = [f"{passage}:{start}:{end}" for passage, start, end in spans]
    return identity(key, "note", kind, subject, *parts)


def entity_id(key: bytes, name: str, type: str) -> Id:
    """By its first canonical name (folded) and type; merging adds an alias edge and renames nothing."""
    return identity(key, "entity", fold(name), type)


def hyperedge_id(
    key: bytes, predicate: str, members: Iterable[tuple[str, Id]], spans: Iterable[tuple[Id, int, int]]
) -> Id:
    sorted_members = sorted(f"{role}:{member}" for role, member in members)
    return identity(
        key, "hyperedge", predicate, *sorted_members, *(f"{passage}:{start}:{end}" for passage, start, end in spans)
    )


def fold(name: str) -> str:
    """A name as aliases are compared: case-folded, inner whitespace single, outer punctuation and possessive gone."""
    folded = " ".join(name.casefold().replace("\u2019", "'").split()).strip(" .,;:!?\"'()[]")
    return folded.removesuffix("'s").rstrip()
