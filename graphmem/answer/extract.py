"""The answer by rules: the best supported span, or None when the evidence does not cover the question."""

from __future__ import annotations

from dataclasses import dataclass

from graphmem.analysis import terms
from graphmem.answer.citations import cite, cited_sentence
from graphmem.schema import Citation, Recall

MIN_SUPPORT = 0.25


@dataclass(frozen=True, slots=True)
class Extract:
    text: str
    citations: tuple[Citation, ...]


def extract(recall: Recall) -> Extract | None:
    if not recall.passages or recall.support < MIN_SUPPORT:
        return None
    wanted = set(terms(recall.question))
    if not wanted:
        return None
    passage = recall.passages[0].passage
    start, end = cited_sentence(passage, recall.question)
    return Extract(f"{passage.text[start:end]} [1]", (cite(recall, 1, passage, start, end),))
