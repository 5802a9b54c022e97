"""Recalls made by hand: what `respond` sees, with ids, notes and paths as recall gives them."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timezone

from graphmem.construct.sentences import sentences
from graphmem.schema import Answer, Hit, Note, NoteKind, Passage, Path, RankedPassage, Recall, Span, Step, fold
from graphmem.schema.ids import identity

KEY = b"k" * 16


def passage(text: str, speaker: str | None = None, at: str | None = None, title: str = "") -> Passage:
    at_us = None
    if at is not None:
        at_us = int(datetime.fromisoformat(at).replace(tzinfo=timezone.utc).timestamp()) * 1_000_000
    return Passage(
        identity(KEY, "passage", text),
        identity(KEY, "source"),
        None,
        0,
        text,
        speaker=speaker,
        at_us=at_us,
        end=len(text),
        meta={"title": title} if title else {},
    )


def hit(one: Passage, score: float, seed: float) -> Hit:
    start, end = sentences(one.text)[0]
    span = Span(one.id, start, end, one.text[start:end])
    note = Note(identity(KEY, "note", one.id), NoteKind.FACT, span.quote, (span,))
    paths = (
        Path((Step("seed:tokens", None, one.id, seed),), seed),
        Path((Step("prior:speaker", None, one.id, score - seed),), score - seed),
    )
    return Hit(note, one, score, paths)


def recall(question: str, *passages: Passage, seed: float = 4.0, support: float = 0.8) -> Recall:
    """Passages best first, .5 of score apart."""
    ranked = [(one, 5.0 - 0.5 * place) for place, one in enumerate(passages)]
    return Recall(
        question,
        tuple(hit(one, score, seed) for one, score in ranked),
        tuple(RankedPassage(one, score) for one, score in ranked),
        support=support,
    )


def run(pieces: Generator[str, None, Answer]) -> tuple[str, Answer]:
    """All that was streamed, and the answer."""
    streamed = []
    while True:
        try:
            streamed.append(next(pieces))
        except StopIteration as stop:
            return "".join(streamed), stop.value


def speakers(one: Recall) -> set[str]:
    return {fold(ranked.passage.speaker) for ranked in one.passages if ranked.passage.speaker}
