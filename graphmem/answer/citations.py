"""Citations: a marker, the note, and the exact span of the passage that bears the claim out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from graphmem.analysis import terms
from graphmem.construct.sentences import sentences
from graphmem.schema import Citation, Note, Passage, Recall

MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_MARKER_START = re.compile(r"\[[\d,\s]{0,12}\Z")
_SENTENCE_END = re.compile(r"[.!?\u2026]\s|\n")


def cite(recall: Recall, marker: int, passage: Passage, start: int, end: int) -> Citation:
    """The citation of passage.text[start:end], with the recalled note that stands there."""
    return Citation(marker, note_at(recall, passage, start, end), passage, start, end, passage.text[start:end])


def note_at(recall: Recall, passage: Passage, start: int, end: int) -> Note | None:
    """The best recalled note of this passage, one that covers the span if there is one."""
    of_passage = [hit.note for hit in recall.hits if hit.passage is not None and hit.passage.id == passage.id]
    for note in of_passage:
        if any(span.passage == passage.id and span.start < end and start < span.end for span in note.spans):
            return note
    return of_passage[0] if of_passage else None


def cited_sentence(passage: Passage, claim: str) -> tuple[int, int]:
    """The sentence of the passage that shares most words with the claim; the first of equals."""
    wanted = set(terms(claim))
    spans = sentences(passage.text)
    best = max(spans, key=lambda span: (len(wanted & set(terms(passage.text[span[0] : span[1]]))), -span[0]))
    return best if spans else (0, len(passage.text))


class MarkerFilter:
    """Passes text on as it comes and drops markers that name no evidence. What may be the start of a marker waits."""

    def __init__(self, known: int) -> None:
        self.known = known
        self.dropped: list[int] = []
        self._held = ""

    def feed(self, pieces: Iterable[str]) -> Iterator[str]:
        for piece in pieces:
            yield from self._passed(piece)
        if self._held:
            yield self._held
            self._held = ""

    def _passed(self, piece: str) -> Iterator[str]:
        text = self._held + piece
        waiting = _MARKER_START.search(text)
        self._held = text[waiting.start() :] if waiting else ""
        text = MARKER.sub(self._checked, text[: waiting.start()] if waiting else text)
        if text:
            yield text

    def _checked(self, marker: re.Match[str]) -> str:
        numbers = [int(number) for number in marker[1].split(",")]
        good = [number for number in numbers if 1 <= number <= self.known]
        self.dropped += [number for number in numbers if number not in good]
        return "".join(f"[{number}]" for number in good)


def citations_in(text: str, recall: Recall, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """One citation for each evidence number in a checked text, in order of first mention."""
    found: dict[int, Citation] = {}
    for marker in MARKER.finditer(text):
        number = int(marker[1])
        if number not in found:
            passage = passages[number - 1]
            found[number] = cite(recall, number, passage, *cited_sentence(passage, claim_before(text, marker.start())))
    return tuple(found.values())


def claim_before(text: str, at: int) -> str:
    """The sentence that ends with a marker at `at`."""
    start = 0
    for end in _SENTENCE_END.finditer(text, 0, at):
        if MARKER.sub("", text[end.end() : at]).strip():
            start = end.end()
    return text[start:at]
