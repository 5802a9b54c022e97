"""Old notes that a proposer's links may lead to: found by their words, and still there once it has answered."""

from __future__ import annotations

from dataclasses import replace

from graphmem.analysis import terms
from graphmem.construct import Constructed
from graphmem.errors import NotFound
from graphmem.schema import LINK_KINDS, Edge, Note, Refusal, Space
from graphmem.stores.base import Store

#: Words that are looked for, passages found by them, and notes taken from those.
TERMS = 64
PASSAGES = 8
NOTES = 6


def near(store: Store, space: Space, text: str) -> list[Note]:
    """Notes from text that share words with this one, those that share most first; by id where they share as many.
    One search and the notes of a few passages, whatever the space holds."""
    words = list(dict.fromkeys(terms(text)))[:TERMS]
    with store.reader(space) as reader:
        _, numbers = reader.notes_of(reader.text(words, PASSAGES).numbers)
        try:
            found = [node for node in reader.nodes(numbers) if isinstance(node, Note) and node.spans]
        except NotFound:  # erased between the two reads
            return []
    wanted = frozenset(words)
    return sorted(found, key=lambda note: (-len(wanted.intersection(terms(note.text))), note.id))[:NOTES]


def standing(store: Store, space: Space, built: Constructed) -> Constructed:
    """Without links to old notes that went while the proposer was asked, which takes a while."""
    ours = {note.id: note for note in built.notes}
    links = [edge for edge in built.edges if edge.type in LINK_KINDS]
    outside = sorted({end for edge in links for end in (edge.src, edge.dst)} - ours.keys())
    if not outside:
        return built
    with store.reader(space) as reader:
        numbers = reader.numbers(outside).tolist()
    gone = {id for id, number in zip(outside, numbers, strict=True) if number < 0}
    lost = [edge for edge in links if gone & {edge.src, edge.dst}]
    refused = [Refusal("construct", _passage(edge, ours), "link: its old note is gone") for edge in lost]
    kept = tuple(edge for edge in built.edges if edge not in lost)
    return replace(built, edges=kept, refusals=(*built.refusals, *refused), accepted=built.accepted - len(lost))


def _passage(link: Edge, ours: dict[str, Note]) -> str:
    """The passage that a link was proposed for: one of its ends is a note of it."""
    return ours[link.src if link.src in ours else link.dst].spans[0].passage
