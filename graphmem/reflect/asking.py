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
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Lead:
    """What could be asked next: `promise` <= 0 orders leads; `cost` <= 0 is added to the score of what it finds. A long
    chain costs more and promises no less, so that a good lead is followed further before a poor one is begun."""

    question: str
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
    still = open_words(question, frozenset().union(*(fact.held for fact in chain)))
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
        yield Lead(f"{still} {entity.name}", tuple(chain), subject, behind - TURN * turn, cost)
        turn += 1


def open_words(question: str, held: frozenset[str]) -> str:
    """The question without the words whose terms are held already; question words stay."""
    kept = []
    for word in _WORD.findall(question):
        own = set(terms(word))
        if not own or not own <= held:
            kept.append(word)
    return " ".join(kept)
