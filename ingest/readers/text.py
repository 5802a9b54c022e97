"""Plain text: paragraphs between blank lines, streamed; offsets are into the file's text.

A short first line with a blank one under it is the title.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from graphmem.ingest.encoding import File, digest, lines
from graphmem.ingest.readers.base import Reading
from graphmem.ingest.readers.document import Part, passages
from graphmem.ingest.segment import Block
from graphmem.schema import SourceDraft

MAX_TITLE_CHARS = 100
#: A paragraph without an end is cut here, so that memory stays bounded.
MAX_PARAGRAPH_CHARS = 65_536


def read(file: File) -> Iterator[Reading]:
    found = paragraphs(file)
    first = list(islice(found, 1))
    title = _title(first)
    blocks = chain(first, found)
    yield (
        SourceDraft("document", file.name, title=title or file.path.stem, digest=digest(file)),
        passages(file, [Part(None, blocks)], title),
    )


def paragraphs(file: File) -> Iterator[Block]:
    """Paragraphs with the blank lines behind them, one after the other."""
    start, held, size, blank = 0, list[str](), 0, False
    for _, line in lines(file):
        is_blank = line.isspace()
        if held and ((blank and not is_blank) or size + len(line) > MAX_PARAGRAPH_CHARS):
            yield Block(start, "".join(held))
            start, held, size = start + size, [], 0
        held.append(line)
        size += len(line)
        blank = is_blank
    if held:
        yield Block(start, "".join(held))


def _title(first: list[Block]) -> str:
    words = first[0].text.strip() if first else ""
    ends_paragraph = bool(first) and first[0].text.count("\n") > 1
    return words if ends_paragraph and "\n" not in words and len(words) <= MAX_TITLE_CHARS else ""
