"""A .json file: LoCoMo's samples, or a chat as one list. What it holds tells which."""

from __future__ import annotations

from collections.abc import Iterator

from graphmem.ingest.encoding import File, whole
from graphmem.ingest.readers import chat, locomo
from graphmem.ingest.readers.base import Reading, json_fault, parse_json

HINT = (
    'a .json file holds LoCoMo samples (objects with "conversation"), a list of messages, or {"messages": [...]}; '
    "one object a line is a .jsonl file"
)


def read(file: File) -> Iterator[Reading]:
    value = _value(file)
    if locomo.is_samples(value):
        yield from locomo.read(file, value)
    else:
        yield chat.source(file), chat.drafts(file, _rows(file, value))


def parts(file: File) -> list[str]:
    """The names of the samples in a list of them; none for a file that is one source."""
    value = _value(file)
    return locomo.names(value) if isinstance(value, list) and locomo.is_samples(value) else []


def _value(file: File) -> object:
    text = whole(file)
    if text.lstrip().startswith("<"):
        raise file.fault("is not JSON: it looks like HTML", hint="rename it to .html", position="line 1")
    if not text.strip():
        raise file.fault("is empty", hint=HINT)
    try:
        return parse_json(text)
    except ValueError as error:
        raise json_fault(file, error, hint=HINT) from error


def _rows(file: File, value: object) -> Iterator[chat.Row]:
    if isinstance(value, dict) and not isinstance(value.get("messages"), list):
        raise file.fault("is JSON, but neither LoCoMo samples nor a chat", hint=HINT)
    if not isinstance(value, dict | list):
        raise file.fault("is JSON, but neither a list nor an object", hint=HINT)
    for number, element in enumerate(value if isinstance(value, list) else [value], 1):
        several = isinstance(element, dict) and isinstance(element.get("messages"), list) and isinstance(value, list)
        yield from chat.rows(f"element {number}", element, file, f"conversation {number}" if several else None)
