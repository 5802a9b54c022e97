"""Readers: one module a format. `FORMATS` is the whole registry; `read_path` reads a file by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphmem.ingest.encoding import File, head, require_text
from graphmem.ingest.readers import html, json_document, json_lines, markdown, text
from graphmem.ingest.readers.base import Format, Reading

FORMATS = (
    Format(
        "JSON Lines",
        (".jsonl", ".ndjson"),
        "a chat, one message a line, or trajectories of agents, one run a line",
        json_lines.read,
        json_lines.parts,
        json_lines.read_part,
    ),
    Format(
        "JSON",
        (".json",),
        "LoCoMo samples, or a chat as a list",
        json_document.read,
        json_document.parts,
        json_document.read_part,
    ),
    Format("Markdown", (".md", ".markdown", ".mdown"), "a document", markdown.read),
    Format("HTML", (".html", ".htm", ".xhtml"), "a page", html.read),
    Format("text", (".txt", ".text"), "a document", text.read),
)
SUPPORTED = "; ".join(f"{format.name} ({', '.join(format.suffixes)})" for format in FORMATS)
_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}

__all__ = ["FORMATS", "SUPPORTED", "File", "Format", "Reading", "format_of", "read", "read_path"]


def format_of(file: File) -> Format:
    """By suffix, else by how the content begins. Raises InputError for what is empty or not text."""
    known = _BY_SUFFIX.get(file.path.suffix.lower())
    return known if known is not None else _sniffed(file)


def read(file: File) -> Iterator[Reading]:
    """The sources of a file, each with its passages. Raises InputError with source, position and hint as it goes."""
    return format_of(file).read(file)


def read_path(path: str | Path, name: str | None = None) -> Iterator[Reading]:
    """The sources of the file at `path`; `name` is its outside id and what errors call it (its file name if None)."""
    path = Path(path)
    return read(File(path, name if name is not None else path.name))


def _sniffed(file: File) -> Format:
    encoding, skip = require_text(file)
    start = head(file)[skip:].decode(encoding, "replace").lstrip()
    first, _, rest = start.partition("\n")
    if start[:15].lower().startswith(("<!doctype html", "<html")):
        return _BY_SUFFIX[".html"]
    if first.startswith("{") and first.rstrip().endswith("}") and rest.lstrip().startswith("{"):
        return _BY_SUFFIX[".jsonl"]
    if first.rstrip() in {"{", "["} or first.startswith(('{"', "[{")):
        return _BY_SUFFIX[".json"]
    return _BY_SUFFIX[".txt"]
