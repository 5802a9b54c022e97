"""Episodes of dialogues (HiMem): a note for each stretch of talk, cut where topic, surprise or event say so.

Serves conversations without sections and sections that are too long to be one episode. An episode's note is a
`summary` whose parents are the notes of its turns; its id and subject are those of its first turn. Boundaries look at
a window of turns, so a dialogue that grows changes its last episode at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from graphmem.analysis import spoken_date
from graphmem.organize.boundaries import OPENINGS, PARTINGS, Rule, cuts, signals
from graphmem.organize.changed import Changed, changed
from graphmem.organize.gist import (
    Background,
    best_first,
    by_centrality,
    keywords,
    says_something,
    statements,
    tags,
    text_of,
)
from graphmem.organize.organizer import Piece, View
from graphmem.organize.stale import removable
from graphmem.schema import Id, Node, NodeKind, Note, NoteKind, Passage, Source, fold, note_id
from graphmem.stores.base import Floats, Numbers, Reader

CONVERSATION = "conversation"
#: Passages read at a time; an episode is never longer than one tenth of it.
CHUNK = 512
#: A section of fewer turns is one episode by itself, and its summary is another step's.
LONG_SECTION = 60
#: A stretch of fewer turns is told by its turns.
MIN_TURNS = 6
MAX_PARENTS = 128
MAX_SPEAKERS = 4
STATEMENT_CHARS = 320


@dataclass(frozen=True, slots=True)
class Turns:
    """The live turns of one source that belong together, by their place in it. `ids`: all passages of the source."""

    ids: Sequence[Id]
    numbers: Numbers  # of all passages
    places: Numbers  # into ids, ascending


@dataclass(frozen=True, slots=True)
class Episodes:
    """One pass costs O(turns of the sources that changed), a chunk of 512 turns in memory beside their ids."""

    rule: Rule = field(default_factory=Rule)
    name: str = "episodes"

    def pieces(self, view: View) -> Iterator[Piece]:
        with view.reader() as reader:
            news = changed(reader, view.since)
            sources = None if news.everything else sources_of(reader, news.numbers)
        openings, partings = (
            np.asarray(view.embedder.texts(list(told)).vectors, np.float32) for told in (OPENINGS, PARTINGS)
        )
        for source in view.sources() if sources is None else sources:
            if source.kind == CONVERSATION:
                yield from self._of_source(view, source.id, news, (openings, partings))

    def _of_source(self, view: View, source: Id, news: Changed, cues: tuple[Floats, Floats]) -> Iterator[Piece]:
        with view.reader() as reader:
            ids = reader.passages_of(source)
            numbers, sections = standing(reader, ids)
        yield from self._retired(view, ids, np.flatnonzero(sections < 0))
        fresh = np.isin(numbers, news.numbers)
        for section in np.unique(sections[sections >= 0]).tolist():
            places = np.flatnonzero(sections == section)
            dirty = np.flatnonzero(fresh[places])
            first = 0 if news.everything else int(dirty[0]) if len(dirty) else -1
            if first >= 0 and len(places) >= (LONG_SECTION if section else MIN_TURNS):
                yield from self._of_turns(view, Turns(ids, numbers, places), first, cues)

    def _retired(self, view: View, ids: Sequence[Id], places: Numbers) -> Iterator[Piece]:
        """Takes away the episodes that began with a turn that is superseded."""
        for at in range(0, len(places), CHUNK):
            with view.reader() as reader:
                mine = [episode_id(view, ids[place]) for place in places[at : at + CHUNK].tolist()]
                yield Piece(delete=removable(reader, list(reader.get(mine).values())))

    def _of_turns(self, view: View, turns: Turns, first: int, cues: tuple[Floats, Floats]) -> Iterator[Piece]:
        """Episodes from the last one on that the change at place `first` cannot have moved."""
        start, count = self._begin(view, turns, first), len(turns.places)
        while start < count:
            end = min(count, start + CHUNK)
            with view.reader() as reader:
                before = max(0, start - self.rule.window)
                vectors = reader.vectors(turns.numbers[turns.places[before:end]])
                scores = signals(vectors, *cues, self.rule).scores(self.rule)
                starts = [start, *(before + at for at in cuts(scores, start - before, self.rule))]
                if end == count:
                    starts.append(count)
                yield self._piece(view, reader, turns, starts)
            start = starts[-1]

    def _begin(self, view: View, turns: Turns, first: int) -> int:
        """The newest stored start that stays whatever came at `first`; 0 when there is none."""
        end = first - self.rule.ahead
        with view.reader() as reader:
            while end > 0:
                begin = max(0, end - CHUNK)
                mine = [episode_id(view, turns.ids[place]) for place in turns.places[begin:end].tolist()]
                there = np.flatnonzero(reader.numbers(mine) >= 0)
                if len(there):
                    return begin + int(there[-1])
                end = begin
        return 0

    def _piece(self, view: View, reader: Reader, turns: Turns, starts: Sequence[int]) -> Piece:
        """Notes for the stretches between these starts; what is stored in between and begins elsewhere goes."""
        made: list[Note] = []
        told: list[str] = []
        inside = turns.places[starts[0] : starts[-1]].tolist()
        mine = {turns.ids[place]: episode_id(view, turns.ids[place]) for place in inside}
        stored = reader.get(list(mine.values()))
        wanted: set[Id] = set()
        for begin, end in pairwise(starts):
            if end - begin < MIN_TURNS:
                continue
            places = turns.places[begin:end]
            note = episode(reader, mine[turns.ids[places[0]]], turns.numbers[places], stored)
            if note is not None:
                wanted.add(note.id)
                if note != stored.get(note.id):
                    made.append(note)
                    told.append(f"episode: {note.context} — {end - begin} turns")
        stale = removable(reader, [node for id, node in stored.items() if id not in wanted])
        return Piece(tuple(made), delete=stale, told=tuple(told))


def sources_of(reader: Reader, numbers: Numbers) -> list[Source]:
    """The sources that these passages stand in, by id; superseded ones too."""
    ids = set[Id]()
    for at in range(0, len(numbers), CHUNK):
        ids |= {node.source for node in reader.nodes(numbers[at : at + CHUNK]) if isinstance(node, Passage)}
    return [node for node in reader.get(sorted(ids)).values() if isinstance(node, Source)]


def standing(reader: Reader, ids: Sequence[Id]) -> tuple[Numbers, Numbers]:
    """Number and section of each passage; section 0: none, -1: the passage is superseded."""
    numbers = np.zeros(len(ids), np.int64)
    sections = np.zeros(len(ids), np.int64)
    for at in range(0, len(ids), CHUNK):
        part = slice(at, at + CHUNK)
        numbers[part] = reader.numbers(ids[part])
        heads = reader.heads(numbers[part])
        sections[part] = np.where(heads.kind == NodeKind.PASSAGE, heads.section, -1)
    return numbers, sections


def episode_id(view: View, first: Id) -> Id:
    """An episode is its first turn: what comes later makes it longer, not another."""
    return note_id(view.space.key, NoteKind.SUMMARY, [], subject=first)


def episode(reader: Reader, id: Id, passages: Numbers, stored: dict[Id, Node]) -> Note | None:
    """The note of these turns; None when no note stands in them."""
    turns = [node for node in reader.nodes(passages) if isinstance(node, Passage)]
    _, numbers = reader.notes_of(passages)
    numbers = np.array(list(dict.fromkeys(numbers.tolist()))[:MAX_PARENTS], np.int64)
    notes = [node for node in reader.nodes(numbers) if isinstance(node, Note)]
    if not notes:
        return None
    telling = [row for row, note in enumerate(notes) if says_something(note)] or list(range(len(notes)))
    parents, notes = notes, [notes[row] for row in telling]
    vectors = reader.vectors(numbers[telling])
    speakers = list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))
    order = best_first(notes, by_centrality(vectors, [note.id for note in notes]))
    words = keywords(notes, order, Background.of(notes, frozenset(fold(name) for name in speakers)))
    who = ", ".join(speakers[:MAX_SPEAKERS])
    context = ", ".join(part for part in (who, spoken_date(turns[0].at_us, turns[0].tz_min)) if part)
    old = stored.get(id)
    return Note(
        id,
        NoteKind.SUMMARY,
        text_of(context or "Talk", words, statements(notes, vectors, order, STATEMENT_CHARS)),
        parents=tuple(note.id for note in parents),
        context=context,
        keywords=words,
        tags=tags(notes),
        subject=turns[0].id,
        version=old.version if old is not None else 0,
    )
