"""Sub-questions by rules: what is still open of the question, asked about an entity that was found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.analysis import terms
from graphmem.reflect.facts import Fact, Subject
from graphmem.schema import fold

#: Of what a start lacks of the best score, this much counts against what it leads to. On MuSiQue .5 and 1 differ by
#: half a point of recall@5.
GAP = 0.5
#: Each further entity of a passage is asked for as if its start were so much worse: the best notes' come first.
TURN = 0.1
#: What each hop costs: a sub-question has fewer words, so what it finds matches more of it. Without, MuSiQue's recall@5
#: rises as much, but the first place suffers (reciprocal rank .79 for .85), and so do dialogues' many-turn questions
#: (-1.3 points of recall@5 for -.6). From .5 to 1 recall@5 differs by less than a point.
HOP = 1.0
ELLIPSIS = "…"
_ARTICLES = frozenset({"the", "a", "an", "this", "that", "his", "her", "its", "their"})
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Lead:
    """What could be asked next: `promise` <= 0 orders leads; `cost` <= 0 is added to the score of what it finds. A long
    chain costs more and promises no less, so that a good lead is followed further before a poor one is begun."""

    question: str
    told: str  # the question for people
    chain: tuple[Fact, ...]  # the last one is its start
    subject: Subject
    promise: float
    cost: float

    @property
    def depth(self) -> int:
        return len(self.chain)


def leads_of(question: str, chain: Sequence[Fact], best: float) -> Iterator[Lead]:
    """The leads of the last fact of a chain, most promising first; none once the chain holds the question's terms.

    An entity that the question names itself, a date and a name that leads nowhere are not asked about."""
    start = chain[-1]
    held = frozenset[str]().union(*(fact.held for fact in chain))
    still, shown = open_words(question, held), elided(question, held)
    if not terms(still):
        return
    behind = min(0.0, GAP * (start.ranked.score - best))
    cost = behind - HOP * len(chain)
    asked = f" {fold(question)} "
    passed = {subject.entity.id for fact in chain for subject in fact.subjects if subject.title}
    turn = 0
    for subject in start.subjects:
        entity = subject.entity
        if not subject.leads or entity.id in passed or entity.type == "date" or fold(entity.name) in asked:
            continue
        told = f"{entity.name}: {shown}"
        yield Lead(f"{still} {entity.name}", told, tuple(chain), subject, behind - TURN * turn, cost)
        turn += 1


def open_words(question: str, held: frozenset[str]) -> str:
    """The question without the words whose terms are held already; question words stay."""
    return " ".join(word for word in _WORD.findall(question) if not _is_held(word, held))


def elided(question: str, held: frozenset[str]) -> str:
    """The same for people: what is held, with the small words inside and the article before it, is an ellipsis. (Asked
    in this form, sub-questions find as much, but rank it lower: MuSiQue's reciprocal rank .84 for .85.)"""
    told: list[str] = []
    small: list[str] = []  # words without terms since the last other word
    for word in _WORD.findall(question):
        if _is_held(word, held):
            if not told or told[-1] != ELLIPSIS:
                while small and small[-1].casefold() in _ARTICLES:
                    small.pop()
                told += [*small, ELLIPSIS]
            small = []
        elif terms(word):
            told += [*small, word]
            small = []
        else:
            small.append(word)
    text = " ".join([*told, *small])
    return text if text.endswith("?") or not question.rstrip().endswith("?") else f"{text}?"


def _is_held(word: str, held: frozenset[str]) -> bool:
    own = set(terms(word))
    return bool(own) and own <= held
