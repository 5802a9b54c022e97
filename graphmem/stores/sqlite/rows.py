"""Nodes as rows and rows as nodes: one statement a kind, whatever their number.

Spans, parents and members are packed numbers; quotes are cut from the passage when they are read, so that no text of
a passage stands anywhere else in these rows.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from graphmem.errors import StoreCorrupt
from graphmem.schema import (
    EdgeType,
    Entity,
    Form,
    Hyperedge,
    Id,
    Member,
    Node,
    NodeKind,
    Note,
    NoteKind,
    Passage,
    Section,
    Source,
    Span,
)
from graphmem.stores.canonical import as_json
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS
from graphmem.stores.sqlite.ids import ids_of
from graphmem.stores.sqlite.keys import listed

NODES = "SELECT n, id, kind, version FROM node WHERE n IN (SELECT value FROM json_each(?))"
TEXTS = "SELECT n, text FROM passage WHERE n IN (SELECT value FROM json_each(?))"
SELECT = {
    NodeKind.SOURCE: """SELECT n, kind, outside_id, title, digest, revision, supersedes, meta FROM source
      WHERE n IN (SELECT value FROM json_each(?))""",
    NodeKind.SECTION: """SELECT n, source, name, ordinal, at_us FROM section
      WHERE n IN (SELECT value FROM json_each(?))""",
    NodeKind.PASSAGE: """SELECT n, source, section, ordinal, text, ref, speaker, at_us, tz_min, start, stop, form, meta
      FROM passage WHERE n IN (SELECT value FROM json_each(?))""",
    NodeKind.NOTE: """SELECT n, kind, text, spans, parents, context, keywords, tags, confidence_q8, valid_from_us,
      valid_to_us, made_by, subject FROM note WHERE n IN (SELECT value FROM json_each(?))""",
    NodeKind.ENTITY: "SELECT n, name, type FROM entity WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.HYPEREDGE: """SELECT n, predicate, members, spans, confidence_q8, valid_from_us, valid_to_us, made_by
      FROM hyperedge WHERE n IN (SELECT value FROM json_each(?))""",
}
INSERT = {
    NodeKind.SOURCE: "INSERT OR REPLACE INTO source VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    NodeKind.SECTION: "INSERT OR REPLACE INTO section VALUES(?, ?, ?, ?, ?)",
    NodeKind.PASSAGE: "INSERT OR REPLACE INTO passage VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    NodeKind.NOTE: "INSERT OR REPLACE INTO note VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    NodeKind.ENTITY: "INSERT OR REPLACE INTO entity VALUES(?, ?, ?)",
    NodeKind.HYPEREDGE: "INSERT OR REPLACE INTO hyperedge VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
}
DELETE = {
    NodeKind.SOURCE: "DELETE FROM source WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.SECTION: "DELETE FROM section WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.PASSAGE: "DELETE FROM passage WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.NOTE: "DELETE FROM note WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.ENTITY: "DELETE FROM entity WHERE n IN (SELECT value FROM json_each(?))",
    NodeKind.HYPEREDGE: "DELETE FROM hyperedge WHERE n IN (SELECT value FROM json_each(?))",
}
Row = tuple[Any, ...]
KeyOf = Callable[[Id], int]
T = TypeVar("T")


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # made once: dumps with an option makes one each time


def _list_json(values: Sequence[str]) -> str:
    return _ENCODE(values) if values else "[]"


# -- to rows

_ONE_SPAN = struct.Struct("<3I")


def _packed(numbers: Iterable[int]) -> bytes:
    flat = list(numbers)
    return np.array(flat, "<u4").tobytes() if flat else b""


def spans_blob(spans: Sequence[Span], key: KeyOf) -> bytes:
    if len(spans) == 1:
        span = spans[0]
        return _ONE_SPAN.pack(key(span.passage) & NUMBER_MASK, span.start, span.end)
    return _packed(x for span in spans for x in (key(span.passage) & NUMBER_MASK, span.start, span.end))


def row(node: Node, n: int, key: KeyOf) -> Row:
    """The row of a node; `key` gives the key of an id that it names."""
    space = n >> SPACE_BITS
    if isinstance(node, Note):
        parents = _packed(key(id) & NUMBER_MASK for id in node.parents)
        return (
            n, space, node.kind.value, node.confidence_q8, node.valid_from_us, node.valid_to_us,
            spans_blob(node.spans, key), parents, node.text, node.context, _list_json(node.keywords),
            _list_json(node.tags), node.made_by, node.subject,
        )  # fmt: skip
    if isinstance(node, Passage):
        section = key(node.section) if node.section is not None else None
        return (
            n, space, key(node.source), section, node.ordinal, node.at_us, node.tz_min, node.start, node.end,
            int(node.form), node.ref, node.speaker, node.text, as_json(node.meta) if node.meta else "{}",
        )  # fmt: skip
    if isinstance(node, Entity):
        return n, node.name, node.type
    if isinstance(node, Hyperedge):
        members = _packed(x for m in node.members for x in (int(m.role), key(m.node) & NUMBER_MASK))
        return (
            n, node.predicate, node.confidence_q8, node.valid_from_us, node.valid_to_us, members,
            spans_blob(node.spans, key), node.made_by,
        )  # fmt: skip
    if isinstance(node, Section):
        return n, key(node.source), node.ordinal, node.at_us, node.name
    return (
        n, space, node.kind, node.outside_id, node.title, node.digest, node.revision, node.supersedes,
        as_json(node.meta),
    )  # fmt: skip


# -- from rows


def load(db: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Node]:
    """The nodes with these keys, those that are there. At most nine statements, whatever their number."""
    found = db.execute(NODES, (listed(list(keys)),)).fetchall()
    kinds: dict[int, list[int]] = {}
    for n, _, kind, _ in found:
        kinds.setdefault(kind, []).append(n)
    rows = {kind: db.execute(SELECT[NodeKind(kind)], (listed(ns),)).fetchall() for kind, ns in kinds.items()}
    maker = _Maker(db, rows)
    bodies = {row[0]: (kind, row) for kind, part in rows.items() for row in part}
    nodes: dict[int, Node] = {}
    for n, raw, _, version in found:
        if n not in bodies:
            raise StoreCorrupt(f"node {n & NUMBER_MASK} has no content", hint="restore a copy of the store")
        kind, body = bodies[n]
        nodes[n] = maker.node(NodeKind(kind), raw.hex(), version, body)
    return nodes


def numbers_in(blob: bytes, width: int) -> list[list[int]]:
    """A packed column as rows of `width` numbers."""
    rows: list[list[int]] = np.frombuffer(blob, "<u4").reshape(-1, width).tolist()
    return rows


class _Maker:
    """Knows the ids and texts that the rows it was given name."""

    def __init__(self, db: sqlite3.Connection, rows: Mapping[int, list[Row]]) -> None:
        named, quoted = set[int](), set[int]()
        for n, source, section, *_ in rows.get(NodeKind.PASSAGE, ()):
            named |= {n, source} if section is None else {n, source, section}
        named.update(row[1] for row in rows.get(NodeKind.SECTION, ()))
        for kind, at in ((NodeKind.NOTE, 3), (NodeKind.HYPEREDGE, 3)):
            for row in rows.get(kind, ()):
                base = row[0] & ~NUMBER_MASK
                quoted.update(base | number for number, _, _ in numbers_in(row[at], 3))
                if kind == NodeKind.NOTE:
                    named.update(base | number for (number,) in numbers_in(row[4], 1))
                else:
                    named.update(base | number for _, number in numbers_in(row[2], 2))
        self.ids = ids_of(db, sorted(named | quoted))
        self.texts: dict[int, str] = dict(db.execute(TEXTS, (listed(sorted(quoted)),)).fetchall()) if quoted else {}

    def node(self, kind: NodeKind, id: Id, version: int, row: Row) -> Node:
        if kind == NodeKind.PASSAGE:
            n, source, section, ordinal, text, ref, speaker, at_us, tz_min, start, stop, form, meta = row
            part = None if section is None else self.ids[section]
            return Passage(
                id, self.ids[source], part, ordinal, text, ref, speaker, at_us, tz_min, start, stop, Form(form),
                json.loads(meta), version,
            )  # fmt: skip
        if kind == NodeKind.NOTE:
            n, sort, text, spans, parents, context, keywords, tags, sure, since, until, made_by, subject = row
            base = n & ~NUMBER_MASK
            from_notes = tuple(self.ids[base | number] for (number,) in numbers_in(parents, 1))
            return Note(
                id, NoteKind(sort), text, self.spans(base, spans), from_notes, context, tuple(json.loads(keywords)),
                tuple(json.loads(tags)), sure, since, until, made_by, subject, version,
            )  # fmt: skip
        if kind == NodeKind.ENTITY:
            return Entity(id, row[1], row[2], version)
        if kind == NodeKind.HYPEREDGE:
            n, predicate, packed, spans, sure, since, until, made_by = row
            base = n & ~NUMBER_MASK
            members = tuple(Member(EdgeType(role), self.ids[base | number]) for role, number in numbers_in(packed, 2))
            return Hyperedge(
                id, predicate, members, self.spans(base, spans), sure, since, until, made_by, version
            )  # fmt: skip
        if kind == NodeKind.SECTION:
            return Section(id, self.ids[row[1]], row[2], row[3], row[4], version)
        n, sort, outside_id, title, digest, revision, supersedes, meta = row
        return Source(id, sort, outside_id, title, digest, revision, supersedes, json.loads(meta), version)

    def spans(self, base: int, blob: bytes) -> tuple[Span, ...]:
        return tuple(
            Span(self.ids[base | number], start, stop, self.texts[base | number][start:stop])
            for number, start, stop in numbers_in(blob, 3)
        )
