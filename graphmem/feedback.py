"""What was of use: the nodes that a use or a word of feedback counts for."""

from __future__ import annotations

from collections.abc import Iterable

from graphmem.errors import InputError, NotFound
from graphmem.schema import Answer, Id, Node, Note, Recall
from graphmem.stores.base import Reader


def cited(answer: Answer) -> list[Id]:
    """The notes and passages that an answer cites."""
    notes = [citation.note.id for citation in answer.citations if citation.note is not None]
    return list(dict.fromkeys([*notes, *(citation.passage.id for citation in answer.citations)]))


def judged(reader: Reader, what: Recall | Id | Iterable[Id]) -> list[Id]:
    """The nodes that feedback on a recall or on ids is about: a note from text stands for its passages too, a derived
    one for itself alone. Raises NotFound for an id that is not there, InputError when there is none."""
    ids = list(dict.fromkeys(ids_in(what)))
    if not ids:
        raise InputError("feedback on nothing", hint="give ids, or a recall that found something")
    nodes = reader.get(ids)
    missing = [id for id in ids if id not in nodes]
    if missing:
        raise NotFound(f"no node {missing[0]} in space {reader.space.name!r}", hint="ids come from recall or answer")
    return list(dict.fromkeys(id for node in nodes.values() for id in stood_for(node)))


def ids_in(what: Recall | Id | Iterable[Id]) -> list[Id]:
    if isinstance(what, str):
        return [what]
    if isinstance(what, Recall):
        found = [hit.note.id for hit in (*what.hits, *what.derived)]
        return [*found, *(ranked.passage.id for ranked in what.passages)]
    return list(what)


def stood_for(node: Node) -> list[Id]:
    return [node.id, *(span.passage for span in node.spans)] if isinstance(node, Note) else [node.id]
