"""respond: is the evidence there? -> write (a generator, checked) or extract (rules) -> the answer with citations."""

from __future__ import annotations

import re
from collections.abc import Generator

from graphmem.answer.base import NOT_IN_MEMORY
from graphmem.answer.base import Generator as TextGenerator
from graphmem.answer.borne_out import borne_out
from graphmem.answer.bounded import Written, bounded
from graphmem.answer.citations import MARKER, MarkerFilter, citations_in
from graphmem.answer.extract import Extract, extract
from graphmem.answer.prompt import MAX_PASSAGES, prompt_for
from graphmem.schema import Answer, Recall

#: A generator that is given no deadline may still not hang for ever.
DEFAULT_DEADLINE_S = 120.0
#: Written text is cut here: an answer is a few sentences, and a model that loops would fill memory.
MAX_ANSWER_CHARS = 20_000

_BARE = re.compile(r"[\W_]+")


def respond(
    recall: Recall, *, generator: TextGenerator | None = None, deadline_s: float | None = None
) -> Generator[str, None, Answer]:
    """Yields the answer's text as it comes and returns the Answer. Closable at any point.

    Evidence that does not cover the question is "not in memory", said without calling the generator. What a generator
    writes without citing is searched for in the evidence. One that fails, runs late or writes what nothing bears out is
    replaced by the extracted answer, and `degraded` says so; what it had streamed by then stays above a blank line.
    The deadline counts from the first piece asked for.
    """
    extracted = extract(recall)
    if extracted is None:
        yield NOT_IN_MEMORY
        return Answer(recall.question, NOT_IN_MEMORY, False, (), recall, degraded=recall.degraded)
    if generator is None:
        yield extracted.text
        return told(recall, extracted)
    limit_s = DEFAULT_DEADLINE_S if deadline_s is None else deadline_s
    return (yield from written(recall, extracted, generator, limit_s))


def told(recall: Recall, extracted: Extract, *why: str) -> Answer:
    return Answer(recall.question, extracted.text, True, extracted.citations, recall, degraded=(*recall.degraded, *why))


def written(
    recall: Recall, extracted: Extract, generator: TextGenerator, deadline_s: float
) -> Generator[str, None, Answer]:
    passages = [ranked.passage for ranked in recall.passages[:MAX_PASSAGES]]
    markers, out = MarkerFilter(len(passages)), Written()
    pieces = bounded(generator, prompt_for(recall.question, passages), out, deadline_s, MAX_ANSWER_CHARS)
    for piece in markers.feed(pieces):
        out.pieces.append(piece)
        yield piece
    text = "".join(out.pieces).strip()
    remarks = list(recall.degraded)
    if markers.dropped:
        numbers = ", ".join(map(str, sorted(set(markers.dropped))))
        remarks.append(f"{generator.name} cited evidence that is not there ({numbers}): markers removed")
    citations = () if out.failure else citations_in(text, recall, passages)
    if citations:
        return Answer(recall.question, text, True, citations, recall, generator.name, tuple(remarks))
    found = () if out.failure else borne_out(text, recall, passages)
    if found:
        marks = " " + "".join(f"[{citation.marker}]" for citation in found)
        yield marks
        remarks.append(f"{generator.name} cited nothing; what bears it out was found by its words")
        return Answer(recall.question, f"{text}{marks}", True, found, recall, generator.name, tuple(remarks))
    if not out.failure and is_refusal(text):
        return Answer(recall.question, NOT_IN_MEMORY, False, (), recall, generator.name, tuple(remarks))
    reason = out.failure or (f"{generator.name} cited no evidence" if text else f"{generator.name} wrote nothing")
    yield f"\n\n{extracted.text}" if text else extracted.text
    return told(recall, extracted, *remarks[len(recall.degraded) :], f"{reason}; the answer was extracted instead")


def is_refusal(text: str) -> bool:
    """Whether a text says nothing but that it is not in memory."""
    bare = _BARE.sub(" ", MARKER.sub("", text)).strip().casefold()
    return bare == _BARE.sub(" ", NOT_IN_MEMORY).strip().casefold()
