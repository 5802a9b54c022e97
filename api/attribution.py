"""Markers for what a small model says: it answers from the evidence but seldom cites it.

A sentence without a marker gets that of the passage which has most of its content words, if that is well over half
of them. What no passage bears out gets none; an answer without any is replaced by the extracted one, as for all models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from graphmem.analysis import terms
from graphmem.answer.base import Prompt
from graphmem.answer.citations import MARKER

#: Share that a passage must have, its speaker, date and title included: of the content words that a sentence adds to
#: the question, and of all its words. An answer's date may stand in a passage that is about something else.
BORNE_OUT = 0.6
_EVIDENCE = re.compile(r'<evidence n="(\d+)"([^>]*)>(.*?)</evidence>', re.DOTALL)
_MARK = re.compile(r'(\w+)="([^"]*)"')
_QUESTION = re.compile(r"<question>(.*?)</question>", re.DOTALL)
_END = re.compile(r"[.!?\u2026]+(?=\s)")
_LAST = re.compile(r"[.!?\u2026]+\Z")


@dataclass(frozen=True, slots=True)
class Evidence:
    number: int
    told: str  # speaker, date and title
    text: str


def evidence_in(prompt: Prompt) -> tuple[tuple[Evidence, ...], str]:
    """The evidence of an answer's prompt, and the question."""
    user = prompt[-1][1]
    found = tuple(
        Evidence(int(number), ", ".join(unescape(value) for _, value in _MARK.findall(marks)), unescape(text))
        for number, marks, text in _EVIDENCE.findall(user)
    )
    asked = _QUESTION.findall(user)
    return found, unescape(asked[-1]) if asked else user


def attributed(pieces: Iterable[str], evidence: Sequence[Evidence], question: str) -> Iterator[str]:
    """The text as it comes, with a marker before the end of each sentence that is borne out."""
    known = [(one.number, set(terms(f"{one.told} {one.text}"))) for one in evidence]
    asked = set(terms(question))
    sentence, held = "", ""
    for piece in pieces:
        text, held = held + piece, ""
        if last := _LAST.search(text):
            text, held = text[: last.start()], last[0]
        done = 0
        for end in _END.finditer(text):
            sentence += text[done : end.start()]
            yield text[done : end.start()] + marker_for(sentence, known, asked) + end[0]
            sentence, done = "", end.end()
        sentence += text[done:]
        if text[done:]:
            yield text[done:]
    yield marker_for(sentence, known, asked) + held


def marker_for(sentence: str, known: Sequence[tuple[int, set[str]]], asked: set[str]) -> str:
    """ " [n]" of the passage that bears the sentence out, the first of equals; "" when none does, when it has a marker,
    and when it says nothing that the question did not say."""
    words = set(terms(sentence))
    if not words - asked or not known or MARKER.search(sentence):
        return ""
    new = words - asked
    number, has = max(known, key=lambda one: (len(new & one[1]), len(words & one[1]), -one[0]))
    borne_out = len(new & has) >= BORNE_OUT * len(new) and len(words & has) >= BORNE_OUT * len(words)
    return f" [{number}]" if borne_out else ""
