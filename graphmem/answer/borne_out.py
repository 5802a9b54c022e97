"""What bears out a text that cites nothing: small models answer from the evidence and forget to say from which.

A sentence is borne out by a passage when all that it says beyond the question, and every name in it, stands in one
sentence of the passage, the sentences beside it, its title or its speaker's name, and neither denies what the other
does not. That is a test of words, not of meaning; a sentence that fails it is not shown as an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphmem.analysis import spoken_date, terms
from graphmem.answer.citations import cite, cited_sentence
from graphmem.answer.question import CAPITALISED
from graphmem.construct.sentences import sentences
from graphmem.schema import Citation, Passage, Recall

#: Sentences of a text that are looked at; one with more is no answer to a question.
MAX_SENTENCES = 8
_OPENING = re.compile(
    r"\A\W*(?:(?:the )?answer(?: to (?:the|your) question)?(?: is)?(?: that)?\s*[:,]?\s*|"
    r"(?:based on|according to) the (?:evidence|memory|context|passages?|information)(?: given| provided)?,?\s*)",
    re.I,
)
_DENIES = re.compile(r"\b(?:not|no|never|none|nobody|nothing|cannot|without)\b|n['\u2019]t\b", re.I)


def borne_out(text: str, recall: Recall, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """A citation for each sentence, numbered by `passages`, each passage once; none when one sentence is borne out by
    no passage. O(sentences x passages)."""
    answer = _OPENING.sub("", text, count=1)
    claims = [answer[start:end] for start, end in sentences(answer)]
    found: dict[int, Citation] = {}
    for claim in claims if len(claims) <= MAX_SENTENCES else ():
        borne = next((one for one in enumerate(passages, 1) if _bears(one[1], claim, recall.question)), None)
        if borne is None:
            return ()
        number, passage = borne
        found.setdefault(number, cite(recall, number, passage, *cited_sentence(passage, claim)))
    return tuple(found.values())


def _bears(passage: Passage, claim: str, question: str) -> bool:
    says, asked = set(terms(claim)), set(terms(question))
    new = says - asked
    names = set(terms(" ".join(CAPITALISED.findall(claim))))
    if not new or not passage.text.strip():
        return False
    spans = sentences(passage.text)
    at = spans.index(cited_sentence(passage, claim))
    start, end = spans[max(0, at - 1)][0], spans[min(len(spans) - 1, at + 1)][1]
    about = f"{passage.speaker or ''} {passage.meta.get('title', '')} {spoken_date(passage.at_us, passage.tz_min)}"
    held = set(terms(f"{passage.text[start:end]} {about}"))
    quote = passage.text[slice(*spans[at])]
    return new <= held and names <= held and bool(_DENIES.search(claim)) == bool(_DENIES.search(quote))
