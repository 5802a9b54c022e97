"""links: each new note is joined to older ones with a kind, a weight and a reason, and the older ones evolve (A-MEM).

A note makes at most one `elaborates` (to the earliest turn of its talk that is of the same matter), MAX_SIMILAR
`similar` and one `causes`; a note takes links until it has ROOM, and beyond that only such as say almost the same
(NEARLY_SAME) until twice that. Nothing is ever unlinked. So degrees are bounded and work grows with the notes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import unit_rows
from graphmem.organize.kinship import ADDS, ALIKE, KINDS, Placed, cause, elaborates, evolved, similar
from graphmem.organize.organizer import New, Piece, View
from graphmem.organize.talk import Told, joined, newest_turns, told_before, told_in
from graphmem.recall.walks import groups
from graphmem.schema import EdgeType, Id, Link, NodeKind, Note
from graphmem.stores.base import Reader

MAX_SIMILAR = 2
ROOM = 16
NEARLY_SAME = 192  # q8: a cosine of .75
#: Notes asked of each search, one search a turn.
NEAREST = 24
#: A later run searches among notes that came after, too, and sees fewer of the older ones.
NEAREST_LATER = 72
#: Notes whose cosines are taken together.
BLOCK = 128
#: Turns of one transaction of a job.
TURNS = 256


@dataclass(frozen=True, slots=True)
class Links:
    """Over a batch before it is written: one search a turn, a few reads a batch (the newest WINDOW turns of the talk,
    the links of what may be linked to). As a job: the same over notes that made no link yet, source by source in the
    order of telling."""

    name: str = "links"

    def at_write(self, reader: Reader, new: New) -> Piece:
        told = told_in(reader, new)
        if not len(told.numbers):
            return Piece()
        return _piece(Pool(reader, joined(newest_turns(reader, new, told), told).worded(), new), NEAREST)

    def pieces(self, view: View) -> Iterator[Piece]:
        for source in view.sources():
            yield from self._of_source(view, source.id)

    def _of_source(self, view: View, source: Id) -> Iterator[Piece]:
        with view.reader() as reader:
            passages = reader.passages_of(source)
        for start in range(0, len(passages), TURNS):
            with view.reader() as reader:
                told, begin = told_before(reader, passages, start, start + TURNS)
                wanted = _unlinked(reader, told.numbers)
                wanted[:begin] = False
                piece = _piece(Pool(reader, replace(told, wanted=wanted).worded()), NEAREST_LATER)
            yield piece


def _piece(pool: Pool, nearest: int) -> Piece:
    if not pool.told.wanted.any():
        return Piece()
    taking = Taking(pool, choices(pool, nearest))
    links = taking.taken()
    changed = taking.evolved(links)
    lines = tuple(_line(pool, link) for link in links[:5])
    return Piece(tuple(changed), tuple(link.edge() for link in links), told=lines)


@dataclass(slots=True)
class Pool:
    """The notes to be linked and those that they may be linked to. `new`: the batch, when it is not written yet;
    a note's number is 0 as long as the store does not hold it."""

    reader: Reader
    told: Told
    new: New | None = None
    notes: dict[Id, Note] = field(default_factory=dict)
    number: dict[Id, int] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.names = self.told.names()
        for placed, number in zip(self.told.placed, self.told.numbers.tolist(), strict=True):
            self.add(placed.note, number)

    def add(self, note: Note, number: int) -> None:
        """The first one stays; what an earlier step of the batch made of a stored note counts."""
        changed = self.new.changed.get(note.id) if self.new is not None else None
        self.notes.setdefault(note.id, changed if changed is not None else note)
        self.number.setdefault(note.id, number)


def choices(pool: Pool, nearest: int) -> list[list[Link]]:
    """What each wanted note could be joined by, best first."""
    told, found = pool.told, list[list[Link]]()
    for block in _blocks([turn for turn in told.turns() if told.wanted[slice(*turn)].any()]):
        begin, stop = block[0][0], block[-1][1]
        cosines = told.vectors[begin:stop] @ told.vectors[:stop].T
        for first, end in block:
            inside = _inside(told, cosines[first - begin : end - begin], first)
            outside = _outside(pool, first, end, nearest)
            for row in np.flatnonzero(told.wanted[first:end]).tolist():
                found.append(_best(told.placed[first + row], inside[row], outside[row]))
    return found


