"""What every reader gives: sources, each with a lazy iterator of its passages in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from graphmem.errors import InputError
from graphmem.ingest.encoding import File
from graphmem.schema import PassageDraft, SourceDraft

#: One source of a file and its passages. Passages are made as they are asked for, once.
Reading = tuple[SourceDraft, Iterator[PassageDraft]]


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the registry. `parts` names the sources in a file that may hold several (empty: it holds one), and
    `read_part` reads one of them, counted from 0."""

    name: str
    suffixes: tuple[str, ...]
    holds: str
    read: Callable[[File], Iterator[Reading]]
    parts: Callable[[File], list[str]] | None = None
    read_part: Callable[[File, int], Reading] | None = None


def json_fault(file: File, error: ValueError, *, line: int = 1, hint: str) -> InputError:
    """What json had to say, at the line of the file (`line` is where the text that was parsed begins)."""
    if isinstance(error, json.JSONDecodeError):
        message, position = error.msg, f"line {line + error.lineno - 1} column {error.colno}"
    else:
        message, position = str(error), f"line {line}"
    return file.fault(f"is not valid JSON: {message}", hint=hint, position=position)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def parse_json(text: str) -> object:
    """A JSON value. Raises ValueError also for NaN, Infinity, numbers too large for a double and nesting too deep."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
