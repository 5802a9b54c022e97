"""What documents share: sections by heading path, chunks with offsets, the title that goes with each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from graphmem.ingest.encoding import File
from graphmem.ingest.segment import Block, chunks
from graphmem.schema import PassageDraft, clean

MAX_HEADING_CHARS = 200
SEPARATOR = " > "


@dataclass(slots=True)
class Headings:
    """The path of headings at a point of a document: "Guide > Install > Linux". A path seen before gets a number."""

    path: list[tuple[int, str]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def enter(self, level: int, text: str) -> str:
        words = clean(" ".join(text.split()))[0][:MAX_HEADING_CHARS] or "untitled"
        self.path = [(above, name) for above, name in self.path if above < level] + [(level, words)]
        name = SEPARATOR.join(words for _, words in self.path)
        count = self.seen[name] = self.seen.get(name, 0) + 1
        return name if count == 1 else f"{name} ({count})"


@dataclass(frozen=True, slots=True)
class Part:
    """What stands between two headings, its own heading first."""

    section: str | None
    blocks: Iterable[Block]


def parts(blocks: Iterable[tuple[Block, int, str]]) -> Iterator[Part]:
    """Blocks, each with its heading level (0: no heading) and the heading's words, parted at the headings.

    A heading with nothing under it but deeper headings is left out: it goes on in the names of their sections.
    """
    headings, section, held = Headings(), None, list[Block]()
    only_heading = False
    for block, level, words in blocks:
        if level:
            if held and not (only_heading and headings.path[-1][0] < level):
                yield Part(section, held)
            section, held = headings.enter(level, words), []
        only_heading = level > 0
        held.append(block)
    if held:
        yield Part(section, held)


def passages(
    file: File, parts: Iterable[Part], title: str, *, at_us: int | None = None, tz_min: int | None = None
) -> Iterator[PassageDraft]:
    """Chunks of each part, none across a heading; `title` (of the document itself, or "") goes with each of them."""
    titled = {"title": clean(title)[0]} if title else {}
    empty = True
    for part in parts:
        for start, raw in chunks(part.blocks):
            empty = False
            text, replaced = clean(raw)
            meta = {**titled, "replaced": replaced} if replaced else titled
            yield PassageDraft(
                text=text,
                at_us=at_us,
                tz_min=tz_min,
                section=part.section,
                start=start,
                end=start + len(text),
                meta=meta,
            )
    if empty:
        raise file.nothing("holds no text")
