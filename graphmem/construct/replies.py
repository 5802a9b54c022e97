"""A model's reply cut into its answers: one JSON object a passage, matched by its number.

Each answer begins with `{"passage": N`, and is read from there to its own end or to where the next one begins: a
broken one costs only itself, and so does a reply that is cut short or wrapped in prose, lists or code fences.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 8
#: Answers of a reply that are looked at beyond those asked for: a model that repeats itself.
MAX_EXTRA = 16

_BEGINS = re.compile(r'\{\s{0,20}"passage"\s{0,20}:\s{0,20}"?(\d{1,9})')


class Unfit(Exception):
    """Why a proposal is refused."""


def _no_constant(name: str) -> float:
    raise Unfit(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(slots=True)
class Answers:
    """Answers by passage number, from 1; what is wrong with others, by the number of the passage they belong to (0:
    to none of those asked about)."""

    texts: dict[int, str] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)


def answers_in(reply: str, count: int) -> Answers:
    """The answers to `count` passages. An answer to a single passage may leave its number out. O(len(reply))."""
    found = Answers()
    starts = list(_BEGINS.finditer(reply))
    if not starts and count == 1 and "{" in reply:
        found.texts[1] = reply[reply.index("{") :]
        return found
    for place, match in enumerate(starts[: count + MAX_EXTRA]):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(reply)
        number = int(match[1])
        if not 1 <= number <= count:
            found.faults.append((0, "an answer to a passage that was not asked about"))
        elif number in found.texts:
            found.faults.append((number, "answered twice; the first answer stands"))
        else:
            found.texts[number] = reply[match.start() : end]
    if len(starts) > count + MAX_EXTRA:
        found.faults.append((0, f"{len(starts)} answers to {count} passages; the rest is left out"))
    return found


def json_object(text: str) -> dict[str, Any]:
    """The JSON object that a text begins with; what follows it is left alone. Raises Unfit."""
    if _depth(text) > MAX_DEPTH:
        raise Unfit(f"the answer nests deeper than {MAX_DEPTH}")
    try:
        value, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"the answer is not JSON: {str(error)[:120]}") from error
    if not isinstance(value, dict):
        raise Unfit("the answer is not a JSON object")
    return value


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings, up to where the first value ends, before a parser recurses into
    them."""
    depth = deepest = 0
    quoted = escaped = False
    for char in text:
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
            if depth <= 0:
                break
    return deepest