def _blocks(turns: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Turns whose cosines are taken in one product of matrices, BLOCK rows and more: a fifth of the time of one for
    each turn."""
    block: list[tuple[int, int]] = []
    for turn in turns:
        block.append(turn)
        if turn[1] - block[0][0] >= BLOCK:
            yield block
            block = []
    if block:
        yield block


Seen = list[tuple[Placed, float]]


def _inside(told: Told, cosines: npt.NDArray[np.float32], first: int) -> list[Seen]:
    """For each note of a turn those told before it that it is alike to, in the order of telling; the last one before
    it in any case. `cosines`: of the turn's notes with all told up to it."""
    rows: list[Seen] = [[] for _ in cosines]
    alike = cosines >= ADDS
    for row in range(len(rows)):
        if first + row:
            alike[row, first + row - 1] = True
    for row, column in np.argwhere(alike).tolist():
        if column < first + row:
            rows[row].append((told.placed[column], float(cosines[row, column])))
    return rows


def _outside(pool: Pool, first: int, end: int, nearest: int) -> list[Seen]:
    """The nearest older notes of the whole space, by one search for the turn."""
    reader, vectors, numbers = pool.reader, pool.told.vectors[first:end], pool.told.numbers[first:end]
    none: list[Seen] = [[] for _ in vectors]
    found = reader.dense(np.ascontiguousarray(vectors.mean(axis=0)), nearest, (NodeKind.NOTE,)).numbers
    found = np.sort(found[found < numbers.min()]) if numbers.min() > 0 else np.sort(found)
    if not len(found):
        return none
    cosines = vectors @ unit_rows(reader.vectors(found)).T
    alike = (cosines >= ALIKE).any(axis=0)
    heads = reader.heads(found[alike])
    kept = heads.owner > 0
    found, cosines = found[alike][kept], cosines[:, alike][:, kept]
    if not len(found):
        return none
    talk, names = groups(heads.section, heads.source)[kept].tolist(), pool.names
    placed: list[Placed] = []
    for node, number, where, ordinal in zip(
        reader.nodes(found), found.tolist(), talk, heads.ordinal[kept].tolist(), strict=True
    ):
        if isinstance(node, Note):
            pool.add(node, number)
            placed.append(Placed(node, where, ordinal).worded(names))
    return [list(zip(placed, row, strict=True)) for row in cosines.tolist()]


def _best(new: Placed, inside: Seen, outside: Seen) -> list[Link]:
    """One cause, one note that it adds to, and the most similar ones, in this order."""
    made: list[Link] = []
    if inside and (caused := cause(new, *inside[-1])):
        made.append(caused)
    for old, cosine in inside:
        if added := elaborates(new, old, cosine):
            made.append(added)
            break
    taken = {link.dst for link in made} | {link.src for link in made}
    alike = [
        link
        for old, cosine in (*inside, *outside)
        if cosine >= ALIKE
        and old.note.id not in taken
        and (old.talk, old.ordinal) != (new.talk, new.ordinal)
        and (link := similar(new, old, cosine))
    ]
    ranked = sorted({link.dst: link for link in alike}.values(), key=lambda link: (-link.weight_q8, link.dst))
    return [*made, *ranked]


@dataclass(slots=True)
class Taking:
    """Which of the choices are taken, by the room that the older notes have, and who evolves by them."""

    pool: Pool
    choices: list[list[Link]]
    linked: dict[Id, dict[Id, Note]] = field(default_factory=dict)
    degree: dict[Id, int] = field(default_factory=dict)

    def taken(self) -> list[Link]:
        self._read()
        taken: list[Link] = []
        for mine in self.choices:
            left = MAX_SIMILAR
            for link in mine:
                if self._has_room(link) and (left or link.kind is not EdgeType.SIMILAR):
                    left -= link.kind is EdgeType.SIMILAR
                    self._count(link)
                    taken.append(link)
        return taken

    def _read(self) -> None:
        """The links of all that could be linked to: one read of edges, one of the notes at their other ends."""
        ends = {id for mine in self.choices for link in mine for id in (link.src, link.dst)}
        stored = sorted(id for id in ends if self.pool.number[id] > 0)
        if not stored:
            return
        numbers = np.array([self.pool.number[id] for id in stored], np.int64)
        edges = self.pool.reader.neighbours(numbers, KINDS, limit=2 * ROOM)
        self.degree = dict(zip(stored, edges.degree[:, list(KINDS)].sum(axis=1).tolist(), strict=True))
        far = np.unique(edges.number)
        nodes = dict(zip(far.tolist(), self.pool.reader.nodes(far), strict=True))
        for row, number in zip(edges.row.tolist(), edges.number.tolist(), strict=True):
            node = nodes[number]
            if isinstance(node, Note):
                self.linked.setdefault(stored[row], {})[node.id] = node

    def _has_room(self, link: Link) -> bool:
        most = 2 * ROOM if link.weight_q8 >= NEARLY_SAME else ROOM
        return all(self.degree.get(id, 0) < most for id in (link.src, link.dst))

    def _count(self, link: Link) -> None:
        for here, there in ((link.src, link.dst), (link.dst, link.src)):
            self.degree[here] = self.degree.get(here, 0) + 1
            self.linked.setdefault(here, {})[there] = self.pool.notes[there]

    def evolved(self, links: Sequence[Link]) -> list[Note]:
        """The older notes that a link has come to, changed by what the notes linked to them share."""
        reached = sorted({link.dst for link in links if link.kind is not EdgeType.CAUSES})
        changed = (evolved(self.pool.notes[id], list(self.linked[id].values())) for id in reached)
        return [note for note in changed if note is not None]


def _unlinked(reader: Reader, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which notes made no link yet: only those are looked at again."""
    edges = reader.neighbours(numbers, KINDS, limit=2 * ROOM)
    made = edges.row[edges.forward | (edges.type == EdgeType.CAUSES)]
    unlinked = np.ones(len(numbers), bool)
    unlinked[made] = False
    return unlinked


def _line(pool: Pool, link: Link) -> str:
    src, dst = (pool.notes[id].text[:60] for id in (link.src, link.dst))
    return f"{src} -{link.kind.name.lower()}-> {dst}: {link.reason}"
