"""What of the stored derived notes may be taken away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmem.schema import EdgeType, Id, Node, Note
from graphmem.stores.base import Reader


def removable(reader: Reader, nodes: Sequence[Node]) -> tuple[tuple[Id, int], ...]:
    """Ids and versions of those derived notes that nothing else is made from; a note from text is never among them."""
    notes = [node for node in nodes if isinstance(node, Note) and not node.spans]
    if not notes:
        return ()
    edges = reader.neighbours(reader.numbers([note.id for note in notes]), (EdgeType.DERIVED,))
    used = set(np.unique(edges.row[~edges.forward]).tolist())
    return tuple((note.id, note.version) for row, note in enumerate(notes) if row not in used)
