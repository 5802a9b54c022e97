"""The image of a node: its journaled fields as JSON values, for comparing, for before-images and for digests.

Quotes are left out: they are the passage's text. So are id, version and whatever a store keeps for itself.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

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

Image = dict[str, Any]


def image(node: Node) -> Image:
    if isinstance(node, Note):
        return {
            "kind": node.kind.value,
            "text": node.text,
            "spans": _spans(node.spans),
            "parents": list(node.parents),
            "context": node.context,
            "keywords": list(node.keywords),
            "tags": list(node.tags),
            "confidence_q8": node.confidence_q8,
            "valid_from_us": node.valid_from_us,
            "valid_to_us": node.valid_to_us,
            "made_by": node.made_by,
            "subject": node.subject,
        }
    if isinstance(node, Passage):
        names = "source section ordinal text ref speaker at_us tz_min start end".split()
        return {name: getattr(node, name) for name in names} | {"form": int(node.form), "meta": _meta(node.meta)}
    if isinstance(node, Entity):
        return {"name": node.name, "type": node.type}
    if isinstance(node, Hyperedge):
        return {
            "predicate": node.predicate,
            "members": [[member.role.name, member.node] for member in node.members],
            "spans": _spans(node.spans),
            "confidence_q8": node.confidence_q8,
            "valid_from_us": node.valid_from_us,
            "valid_to_us": node.valid_to_us,
            "made_by": node.made_by,
        }
    if isinstance(node, Section):
        return {"source": node.source, "name": node.name, "ordinal": node.ordinal, "at_us": node.at_us}
    names = "kind outside_id title digest revision supersedes".split()
    return {name: getattr(node, name) for name in names} | {"meta": _meta(node.meta)}


def _spans(spans: tuple[Span, ...]) -> list[list[Any]]:
    return [[span.passage, span.start, span.end] for span in spans]


def _meta(meta: Mapping[str, object]) -> object:
    return json.loads(as_json(meta)) if meta else {}


def from_image(kind: NodeKind, id: Id, fields: Mapping[str, Any], texts: Mapping[Id, str], version: int) -> Node:
    """The node again; `texts` holds the passages that its spans quote."""
    known = dict(fields)
    if "spans" in known:
        known["spans"] = tuple(Span(p, start, end, texts[p][start:end]) for p, start, end in known["spans"])
    if kind == NodeKind.NOTE:
        lists = {name: tuple(known[name]) for name in ("parents", "keywords", "tags")}
        return Note(id=id, version=version, **(known | lists | {"kind": NoteKind(known["kind"])}))
    if kind == NodeKind.PASSAGE:
        return Passage(id=id, version=version, **(known | {"form": Form(known["form"])}))
    if kind == NodeKind.HYPEREDGE:
        members = tuple(Member(EdgeType[role], node) for role, node in known.pop("members"))
        return Hyperedge(id=id, version=version, members=members, **known)
    made: type[Entity | Section | Source] = {
        NodeKind.ENTITY: Entity,
        NodeKind.SECTION: Section,
        NodeKind.SOURCE: Source,
    }[kind]
    return made(id=id, version=version, **known)


def kind_of(fields: Mapping[str, Any]) -> NodeKind:
    """Which kind of node an image is of, by the field that only it has."""
    for name, kind in (
        ("context", NodeKind.NOTE),
        ("speaker", NodeKind.PASSAGE),
        ("predicate", NodeKind.HYPEREDGE),
        ("outside_id", NodeKind.SOURCE),
        ("ordinal", NodeKind.SECTION),
    ):
        if name in fields:
            return kind
    return NodeKind.ENTITY


def older_values(old: Image, new: Image) -> Image:
    """The fields that differ, with their old values: what an update journals."""
    return {name: value for name, value in old.items() if new.get(name) != value}


def pack(value: object) -> bytes:
    """JSON, deflated: 74 bytes for the old context and keywords of a note."""
    return zlib.compress(as_json(value).encode(), 6)


def unpack(blob: bytes) -> Image:
    fields: Image = json.loads(zlib.decompress(blob))
    return fields


def named_in(fields: Image) -> set[Id]:
    """The ids that an image names."""
    named = {span[0] for span in fields.get("spans", ())} | set(fields.get("parents", ()))
    named |= {member[1] for member in fields.get("members", ())}
    return named | {fields[name] for name in ("source", "section", "subject") if fields.get(name)}
