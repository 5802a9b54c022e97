"""Which of the recalled passages bear on the question, and whether they are enough to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphmem.analysis import stem
from graphmem.answer.question import Question, plain, stems
from graphmem.construct.calendar import MONTHS, WEEKDAYS
from graphmem.schema import Passage, RankedPassage, Recall, fold

MAX_EVIDENCE = 4  # more passages bring more spans to choose from, and a worse choice
#: Evidence touches the question from this Recall.support on, or when its words are this near (late interaction, as the
#: shipped plans weigh it), or when one passage has all of the question's words or others that go with them. On LoCoMo's
#: development half this turns away 6 to 7 of 10 questions that belong to another conversation, and 3 of 100 that can be
#: answered; the rule on speakers turns away 66 of 100 adversarial ones, and 8 of 100 that can be answered.
MIN_SUPPORT = 0.45
MIN_TOKENS = 1.9
NAME_PREFIX = 5  # letters by which "European" finds "Europe"
#: Words of everyday questions, and words by which people answer them without repeating them.
_FAMILIES = (
    "live reside home move settle relocate apartment flat house",
    "work job employer profession occupation career hire company office",
    "born birth birthday birthplace",
    "married marry wedding husband wife spouse",
    "child children kid son daughter baby",
    "pet dog cat puppy kitten rabbit",
    "study studies university college degree graduate major",
    "cost price pay paid spend spent expensive cheap",
    "named name called call",
    "sick ill illness doctor hospital",
)
KIN = {
    stem(word): frozenset(stem(other) for other in family.split()) for family in _FAMILIES for word in family.split()
}
CALENDAR = frozenset((*MONTHS, *WEEKDAYS))
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """`place`: its score below that of the best evidence (0 or less). `notes`: offsets of its recalled notes."""

    passage: Passage
    place: float
    notes: tuple[tuple[int, int], ...]


def supported(recall: Recall, question: Question) -> bool:
    """Whether memory holds the answer, as far as can be told.

    It does not when nothing was found, when what was found hardly touches the question, when the question names
    somebody or something that none of it names, and when it asks about one of the speakers while the best evidence
    was said by another: then it happened to somebody else.
    """
    if not recall.passages or not all_named(recall, question):
        return False
    own = own_passages(recall, question)
    return bool(own) and own[0].score >= recall.passages[0].score and touches(recall, question, own[0].passage)


def evidence_for(recall: Recall, question: Question) -> tuple[Evidence, ...]:
    """The passages to answer from, best first: those of the person asked about, else all. Empty when none was found."""
    ranked = own_passages(recall, question) or recall.passages
    spans: dict[str, list[tuple[int, int]]] = {}
    for hit in recall.hits:
        for span in hit.note.spans:
            spans.setdefault(span.passage, []).append((span.start, span.end))
    return tuple(
        Evidence(one.passage, one.score - ranked[0].score, tuple(spans.get(one.passage.id, ())))
        for one in ranked[:MAX_EVIDENCE]
    )


def own_passages(recall: Recall, question: Question) -> tuple[RankedPassage, ...]:
    """What the one person asked about said; everything when the question names no speaker, or several."""
    if len(question.people) != 1:
        return recall.passages
    return tuple(one for one in recall.passages if fold(one.passage.speaker or "") in question.people)


def touches(recall: Recall, question: Question, best: Passage) -> bool:
    """Whether the best evidence has to do with the question at all."""
    if recall.support >= MIN_SUPPORT or (question.terms and covered(question, best.text) == 1.0):
        return True
    of_best = (
        path for hit in recall.hits if hit.passage is not None and hit.passage.id == best.id for path in hit.paths
    )
    near = sum(path.weight for path in of_best if path.steps[0].kind == "seed:tokens")
    return near >= MIN_TOKENS


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
    """Share of the question's terms that a text has, or for which it has a word that goes with them."""
    if not question.terms:
        return 0.0
    has = set(stems(text))
    return sum(term in has or not KIN.get(term, frozenset()).isdisjoint(has) for term in question.terms) / len(
        question.terms
    )
