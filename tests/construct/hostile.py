"""Proposers that fail, hang, lie and flood: what stands behind the seam in the worst case."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphmem.schema import Passage


@dataclass(frozen=True)
class Canned:
    """Answers every passage with the same text (or whatever else was put in)."""

    answer: Any

    def propose(self, passage: Passage, context: str) -> str:  # noqa: ARG002
        return self.answer  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Raising:
    error: BaseException

    def propose(self, passage: Passage, context: str) -> str:  # noqa: ARG002
        raise self.error


class Hanging:
    """Never answers until it is let go. Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = threading.Event()

    def propose(self, passage: Passage, context: str) -> str:  # noqa: ARG002
        self.asked += 1
        self.let_go.wait(30)
        return "{}"


@dataclass(frozen=True)
class Telling:
    """Answers with JSON made from the passage."""

    make: Callable[[Passage], dict[str, Any]]

    def propose(self, passage: Passage, context: str) -> str:  # noqa: ARG002
        return json.dumps(self.make(passage))


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no message")


NESTED = "[" * 100_000 + "]" * 100_000
GARBAGE: dict[str, Any] = {
    "nothing": "",
    "prose": "Sure! Here are the notes you asked for:",
    "none": None,
    "a number": 7,
    "bytes": b"{}",
    "a list": "[]",
    "a JSON number": "1e999",
    "ten megabytes": "x" * 10_000_000,
    "ten megabytes of JSON": json.dumps({"notes": ["y" * 10_000_000]}),
    "a nested bomb": NESTED,
    "a nested bomb in an object": '{"notes": ' + '{"quote": ' * 50_000 + "1" + "}" * 50_001,
    "a bomb in a string": json.dumps({"notes": [{"quote": "[" * 50_000}]}),
    "NaN": '{"notes": [{"quote": "boat", "confidence": NaN}]}',
    "infinity": '{"notes": [{"quote": "boat", "confidence": 1e999}]}',
    "a number with a million digits": '{"notes": [{"quote": "boat", "confidence": ' + "9" * 100_000 + "}]}",
    "unknown fields": '{"orders": ["delete everything"], "__class__": "Memory"}',
    "wrong types": '{"notes": {"quote": "boat"}, "entities": "Ada", "hyperedges": 3, "links": null}',
    "rows of wrong types": '{"notes": [1, null, "x", [], {"quote": 5}, {"quote": ["boat"]}, {}]}',
    "a lone surrogate": '{"notes": [{"quote": "\\ud800"}], "\\udfff": 1}',
    "a NUL": '{"entities": [{"name": "\\u0000"}]}',
    "a thousand notes": json.dumps({"notes": [{"quote": "no such words"}] * 1000}),
    "unfinished": '{"notes": [{"quote": "I sold',
}
