"""The refresher: conflicts that recalls noticed are repaired in the graph.

Reading is not writing: a recall only names what it noticed. That waits in the process, bounded and losable as use
counts are; `Memory.refresh` writes the repairs as one job (AMA's refresher, HiMem's reconsolidation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphmem.organize.organizer import Piece
from graphmem.organize.standing import closes, statements
from graphmem.schema import Disagreement, EdgeType, Id, Link, Note
from graphmem.stores.base import Reader

#: From this weight on the later statement supersedes, else it follows.
SURE_Q8 = 154


@dataclass(frozen=True, slots=True)
class Repairs:
    """What to write for some conflicts: links, and the end of what no longer holds."""

    sure_q8: int = SURE_Q8

    def of(self, reader: Reader, noticed: Sequence[Disagreement]) -> Piece:
        """Conflicts of notes that are gone, and those that are linked already, are left out."""
        ids = list(dict.fromkeys(id for one in noticed for id in (one.earlier, one.later)))
        told = {one.note.id: one for one in statements(reader, notes_of(reader, ids))}
        linked = pairs(reader, ids)
        edges, closed = [], dict[Id, Note]()
        for one in dict.fromkeys(noticed):
            old, new = told.get(one.earlier), told.get(one.later)
            if old is None or new is None or (one.later, one.earlier) in linked or old.at_us >= new.at_us:
                continue
            kind = EdgeType.SUPERSEDES if one.weight_q8 >= self.sure_q8 else EdgeType.FOLLOWS
            edges.append(
                Link(one.later, kind, one.earlier, one.weight_q8, "both state what was asked, this one later").edge()
            )
            note = closed.get(one.earlier, old.note)
            if kind is EdgeType.SUPERSEDES and closes(note, new.at_us):
                closed[one.earlier] = replace(note, valid_to_us=new.at_us)
        return Piece(tuple(closed.values()), tuple(edges))


def notes_of(reader: Reader, ids: Sequence[Id]) -> list[Note]:
    return [node for node in reader.get(ids).values() if isinstance(node, Note)]


def pairs(reader: Reader, ids: Sequence[Id]) -> set[tuple[Id, Id]]:
    if not ids:
        return set()
    types = (EdgeType.SUPERSEDES, EdgeType.FOLLOWS)
    return {(edge.src, edge.dst) for edge in reader.edges(ids, types, out_only=True)}
