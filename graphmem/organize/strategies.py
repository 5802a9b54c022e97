"""Strategies from the runs of agents (ReasoningBank, Ouyang et al. 2025; concepts: ArcMemo, Ho et al. 2025).

Runs are read page by page, taken to concept level, contrasted by goal, and told as `strategy` notes whose parents are
the notes of the deciding steps. No model is asked, and nothing is known of any domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphmem.organize.abstraction import concepts
from graphmem.organize.attempts import Run, Told, by_goal, run_of
from graphmem.organize.contrast import Rule, rules
from graphmem.organize.organizer import Piece, View, next_version
from graphmem.organize.wording import is_strategy, note_of
from graphmem.schema import (
    Alias,
    Edge,
    EdgeType,
    Entity,
    Id,
    NodeKind,
    Note,
    Passage,
    Source,
    entity_id,
    fold,
)
from graphmem.stores.base import Reader
from graphmem.trajectories import KIND, SUCCESS

PAGE = 64
PIECE = 64
MAX_EDGES = 100_000
CONCEPT = "concept"


@dataclass(frozen=True, slots=True)
class Strategies:
    """The step. `max_runs`: at most so many runs are contrasted (in the order of their ids, which is by chance);
    `max_attempts` of each outcome a goal; `max_strategies` are told, those with the most attempts."""

    name: str = "strategies"
    max_runs: int = 4_096
    max_attempts: int = 128
    max_strategies: int = 2_000

    def pieces(self, view: View) -> Iterator[Piece]:
        read = self._read(view)
        wanted = {note.id: note for note in self._notes(view.space.key, read)}
        for start in range(0, len(wanted), PIECE):
            yield changed(view, list(wanted.values())[start : start + PIECE])
        gone = sorted(set(read.there) - set(wanted))
        for start in range(0, len(gone), PIECE):
            yield Piece(delete=tuple((id, read.there[id]) for id in gone[start : start + PIECE]))

    def _read(self, view: View) -> Read:
        read, after = Read(), None
        while len(read.runs) < self.max_runs:
            with view.reader() as reader:
                page = reader.page(NodeKind.SOURCE, after=after, limit=PAGE)
                _take(reader, [node for node in page if isinstance(node, Source) and node.kind == KIND], read)
            if len(page) < PAGE:
                break
            after = page[-1].id
        return read

    def _notes(self, key: bytes, read: Read) -> Iterator[Note]:
        tasks = {run.task for run in read.runs}
        found: list[Rule] = []
        for goal, attempts in sorted(by_goal(read.runs, cap=self.max_attempts).items()):
            found += rules(goal, attempts, is_task=goal in tasks)
        found.sort(key=lambda rule: (-rule.wins - rule.losses, rule.goal, rule.where))
        for rule in found[: self.max_strategies]:
            shown = [read.notes[attempt.passage] for attempt in rule.shown if attempt.passage in read.notes]
            if shown:
                yield note_of(rule, key, tuple(dict.fromkeys(shown)))


@dataclass(slots=True)
class Read:
    """The runs, the note that speaks for each of their passages, and the strategies that were made of them before, with
    their versions."""

    runs: list[Run] = field(default_factory=list)
    notes: dict[Id, Id] = field(default_factory=dict)
    there: dict[Id, int] = field(default_factory=dict)


def _take(reader: Reader, sources: Sequence[Source], read: Read) -> None:
    ids = {source.id: reader.passages_of(source.id) for source in sources}
    every = [id for passages in ids.values() for id in passages]
    if not every:
        return
    numbers = reader.numbers(every)
    live = {id for id, kind in zip(every, reader.heads(numbers).kind.tolist(), strict=True) if kind}
    rows, notes = reader.notes_of(numbers)
    told = [node.id for node in reader.nodes(notes)]
    for row, note in zip(rows.tolist(), told, strict=True):
        read.notes.setdefault(every[row], note)
    derived = reader.edges(told, [EdgeType.DERIVED], limit=MAX_EDGES)
    before = reader.get(sorted({edge.src for edge in derived}))
    read.there.update({id: node.version for id, node in before.items() if is_strategy(node)})
    nodes, types = reader.get(every), types_of(reader, every)
    for source in sources:
        passages = [node for id in ids[source.id] if isinstance(node := nodes.get(id), Passage) and id in live]
        if len(passages) > 1 and len(passages) == len(ids[source.id]):
            read.runs.append(_run(source, passages, types))


def types_of(reader: Reader, passages: Sequence[Id]) -> dict[str, str]:
    """What the names in these passages stand for: folded name -> type."""
    mentions = reader.edges(passages, [EdgeType.MENTIONS], out_only=True, limit=MAX_EDGES)
    entities = reader.get(sorted({edge.dst for edge in mentions})).values()
    return {fold(entity.name): entity.type for entity in entities if isinstance(entity, Entity)}


def _run(source: Source, passages: Sequence[Passage], types: dict[str, str]) -> Run:
    first, *rest = passages
    steps = [Told(str(p.meta.get("action", p.text)), str(p.meta.get("observation", "")), _ok(p), p.id) for p in rest]
    task, situation = str(source.meta.get("task", first.text)), str(first.meta.get("situation", ""))
    succeeded = source.meta.get("outcome") == SUCCESS
    return run_of(source.id, task, situation, steps=steps, succeeded=succeeded, first=first.id, types=types)


def _ok(passage: Passage) -> bool | None:
    ok = passage.meta.get("ok")
    return ok if isinstance(ok, bool) else None


def changed(view: View, wanted: Sequence[Note]) -> Piece:
    """What of these strategies is new or says something else than the stored one, and the concepts they are about."""
    about = {note.id: concepts_of(view.space.key, note) for note in wanted}
    entities = {entity.id: entity for found in about.values() for entity in found}
    with view.reader() as reader:
        stored = reader.get([*about, *entities])
    notes = [told for note in wanted if (told := next_version(note, stored.get(note.id))) is not None]
    new = {entity.id for note in notes for entity in about[note.id] if entity.id not in stored}
    return Piece(
        nodes=(*(entities[id] for id in sorted(new)), *notes),
        edges=tuple(Edge(note.id, EdgeType.ABOUT, entity.id) for note in notes for entity in about[note.id]),
        aliases=tuple(Alias(fold(entities[id].name), id) for id in sorted(new)),
        told=tuple(note.text for note in notes),
    )


def concepts_of(key: bytes, note: Note) -> list[Entity]:
    return [concept(key, word) for word in note.keywords]


def concept(key: bytes, word: str) -> Entity:
    """The node that strategies about a word hang on. Its name is no name that a text could hold."""
    return Entity(entity_id(key, concept_name(word), CONCEPT), concept_name(word), CONCEPT)


def concept_name(word: str) -> str:
    return f"{CONCEPT}: {word}"


def concepts_in(text: str) -> list[str]:
    """The folded names of the concepts that a task's words could lead to."""
    return [fold(concept_name(word)) for word in sorted(concepts(text))]
