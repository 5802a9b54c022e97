"""Text into passages, cut where a reader would: between blocks, else at a sentence's end, else at a space.

Cuts depend on the text alone, never on how it was read, and every passage is an exact slice: offsets count code points.
Time and memory are linear in the text; packing holds two chunks at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: A chunk is about a paragraph: MiniLM reads 256 word pieces, some 1,100 characters of English.
TARGET_CHARS = 900
CAP_CHARS = 1200
#: A chunk shorter than this is joined with its neighbour up to the cap: a heading alone is no evidence.
FLOOR_CHARS = 300
#: A turn stays whole up to this: its sentences have vectors of their own.
TURN_CHARS = 4000

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s)|[。！？][」』”’]*")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-Z]|Dr|Mr|Mrs|Ms|St|Prof|Jr|Sr|No|Fig|vs|cf|al|e\.g|i\.e|approx)\.$")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or listing with the white space behind it: the next block begins where it ends.
    `lined`: its lines are its parts (code, lists, tables), so it is cut between lines before between sentences."""

    start: int
    text: str
    lined: bool = False


def chunks(blocks: Iterable[Block]) -> Iterator[tuple[int, str]]:
    """Contiguous blocks as chunks of about TARGET_CHARS, at most CAP_CHARS: (offset, text), outer white space off."""
    ready: Block | None = None
    for chunk in _packed(blocks):
        if ready is None:
            ready = chunk
        elif len(chunk.text.strip()) < FLOOR_CHARS and len(ready.text) + len(chunk.text) <= CAP_CHARS:
            ready = Block(ready.start, ready.text + chunk.text)
        else:
            yield from _stripped(ready)
            ready = chunk
    if ready is not None:
        yield from _stripped(ready)


def pieces(text: str, limit: int = TURN_CHARS) -> Iterator[tuple[int, int]]:
    """Offsets that cut a long turn into pieces of at most `limit` characters; nothing but white space is left out."""
    start = 0
    while start < len(text):
        end = len(text) if len(text) - start <= limit else cut(text, start, limit)
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        last = start + len(piece.rstrip())
        if first < last:
            yield first, last
        start = end


def cut(text: str, start: int, limit: int, *, lined: bool = False) -> int:
    """The best place to end a piece that begins at `start`: at most `limit` characters on, at least half of that if
    any sentence, line or word ends there. O(limit)."""
    low, high = start + limit // 2, start + limit
    ends = _line_end, _sentence_end, _word_end
    order = ends if lined else (_paragraph_end, _sentence_end, _line_end, _word_end)
    for end in order:
        at = end(text, low, high)
        if at > low:
            return at
    while high > low and (unicodedata.combining(text[high]) or text[high] in "\u200d\ufe0f"):
        high -= 1
    return high if high > start else start + limit


def _packed(blocks: Iterable[Block]) -> Iterator[Block]:
    start, held = 0, ""
    for block in blocks:
        if not held:
            start = block.start
        size = len(held) + len(block.text.rstrip())
        if size <= TARGET_CHARS or (len(held) < FLOOR_CHARS and size <= CAP_CHARS):
            held += block.text
            continue
        at = 0
        if held and len(held) < FLOOR_CHARS:
            at = cut(block.text, 0, TARGET_CHARS - len(held), lined=block.lined)
        if held:
            yield Block(start, held + block.text[:at])
        while len(block.text) - at > CAP_CHARS:
            end = cut(block.text, at, TARGET_CHARS, lined=block.lined)
            yield Block(block.start + at, block.text[at:end])
            at = end
        start, held = block.start + at, block.text[at:]
    if held:
        yield Block(start, held)


def _stripped(chunk: Block) -> Iterator[tuple[int, str]]:
    text = chunk.text.strip()
    if text:
        yield chunk.start + len(chunk.text) - len(chunk.text.lstrip()), text


def _paragraph_end(text: str, low: int, high: int) -> int:
    return text.rfind("\n\n", low, high) + 2 if "\n\n" in text[low:high] else -1


def _line_end(text: str, low: int, high: int) -> int:
    return text.rfind("\n", low, high) + 1


def _word_end(text: str, low: int, high: int) -> int:
    return max(text.rfind(" ", low, high), text.rfind("\t", low, high), text.rfind("\u3000", low, high)) + 1


def _sentence_end(text: str, low: int, high: int) -> int:
    best = -1
    for found in _SENTENCE_END.finditer(text, low, high):
        if not _ABBREVIATION.search(text, max(0, found.end() - 10), found.end()):
            best = found.end()
    return best
