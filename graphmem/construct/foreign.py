"""Words that a call shows beside a passage: nothing that is kept of the passage may hold them.

A model sees several passages at once and may tell of one what another says. Kept, that would outlive the passage it
came from: its text would stay in a note, a reason or a refusal when that passage is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from graphmem.analysis import indexed_text, terms
from graphmem.schema import Note, Passage, Refusal

Words = frozenset[str]
NONE: Words = frozenset()
#: Words of the form itself, which say nothing of where a text came from.
_FORM = frozenset(
    terms(
        "passage note entity hyperedge link quote text kind confidence keywords tags time name type predicate members "
        "role from to reason weight fact experience belief strategy person place organisation work thing agent object "
        "with topic other similar elaborates contradicts causes follows supersedes answer"
    )
)
#: From here on a word is looked for inside others too: "\\nBront" in a broken answer holds "Bront".
_LONG = 4
_QUOTED = re.compile(r"['\"].*['\"]", re.S)


def foreign_words(passages: Sequence[Passage], offers: Sequence[Note]) -> list[Words]:
    """For each passage of a call the words that only the call's other texts hold. O(words of the call)."""
    own = [frozenset(terms(indexed_text(passage))) for passage in passages]
    old = (frozenset(terms(note.text)) for note in offers)
    everywhere = frozenset[str]().union(*own, *old)
    return [everywhere - words - _FORM for words in own]


def holds(text: str, foreign: Words) -> bool:
    """Whether a text uses a foreign word, as a word."""
    return bool(foreign) and not foreign.isdisjoint(terms(text))


def withheld(refusal: Refusal, foreign: Words) -> Refusal:
    """The refusal, without what would tell of another passage: the proposal, and what its reason quotes of it."""
    quoted = _QUOTED.search(refusal.reason)
    if quoted is not None and _hides(quoted.group(), foreign):
        reason = f"{refusal.reason[: quoted.start()]}\u2026{refusal.reason[quoted.end() :]}"
        return replace(refusal, reason=reason, proposal="")
    return replace(refusal, proposal="") if _hides(refusal.proposal, foreign) else refusal


def _hides(text: str, foreign: Words) -> bool:
    low = text.casefold() if foreign else ""
    return holds(text, foreign) or any(len(word) >= _LONG and word in low for word in foreign)
