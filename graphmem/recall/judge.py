"""judge: whether a recall is enough to answer from, seen in the recall alone. No model, no store."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphmem.analysis import STOP_WORDS, indexed_text, terms
from graphmem.recall.understand import MONTHS
from graphmem.schema import Recall, fold

#: Passages that are looked at: what an answer is made of.
LOOKED_AT = 5
_NAME = re.compile(r"(?<=[\w,;:'\u2019)] )[A-Z][^\W_]+")


@dataclass(frozen=True, slots=True)
class Bar:
    """What the judge asks for. `support`: Recall.support. `covered`: share of the question's terms that the best
    passages hold together. `margin`: how far the best passage is ahead of the second, in score."""

    support: float
    covered: float
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`unnamed`: names of the question that stand in none of the best passages. `why` says the reason in words."""

    enough: bool
    why: str
    support: float
    covered: float
    margin: float
    unnamed: tuple[str, ...]


def judge(recall: Recall, bar: Bar) -> Verdict:
    """Enough when every name of the question stands in the evidence, the evidence supports it, covers its words and
    is clearly ahead. O(text of the best passages)."""
    texts = [indexed_text(ranked.passage) for ranked in recall.passages[:LOOKED_AT]]
    wanted = set(terms(recall.question))
    held = {term for text in texts for term in terms(text)}
    share = len(wanted & held) / len(wanted) if wanted else float(bool(texts))
    scores = [ranked.score for ranked in recall.passages[:2]]
    margin = scores[0] - scores[1] if len(scores) == 2 else float(bool(scores)) * bar.margin
    unnamed = missing_names(recall.question, texts)
    short = (
        (not texts, "nothing was found"),
        (bool(unnamed), f"{', '.join(unnamed)} not in the evidence"),
        (recall.support < bar.support, f"support {recall.support:.2f} below {bar.support:g}"),
        (share < bar.covered, f"{share:.0%} of the words covered, less than {bar.covered:.0%}"),
        (margin < bar.margin, f"the best is {margin:.2f} ahead of the second, less than {bar.margin:g}"),
    )
    why = next((reason for holds, reason in short if holds), "")
    told = f"enough: support {recall.support:.2f}, {share:.0%} of the words covered, {margin:.2f} ahead"
    return Verdict(not why, why or told, recall.support, share, margin, unnamed)


def missing_names(question: str, texts: list[str]) -> tuple[str, ...]:
    """Capitalised words inside the question, months and stop words apart, that stand in none of the texts."""
    told = " ".join(texts).casefold()
    names = dict.fromkeys(_NAME.findall(question))
    plain = [name for name in names if (folded := fold(name)) not in STOP_WORDS and folded not in MONTHS]
    return tuple(name for name in plain if fold(name) not in told)
