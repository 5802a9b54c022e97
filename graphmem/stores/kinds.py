"""Which kind of node a value is, which kinds never change, and what a value names."""

from __future__ import annotations

from graphmem.schema import Entity, Hyperedge, Id, Node, NodeKind, Note, Passage, Section, Source

KIND_OF: dict[type, NodeKind] = {
    Source: NodeKind.SOURCE,
    Section: NodeKind.SECTION,
    Passage: NodeKind.PASSAGE,
    Note: NodeKind.NOTE,
    Entity: NodeKind.ENTITY,
    Hyperedge: NodeKind.HYPEREDGE,
}
IMMUTABLE = (NodeKind.SOURCE, NodeKind.SECTION, NodeKind.PASSAGE)


def named(node: Node) -> list[Id]:
    """The ids that a node's row names."""
    if isinstance(node, Passage):
        return [node.source] if node.section is None else [node.source, node.section]
    if isinstance(node, Note):
        return [*(span.passage for span in node.spans), *node.parents]
    if isinstance(node, Hyperedge):
        return [*(span.passage for span in node.spans), *(member.node for member in node.members)]
    return [node.source] if isinstance(node, Section) else []
