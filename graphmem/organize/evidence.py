"""Notes from text about somebody or something, read in bounded pieces; what a run has to look at again."""

from __future__ import annotations

from collections.abc import Iterator

from graphmem.organize.changed import ORGANIZED, erases, is_organizing, journal
from graphmem.schema import EdgeType, Entity, Id, NodeKind, Note, Passage
from graphmem.stores.base import Reader

PAGE = 64
#: Edges read of one entity.
EDGES = 256


def entities_to_see(reader: Reader, since: int) -> list[Id] | None:
    """The entities that notes came to be about, or that said something, after commit `since`; None: all of them, as on
    a first run or when something was erased or undone. What organising only derived does not count."""
    if not since:
        return None
    found: dict[Id, None] = {}
    for commit, changes in journal(reader, since):
        if erases(commit, changes):
            return None
        if not is_organizing(commit) or commit.cause == f"{ORGANIZED}standing":
            found |= dict.fromkeys(behind(reader, [change.id for change in changes]))
    return sorted(found)


def behind(reader: Reader, ids: list[Id]) -> Iterator[Id]:
    """The entities that these notes are about and that said these passages."""
    for start in range(0, len(ids), PAGE):
        some = ids[start : start + PAGE]
        for edge in reader.edges(some, (EdgeType.ABOUT, EdgeType.SPEAKER), out_only=True, limit=PAGE * EDGES):
            yield edge.dst


def entity_pages(reader: Reader, wanted: list[Id] | None) -> Iterator[list[Entity]]:
    after: Id | None = None
    place = 0
    while True:
        if wanted is None:
            page = reader.page(NodeKind.ENTITY, after=after, limit=PAGE)
            after = page[-1].id if page else None
        else:
            ids = wanted[place : place + PAGE]
            place += PAGE
            page = list(reader.get(ids).values()) if ids else []
            if ids and not page:
                continue
        if not page:
            return
        yield [node for node in page if isinstance(node, Entity)]


def evidence_of(reader: Reader, entity: Entity, now_us: int) -> list[Note]:
    """Notes from text that are about an entity or that it says of itself, and that hold now; by id, at most EDGES."""
    edges = reader.edges([entity.id], (EdgeType.ABOUT, EdgeType.SPEAKER), limit=EDGES)
    sources = [edge.src for edge in edges if edge.dst == entity.id]
    nodes = reader.get(list(dict.fromkeys(sources)))
    found = {node.id: node for node in nodes.values() if isinstance(node, Note)}
    said = [node.id for node in nodes.values() if isinstance(node, Passage)]
    if said:
        _, numbers = reader.notes_of(reader.numbers(said))
        own = [node for node in reader.nodes(numbers) if isinstance(node, Note) and of_self(node.text)]
        found |= {note.id: note for note in own}
    return [
        note
        for _, note in sorted(found.items())
        if note.spans and (note.valid_to_us is None or note.valid_to_us > now_us) and not note.text.endswith("?")
    ][:EDGES]


def of_self(text: str) -> bool:
    words = text.lower().replace("\u2019", "'").split()
    return any(word.strip(".,!;:") in ("i", "i'm", "i've", "i'd", "i'll", "my") for word in words)
