"""Notes in the order in which they were told, with their vectors: those of a batch, and those of the turns before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphmem.embed.base import unit_rows
from graphmem.organize.kinship import ADDS, Placed, speaker_of
from graphmem.organize.organizer import New
from graphmem.recall.walks import groups
from graphmem.schema import EdgeType, Id, NodeKind, Note
from graphmem.stores.base import Reader

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

#: Turns back within a talk that a note may add to.
WINDOW = 64
#: Talks that the store does not hold yet are counted from here downwards.
_NEW_TALK = -(1 << 40)


@dataclass(frozen=True, slots=True)
class Told:
    """Aligned columns, oldest first. `vectors` (n, dimension) have unit length; a number is 0 where the store does not
    hold the note yet; only those `wanted` are to be linked."""

    placed: tuple[Placed, ...]
    vectors: Floats
    numbers: Numbers
    wanted: npt.NDArray[np.bool_]

    def worded(self) -> Told:
        """Each note with its words; names of those who speak here are none."""
        names = self.names()
        return replace(self, placed=tuple(placed.worded(names) for placed in self.placed))

    def names(self) -> frozenset[str]:
        return frozenset[str]().union(*(speaker_of(placed.note) for placed in self.placed))

    def turns(self) -> Iterator[tuple[int, int]]:
        """The rows [first, end) of each turn."""
        first = 0
        for row in range(1, len(self.placed) + 1):
            if row == len(self.placed) or _turn(self.placed[row]) != _turn(self.placed[first]):
                yield first, row
                first = row


def _turn(placed: Placed) -> tuple[int, int]:
    return placed.talk, placed.ordinal


def told_in(reader: Reader, new: New) -> Told:
    """The notes of a batch."""
    talks = _talks(reader, new)
    by_passage: dict[Id, list[Note]] = {}
    for note in new.notes:
        if note.spans and note.id in new.vectors:
            by_passage.setdefault(note.spans[0].passage, []).append(note)
    placed = []
    for passage in new.passages:
        notes = sorted(by_passage.get(passage.id, ()), key=lambda note: (note.spans[0].start, note.id))
        talk = talks[passage.section or passage.source]
        placed += [Placed(note, talk, passage.ordinal, place) for place, note in enumerate(notes)]
    count = len(placed)
    rows = [new.vectors[one.note.id] for one in placed]
    vectors = np.asarray(rows, np.float32) if rows else np.zeros((0, 1), np.float32)
    return Told(tuple(placed), unit_rows(vectors), np.zeros(count, np.int64), np.ones(count, bool))


def _talks(reader: Reader, new: New) -> dict[Id, int]:
    """What each section (or source, for passages in none) is called by: its number, below 0 for a source."""
    ids = list(dict.fromkeys(passage.section or passage.source for passage in new.passages))
    sections = {passage.section for passage in new.passages}
    talks = {}
    for index, (id, number) in enumerate(zip(ids, reader.numbers(ids).tolist(), strict=True)):
        known = number if id in sections else -number
        talks[id] = known if number > 0 else _NEW_TALK - index
    return talks


def newest_turns(reader: Reader, new: New, told: Told) -> Told:
    """Of the last WINDOW turns before a batch, in talks that it goes on with: the notes of the very last turn, and
    those that some note of the batch is alike to."""
    talks = [abs(talk) for talk in dict.fromkeys(placed.talk for placed in told.placed) if talk > _NEW_TALK]
    if not talks:
        return nothing(told)
    parts = reader.neighbours(np.array(talks, np.int64), (EdgeType.PART,), limit=WINDOW)
    passages = np.unique(parts.number[~parts.forward])[-WINDOW:]
    ours = reader.numbers([passage.id for passage in new.passages])
    heads = reader.heads(passages[~np.isin(passages, ours)])
    passages = heads.numbers[(heads.kind == NodeKind.PASSAGE)]
    if not len(passages):
        return nothing(told)
    at, numbers = reader.notes_of(passages)
    vectors = unit_rows(reader.vectors(numbers))
    alike = (vectors @ told.vectors.T >= ADDS).any(axis=1) | (passages[at] == passages[-1])
    return _placed(reader, numbers[alike], vectors[alike])


def joined(before: Told, told: Told) -> Told:
    """Both, one after the other."""
    return Told(
        (*before.placed, *told.placed),
        np.concatenate([before.vectors, told.vectors]),
        np.concatenate([before.numbers, told.numbers]),
        np.concatenate([before.wanted, told.wanted]),
    )


def nothing(told: Told) -> Told:
    return Told((), told.vectors[:0], np.zeros(0, np.int64), np.zeros(0, bool))


def told_before(reader: Reader, passages: Sequence[Id], start: int, end: int) -> tuple[Told, int]:
    """The notes of passages [start - WINDOW, end) of a source, and the row that those of `start` begin at."""
    first = max(0, start - WINDOW)
    numbers = reader.numbers(passages[first:end])
    at, notes = reader.notes_of(numbers[numbers > 0])
    order = np.lexsort((notes, at))
    told = _placed(reader, notes[order], unit_rows(reader.vectors(notes[order])))
    begin = int(np.count_nonzero(at < start - first))
    return told, begin


def _placed(reader: Reader, numbers: Numbers, vectors: Floats) -> Told:
    """Stored notes, in the order given."""
    heads = reader.heads(numbers)
    placed: list[Placed] = []
    where = zip(groups(heads.section, heads.source).tolist(), heads.ordinal.tolist(), strict=True)
    for node, (talk, ordinal) in zip(reader.nodes(numbers), where, strict=True):
        assert isinstance(node, Note)
        last = placed[-1] if placed else None
        place = last.place + 1 if last is not None and (last.talk, last.ordinal) == (talk, ordinal) else 0
        placed.append(Placed(node, talk, ordinal, place))
    return Told(tuple(placed), vectors, numbers, np.zeros(len(numbers), bool))
