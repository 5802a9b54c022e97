"""A memory with one thing in it, whose answer comes as slowly as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from graphmem.errors import InputError, NotFound, StoreBusy
from graphmem.schema import (
    Answer,
    Citation,
    Edge,
    EdgeType,
    Hit,
    Id,
    Inquiry,
    Node,
    Note,
    NoteKind,
    Passage,
    Path,
    RankedPassage,
    Recall,
    Reflection,
    Report,
    Section,
    Source,
    Space,
    Span,
    Step,
)

SOURCE = Source("5" * 32, "conversation", "letters", "Letters")
SECTION = Section("6" * 32, SOURCE.id, "spring")
TEXT = "I moved to Zurich in May. The flat is small."
PASSAGE = Passage("1" * 32, SOURCE.id, SECTION.id, 0, TEXT, "t1", "Ada", 1_778_580_000_000_000, 120)
NOTE = Note("2" * 32, NoteKind.FACT, TEXT[:25], (Span(PASSAGE.id, 0, 25, TEXT[:25]),), keywords=("zurich",))
OTHER = Note("3" * 32, NoteKind.FACT, TEXT[26:], (Span(PASSAGE.id, 26, 44, TEXT[26:]),))
LINK = Edge(NOTE.id, EdgeType.ELABORATES, OTHER.id, 128, "same turn")
NODES: dict[Id, Node] = {node.id: node for node in (SOURCE, SECTION, PASSAGE, NOTE, OTHER)}
PATHS = (
    Path((Step("seed:text", None, PASSAGE.id, 0.5),), 0.5),
    Path((Step("seed:vector", None, OTHER.id, 0.5), Step("next", OTHER.id, NOTE.id, 0.5)), 0.25),
)


class OneNote:
    """Answers every question with the one note it has. `closed` is set once a stream was closed or ran out."""

    def __init__(self, *, pieces: Sequence[str] = ("Zu", "rich ", "[1]"), pause_s: float = 0.0) -> None:
        self.space = Space("default", b"k" * 16)
        self.pieces, self.pause_s = pieces, pause_s
        self.closed = threading.Event()
        self.yielded = 0
        self.reads: list[int] = []
        self.running = self.most_running = 0
        self.judged: bool | None = None

    def recall(self, question: str, **_: Any) -> Recall:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            time.sleep(self.pause_s)
            return self._recall(question)
        finally:
            self.running -= 1

    def _recall(self, question: str) -> Recall:
        if question == "blank":
            raise InputError("the question is blank", hint="ask something")
        if question == "busy":
            raise StoreBusy("another writer holds the store", hint="try again", source="a.db")
        if question == "broken":
            raise RuntimeError("a secret detail")
        hit = Hit(NOTE, PASSAGE, 0.75, PATHS)
        return Recall(question, (hit,), (RankedPassage(PASSAGE, 0.75),), support=0.9, seq=1)

    def reflect(self, question: str, **_: Any) -> Reflection:
        step = Inquiry("Who lives in Zurich?", PASSAGE.id, None, 1, "rules", (PASSAGE.id,), "it names Zurich")
        return Reflection(question, self._recall(question), (step,), (), "nothing new to ask")

    def answer(self, question: str, **_: Any) -> Answer:
        cited = Citation(1, NOTE, PASSAGE, 0, 25, TEXT[:25], SOURCE)
        return Answer(question, "".join(self.pieces), True, (cited,), self._recall(question))

    def stream(self, question: str, **_: Any) -> Generator[str, None, Answer]:
        try:
            given = self.answer(question)
            for piece in self.pieces:
                time.sleep(self.pause_s)
                self.yielded += 1
                yield piece
            return given
        finally:
            self.closed.set()

    def remember(self, _: str, **__: Any) -> Report:
        return Report(passages=1, notes=1, passage_ids=(PASSAGE.id,))

    def feedback(self, ids: Sequence[str], *, useful: bool = True) -> int:
        if NOTE.id not in ids:
            raise NotFound("no node", hint="ids come from recall")
        self.judged = useful
        return 2

    def counts(self) -> dict[str, int]:
        return {"passage": 1, "note": 2}

    def jobs(self) -> list[Any]:
        return []

    @contextmanager
    def reader(self, **_: Any) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(get=self._get, edges=self._edges, counts=self.counts, find_source=lambda *_: None)

    def _get(self, ids: Sequence[Id]) -> dict[Id, Node]:
        self.reads.append(len(ids))
        return {id: NODES[id] for id in ids if id in NODES}

    def _edges(self, ids: Sequence[Id], types: Iterable[EdgeType] | None = None) -> list[Edge]:
        wanted = set(types) if types is not None else set(EdgeType)
        return [LINK] if LINK.type in wanted and {LINK.src, LINK.dst} & set(ids) else []

    def close(self) -> None:
        return None
