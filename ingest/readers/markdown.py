"""Markdown (CommonMark and tables): sections by headings, the title from front matter or the first heading.

The text is kept as it is written, code included, so that offsets into the file hold. Only block structure is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from graphmem.errors import InputError
from graphmem.ingest import times
from graphmem.ingest.encoding import File, digest, whole
from graphmem.ingest.readers.base import Reading
from graphmem.ingest.readers.document import SEPARATOR, parts, passages
from graphmem.ingest.segment import Block
from graphmem.schema import SourceDraft, clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_NEWLINE = re.compile(r"\r\n?|\n")  # as markdown-it counts lines
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?\r?\n)?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"([A-Za-z][\w-]*)[ \t]*:[ \t]+(\S.*)")
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^()]*\)")
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|<[^<>]*>")
_LINED = {"fence", "code_block", "bullet_list_open", "ordered_list_open", "table_open", "html_block"}


def read(file: File) -> Iterator[Reading]:
    text = whole(file)
    front, body = front_matter(text)
    found = list(parts(blocks(text, body)))
    title = front.get("title") or next((part.section for part in found if part.section), "").split(SEPARATOR)[0]
    at_us, tz_min = _date(file, front)
    source = SourceDraft(
        "document",
        file.name,
        title=clean(title)[0] or file.path.stem,
        digest=digest(file),
        meta={"front_matter": front} if front else {},
    )
    yield source, passages(file, found, title, at_us=at_us, tz_min=tz_min)


def front_matter(text: str) -> tuple[dict[str, str], int]:
    """The plain `key: value` lines of the front matter, and where the body begins. Nested values are left out."""
    found = _FRONT.match(text)
    if found is None:
        return {}, 0
    fields = {}
    for line in (found[1] or "").splitlines():
        if field := _FIELD.fullmatch(line.rstrip()):
            fields[field[1].lower()] = clean(field[2].strip("\"' "))[0]
    return fields, found.end()


def _date(file: File, front: Mapping[str, str]) -> tuple[int | None, int | None]:
    """The document's date, when it is written like one; a date written like one that does not exist is an error."""
    written = front.get("date", "")
    if not re.match(r"\d{4}-\d\d-\d\d", written):
        return None, None
    try:
        return times.moment(written)
    except ValueError as error:
        raise InputError(f"'date': {error}", hint=times.HINT, source=file.name, position="front matter") from error


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # inline parsing would take ten times as long
    return parser


def blocks(text: str, body: int) -> Iterator[tuple[Block, int, str]]:
    """Top-level blocks from `body` on, each up to the next, with heading level (0: none) and the heading's words."""
    starts = [body, *(body + found.end() for found in _NEWLINE.finditer(text[body:]))]
    tokens = _parser().parse(text[body:])
    tops = [(at, token) for at, token in enumerate(tokens) if token.level == 0 and token.map and token.nesting >= 0]
    ends = [*(starts[token.map[0]] for _, token in tops[1:] if token.map), len(text)]
    begin = body
    for (at, token), end in zip(tops, ends, strict=False):
        is_heading = token.type == "heading_open"
        level, words = (int(token.tag[1]), plain(tokens[at + 1].content)) if is_heading else (0, "")
        yield Block(begin, text[begin:end], lined=token.type in _LINED), level, words
        begin = end


def plain(heading: str) -> str:
    """A heading without its markup: links as their words, no emphasis or code marks."""
    return _MARKUP.sub("", _LINK.sub(r"\1", heading)).strip()
