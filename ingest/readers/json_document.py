"""A .json file: LoCoMo's samples, or a chat as one list. What it holds tells which."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

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
    """The outside ids of LoCoMo samples; none for a chat."""
    value = _value(file)
    return locomo.names(file, value) if locomo.is_samples(value) else []


def read_part(file: File, number: int) -> Reading:
    return locomo.read_one(file, _value(file), number)


def _value(file: File) -> object:
    """The file's value; the last one is kept, for its samples are asked for one by one."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise file.fault(f"cannot be read: {error.strerror or error}", hint="check the path and its rights") from error
    return _parsed(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _parsed(file: File, size_bytes: int, changed_ns: int) -> object:
    del size_bytes, changed_ns  # they make the key of the cache
    text = whole(file)
    if text.lstrip().startswith("<"):
        raise file.fault("is not JSON: it looks like HTML", hint="rename it to .html", position="line 1")
    if not text.strip():
        raise file.nothing("is empty")
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
