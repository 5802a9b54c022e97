"""Which of the recalled passages bear on the question, and whether they are enough to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphmem.answer.question import Question, plain, stems
from graphmem.construct.calendar import MONTHS, WEEKDAYS
from graphmem.schema import Passage, Recall, fold

MAX_EVIDENCE = 4  # more passages bring more spans to choose from, and a worse choice
#: Recall.support from which evidence touches the question. On LoCoMo's development half .4 turns away 7 of 10 questions
#: that belong to another conversation, and 4 of 100 that can be answered.
MIN_SUPPORT = 0.4
NAME_PREFIX = 5  # letters by which "European" finds "Europe"
CALENDAR = frozenset((*MONTHS, *WEEKDAYS))
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """`place`: its score below that of the best evidence (0 or less). `notes`: offsets of its recalled notes."""

    passage: Passage
    place: float
    notes: tuple[tuple[int, int], ...]


def evidence_for(recall: Recall, question: Question) -> tuple[Evidence, ...]:
    """The passages to answer from, best first; empty when memory does not hold the answer.

    That is so when nothing was found, when what was found hardly touches the question, when the question names
    somebody or something that none of it names, and when it asks about one of the speakers while the best evidence
    was said by another: then it happened to somebody else.
    """
    if not recall.passages or recall.support < MIN_SUPPORT or not all_named(recall, question):
        return ()
    ranked = recall.passages
    if len(question.people) == 1:
        own = [one for one in ranked if fold(one.passage.speaker or "") in question.people]
        if not own or own[0].score < ranked[0].score:
            return ()
        ranked = tuple(own)
    spans: dict[str, list[tuple[int, int]]] = {}
    for hit in recall.hits:
        for span in hit.note.spans:
            spans.setdefault(span.passage, []).append((span.start, span.end))
    return tuple(
        Evidence(one.passage, one.score - ranked[0].score, tuple(spans.get(one.passage.id, ())))
        for one in ranked[:MAX_EVIDENCE]
    )


def all_named(recall: Recall, question: Question) -> bool:
    """Whether at least one of the names in the question stands in the evidence; True when it has none."""
    names = {name[:NAME_PREFIX] for found in _NAME.findall(question.text) if (name := plain(found)) not in CALENDAR}
    if not names:
        return True
    for ranked in recall.passages:
        passage = ranked.passage
        told = f"{passage.speaker or ''} {passage.meta.get('title', '')} {passage.text}".casefold()
        if any(name in told for name in names):
            return True
    return False


def covered(question: Question, text: str) -> float:
    """Share of the question's terms that a text has."""
    return len(set(question.terms) & set(stems(text))) / len(question.terms) if question.terms else 0.0
