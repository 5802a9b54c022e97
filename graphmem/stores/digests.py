"""Digests: canonical JSON of identity and journaled fields, in id order. Left out: vectors, use counts, wall-clock
times, sequence numbers, versions and job ids. The digest of what came by the same commits in the same order is equal;
the evidence digest (sources, passages, and of the notes that rules read in them what they say and where) does not
depend on the order either: neither organising nor a model's proposals change it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from graphmem.schema import EdgeType, Id, Node, NodeKind, Note
from graphmem.stores.canonical import as_json
from graphmem.stores.edgekeys import Full
from graphmem.stores.images import image
from graphmem.stores.kinds import KIND_OF

#: Who makes notes without a model.
RULES = "rules"
EVIDENCE = (NodeKind.SOURCE, NodeKind.PASSAGE, NodeKind.NOTE)

Told = tuple[Node, bool]  # a node, and whether it is retired
Name = tuple[int, str, int | None]  # entity, folded name, passage


def digest(nodes: Iterable[Told], edges: Iterable[Full], names: Iterable[Name], ids: Mapping[int, Id]) -> str:
    """Of nodes in id order, and edges and names in any order; `ids` are those that they name."""
    state = hashlib.blake2b(digest_size=32)
    for node, retired in nodes:
        state.update(f"{int(KIND_OF[type(node)])} {int(retired)} {as_json([node.id, image(node)])}\n".encode())
    lines = [
        as_json([ids[src], EdgeType(type).name, ids[dst], start, stop, weight, reason])
        for src, type, dst, start, stop, weight, reason in edges
    ]
    lines += [as_json([ids[entity], folded, ids.get(seen or 0)]) for entity, folded, seen in names]
    for line in sorted(lines):
        state.update(line.encode() + b"\n")
    return state.hexdigest()


def evidence_digest(nodes: Iterable[Told]) -> str:
    """Of sources, passages and notes in id order."""
    state = hashlib.blake2b(digest_size=32)
    for node, _ in nodes:
        if not isinstance(node, Note):
            state.update(f"{int(KIND_OF[type(node)])} {as_json([node.id, image(node)])}\n".encode())
        elif node.spans and node.made_by == RULES:
            told = [[span.passage, span.start, span.end] for span in node.spans]
            state.update(f"{int(NodeKind.NOTE)} {as_json([node.id, node.kind, node.text, told])}\n".encode())
    return state.hexdigest()
