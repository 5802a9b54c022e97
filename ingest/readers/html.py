"""HTML: the text that a browser would show, its headings as sections; no scripts, styles, navigation, form fields.

Offsets are into that text: blocks in order with a blank line between them, entities decoded, white space folded outside
`pre`. Table cells are joined by " | ".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphmem.ingest.encoding import File, digest, head, whole
from graphmem.ingest.readers.base import Reading
from graphmem.ingest.readers.document import parts, passages
from graphmem.ingest.segment import Block
from graphmem.schema import SourceDraft, clean

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

LEFT_OUT = frozenset(
    "script style nav noscript template head svg math iframe object embed canvas audio video button select input "
    "textarea datalist dialog".split()
)
BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "header hr html li main ol p pre section summary table tbody tfoot thead tr ul h1 h2 h3 h4 h5 h6".split()
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
LINED = frozenset(["pre", "li", "tr"])
_TAG = re.compile(r"<[a-zA-Z!/?][^<>]*>")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of visible text; `level` is that of a heading, 0 for any other."""

    text: str
    level: int = 0
    lined: bool = False


def read(file: File) -> Iterator[Reading]:
    from selectolax.lexbor import LexborHTMLParser

    declared = _CHARSET.search(head(file))
    text = whole(file, declared=declared[1].decode("ascii") if declared else None)
    if not _TAG.search(text):
        raise file.fault(
            "is not HTML: it has no tag", hint="rename it to what it is: .txt, .md, .json", position="line 1"
        )
    text, replaced = clean(text)
    tree = LexborHTMLParser(text)
    pieces = list(visible(tree.root)) if tree.root is not None else []
    headings = (piece.text for piece in pieces if piece.level)
    titled = tree.css_first("title")
    title = " ".join(titled.text().split()) if titled is not None else ""
    title = title or next(headings, "")
    source = SourceDraft(
        "document",
        file.name,
        title=title[:200] or file.path.stem,
        digest=digest(file),
        meta={"replaced": replaced} if replaced else {},
    )
    yield source, passages(file, parts(blocks(pieces)), title[:200])


@dataclass(slots=True)
class _Collector:
    """Gathers inline text until a block ends."""

    words: list[str] = field(default_factory=list)
    done: list[Piece] = field(default_factory=list)
    level: int = 0
    keeps_space: int = 0
    lined: int = 0

    def end_block(self) -> None:
        text = "".join(self.words)
        self.words.clear()
        if not self.keeps_space:
            lines = (_SPACE.sub(" ", line).strip(" |" if self.lined else " ") for line in text.split("\v"))
            text = "\n".join(line for line in lines if line)
        text = text.replace("\v", "\n").strip("\n")
        if text.strip(" |\n\t"):
            self.done.append(Piece(text, self.level, self.lined > 0))


def visible(root: LexborNode) -> Iterator[Piece]:
    """The blocks of visible text in order. Walks without recursion: a page may nest as deep as it likes."""
    collector = _Collector()
    node: LexborNode | None = root
    while node is not None:
        entered = _enter(node, collector)
        if entered and node.child is not None:
            node = node.child
            continue
        if entered:
            _leave(node, collector)
        while node is not None and node.next is None:
            node = node.parent if node.mem_id != root.mem_id else None
            if node is not None:
                _leave(node, collector)
            if collector.done:
                yield from collector.done
                collector.done.clear()
        node = node.next if node is not None and node.mem_id != root.mem_id else None
    collector.end_block()
    yield from collector.done


def _enter(node: LexborNode, collector: _Collector) -> bool:
    """Takes a node's own text; False when nothing in it is to be seen."""
    if node.is_text_node:
        collector.words.append(node.text_content or "")
        return False
    tag = node.tag
    if not node.is_element_node or tag in LEFT_OUT:
        return False
    attributes = node.attributes
    if attributes and (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or _HIDDEN.search(attributes.get("style") or "")
    ):
        return False
    if tag == "br":
        collector.words.append("\v")
    elif tag in BLOCKS:
        collector.end_block()
        collector.level = HEADINGS.get(tag or "", collector.level)
        collector.keeps_space += tag == "pre"
        collector.lined += tag in LINED
    return True


def _leave(node: LexborNode, collector: _Collector) -> None:
    tag = node.tag
    if tag in {"td", "th"} and node.next is not None:
        collector.words.append(" | ")
    elif tag in BLOCKS:
        collector.end_block()
        collector.level = 0 if tag in HEADINGS else collector.level
        collector.keeps_space -= tag == "pre"
        collector.lined -= tag in LINED


def blocks(pieces: Iterable[Piece]) -> Iterator[tuple[Block, int, str]]:
    """Pieces one after the other, a blank line between them."""
    at = 0
    for piece in pieces:
        text = piece.text + "\n\n"
        yield Block(at, text, lined=piece.lined), piece.level, piece.text
        at += len(text)
