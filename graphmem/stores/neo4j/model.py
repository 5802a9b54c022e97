"""What a memory looks like in the graph: labels, relationship types, and nodes as rows of properties and back.

Properties are never null or nested: what is not known is not set, maps are JSON, spans are three lists.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphmem.schema import (
    ONE_Q8,
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
from graphmem.stores.edgekeys import NO_START, Full

#: Relationship types, by edge type: a closed set. All but two are called as the edge type is.
RELATION = {type: type.name for type in EdgeType} | {EdgeType.PART: "PART_OF", EdgeType.DERIVED: "DERIVED_FROM"}
TYPE_OF = {name: int(type) for type, name in RELATION.items()}

KIND_LABEL = {
    NodeKind.SOURCE: "Source",
    NodeKind.SECTION: "Section",
    NodeKind.PASSAGE: "Passage",
    NodeKind.NOTE: "Note",
    NodeKind.ENTITY: "Entity",
    NodeKind.HYPEREDGE: "Hyperedge",
}
NOTE_LABELS = tuple(kind.value.capitalize() for kind in NoteKind)
ENTITY_LABELS = ("Person", "Place", "Organisation", "Date", "Work", "Thing")

#: The fields of each kind in the order of its row; `FIELDS` reads them back in this order.
COLUMNS = {
    NodeKind.SOURCE: "kind outside_id title digest revision supersedes meta",
    NodeKind.SECTION: "source name ordinal at_us",
    NodeKind.PASSAGE: "source section ordinal text ref speaker at_us tz_min start end form meta",
    NodeKind.NOTE: (
        "kind text passages starts ends parents context keywords tags confidence_q8 valid_from_us valid_to_us made_by "
        "subject"
    ),
    NodeKind.ENTITY: "name type",
    NodeKind.HYPEREDGE: (
        "predicate roles members passages starts ends confidence_q8 valid_from_us valid_to_us made_by"
    ),
}
FIELDS = "CASE n._kind {} END".format(
    " ".join(
        f"WHEN {int(kind)} THEN [{', '.join(f'n.{name}' for name in names.split())}]" for kind, names in COLUMNS.items()
    )
)
QUOTED = f"""CASE WHEN n._kind IN [{int(NodeKind.NOTE)}, {int(NodeKind.HYPEREDGE)}]
  THEN COLLECT {{ MATCH (n)-[:FROM]->(p:Passage) RETURN DISTINCT [p.id, p.text] }} END"""

Row = list[Any]
KeyOf = Callable[[Id], int]


def labels(node: Node) -> list[str]:
    """The labels of a node beside its kind's. What type an entity has beyond the known ones is a property alone."""
    if isinstance(node, Note):
        return [node.kind.value.capitalize()]
    if isinstance(node, Entity) and node.type.capitalize() in ENTITY_LABELS:
        return [node.type.capitalize()]
    return []


def fields(node: Node) -> Row:
    """The values of `COLUMNS`."""
    if isinstance(node, Note):
        return [
            node.kind.value, node.text, *_spans(node.spans), list(node.parents), node.context, list(node.keywords),
            list(node.tags), node.confidence_q8, node.valid_from_us, node.valid_to_us, node.made_by, node.subject,
        ]  # fmt: skip
    if isinstance(node, Passage):
        return [
            node.source, node.section, node.ordinal, node.text, node.ref, node.speaker, node.at_us, node.tz_min,
            node.start, node.end, int(node.form), as_json(node.meta) if node.meta else "{}",
        ]  # fmt: skip
    if isinstance(node, Entity):
        return [node.name, node.type]
    if isinstance(node, Hyperedge):
        roles, members = [m.role.name for m in node.members], [m.node for m in node.members]
        return [
            node.predicate, roles, members, *_spans(node.spans), node.confidence_q8, node.valid_from_us,
            node.valid_to_us, node.made_by,
        ]  # fmt: skip
    if isinstance(node, Section):
        return [node.source, node.name, node.ordinal, node.at_us]
    return [
        node.kind, node.outside_id, node.title, node.digest, node.revision, node.supersedes, as_json(node.meta)
    ]  # fmt: skip


def _spans(spans: Sequence[Span]) -> tuple[list[Id], list[int], list[int]]:
    return [s.passage for s in spans], [s.start for s in spans], [s.end for s in spans]


def references(node: Node, key: KeyOf) -> list[int | None]:
    """Keys that a node carries beside ids: its source and section, or the passage that it stands in first."""
    if isinstance(node, Passage):
        return [key(node.source), None if node.section is None else key(node.section)]
    if isinstance(node, Section):
        return [key(node.source)]
    if isinstance(node, (Note, Hyperedge)):
        return [key(node.spans[0].passage) if node.spans else None]
    return []


def node(kind: int, id: Id, version: int, row: Sequence[Any], quoted: Sequence[Sequence[str]] | None) -> Node:
    """A node of what `FIELDS` and `QUOTED` read."""
    if kind == NodeKind.PASSAGE:
        source, section, ordinal, text, ref, speaker, at_us, tz_min, start, end, form, meta = row
        return Passage(
            id, source, section, ordinal, text, ref, speaker, at_us, tz_min, start, end, Form(form), json.loads(meta),
            version,
        )  # fmt: skip
    texts: Mapping[str, str] = {quote[0]: quote[1] for quote in quoted or ()}
    if kind == NodeKind.NOTE:
        sort, text, passages, starts, ends, parents, context, keywords, tags, sure, since, until, made_by, subject = row
        return Note(
            id, NoteKind(sort), text, _quoting(texts, passages, starts, ends), tuple(parents), context,
            tuple(keywords), tuple(tags), sure, since, until, made_by, subject, version,
        )  # fmt: skip
    if kind == NodeKind.ENTITY:
        return Entity(id, row[0], row[1], version)
    if kind == NodeKind.HYPEREDGE:
        predicate, roles, members, passages, starts, ends, sure, since, until, made_by = row
        joined = tuple(Member(EdgeType[role], member) for role, member in zip(roles, members, strict=True))
        spans = _quoting(texts, passages, starts, ends)
        return Hyperedge(id, predicate, joined, spans, sure, since, until, made_by, version)
    if kind == NodeKind.SECTION:
        return Section(id, row[0], row[1], row[2], row[3], version)
    sort, outside_id, title, digest, revision, supersedes, meta = row
    return Source(id, sort, outside_id, title, digest, revision, supersedes, json.loads(meta), version)


def _quoting(texts: Mapping[str, str], passages: list[Id], starts: list[int], ends: list[int]) -> tuple[Span, ...]:
    return tuple(
        Span(passage, start, end, texts[passage][start:end])
        for passage, start, end in zip(passages, starts, ends, strict=True)
    )


# -- edges: [src, relation, dst, start, end, weight, reason]; the usual values are not set


def edge_row(full: Full) -> Row:
    src, type, dst, start, stop, weight, reason = full
    return [
        src,
        RELATION[EdgeType(type)],
        dst,
        None if start == NO_START else start,
        None if stop == NO_START else stop,
        None if weight == ONE_Q8 else weight / ONE_Q8,
        reason or None,
    ]


def full_edge(row: Sequence[Any]) -> Full:
    src, relation, dst, start, stop, weight, reason = row
    return (
        src,
        TYPE_OF[relation],
        dst,
        NO_START if start is None else start,
        NO_START if stop is None else stop,
        ONE_Q8 if weight is None else round(weight * ONE_Q8),
        reason or "",
    )
