"""What a model proposes, and what of it the evidence bears out.

A generator answers with JSON text; nothing in it is trusted. `parse` reads it within caps, `validate` compares each
proposal with the one passage it was made for: the quote must stand there word for word, names must occur there, times
must parse, roles and kinds come from the closed sets, other ids cannot be named at all. What fails becomes a
`Refusal` with its reason; the rules' own result is never touched.

    {"notes": [{"quote", "text", "kind", "confidence", "keywords", "tags"}],
     "entities": [{"name", "type"}],
     "hyperedges": [{"quote", "predicate", "members": [{"role", "name"}], "time", "confidence"}],
     "links": [{"kind", "from", "to", "reason", "weight"}]}          from, to: quotes of two notes of this passage
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graphmem.schema import Id, Refusal

STEP = "construct"
#: A passage has at most 4,000 characters; an answer far beyond that is no summary of it.
MAX_TEXT_CHARS = 200_000
MAX_DEPTH = 8
MAX_PROPOSALS = 64
MAX_REFUSALS = 64
MAX_REASON_CHARS = 300
MAX_PROPOSAL_CHARS = 2_000

ProposalKind = Literal["note", "entity", "hyperedge", "link"]
_FIELDS: Mapping[str, tuple[ProposalKind, frozenset[str]]] = {
    "notes": ("note", frozenset(("quote", "text", "kind", "confidence", "keywords", "tags"))),
    "entities": ("entity", frozenset(("name", "type"))),
    "hyperedges": ("hyperedge", frozenset(("quote", "predicate", "members", "time", "confidence"))),
    "links": ("link", frozenset(("kind", "from", "to", "reason", "weight"))),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """One thing a generator proposes; `fields` are JSON values under known names, of any type yet."""

    kind: ProposalKind
    fields: Mapping[str, Any]

    def text(self) -> str:
        """As it was proposed, cut to MAX_PROPOSAL_CHARS."""
        return f"{self.kind} {json.dumps(self.fields, ensure_ascii=True, default=str)}"[:MAX_PROPOSAL_CHARS]


class Unfit(Exception):
    """Why a proposal is refused."""


def parse(text: object, passage: Id) -> tuple[list[Proposal], list[Refusal]]:
    """Proposals in order and what could not be read as one. Never raises; bounded by MAX_TEXT_CHARS."""
    try:
        return _parsed(text, passage)
    except Unfit as unfit:
        return [], [refusal(passage, str(unfit), text if isinstance(text, str) else repr(type(text)))]


def _parsed(text: object, passage: Id) -> tuple[list[Proposal], list[Refusal]]:
    value = _json(text)
    if not isinstance(value, dict):
        raise Unfit("the answer is not a JSON object")
    found: list[Proposal] = []
    refused = [
        refusal(passage, f"unknown field {str(name)[:80]!r}", "") for name in list(value)[:8] if name not in _FIELDS
    ]
    for name, (kind, allowed) in _FIELDS.items():
        rows = value.get(name, [])
        if not isinstance(rows, list):
            refused.append(refusal(passage, f"{name} is not a list", repr(rows)[:MAX_PROPOSAL_CHARS]))
            continue
        for row in rows:
            if len(found) + len(refused) >= MAX_PROPOSALS:
                refused.append(refusal(passage, f"more than {MAX_PROPOSALS} proposals; the rest is left out", ""))
                return found, refused
            reason = _misshapen(row, allowed)
            if reason:
                refused.append(refusal(passage, f"{kind}: {reason}", repr(row)[:MAX_PROPOSAL_CHARS]))
            else:
                found.append(Proposal(kind, row))
    return found, refused


def _misshapen(row: object, allowed: frozenset[str]) -> str:
    if not isinstance(row, dict):
        return "not an object"
    unknown = sorted(str(name)[:40] for name in row if name not in allowed)
    return f"unknown field {unknown[0]!r}" if unknown else ""


def _json(text: object) -> object:
    """The JSON value in a generator's answer, a code fence around it taken off."""
    if not isinstance(text, str):
        raise Unfit(f"the answer is {type(text).__name__}, not text")
    if len(text) > MAX_TEXT_CHARS:
        raise Unfit(f"the answer has {len(text)} characters; at most {MAX_TEXT_CHARS} are read")
    body = text.strip()
    if body.startswith("```"):
        body = body.partition("\n")[2].rpartition("```")[0]
    if not body.strip():
        raise Unfit("the answer is empty")
    if _depth(body) > MAX_DEPTH:
        raise Unfit(f"the answer nests deeper than {MAX_DEPTH}")
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"the answer is not JSON: {str(error)[:120]}") from error


def _no_constant(name: str) -> float:
    raise Unfit(f"{name} is not a JSON number")


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings, before a parser recurses into them."""
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
    return deepest


def refusal(passage: Id, reason: str, proposal: str) -> Refusal:
    return Refusal(STEP, passage, _printable(reason)[:MAX_REASON_CHARS], _printable(proposal)[:MAX_PROPOSAL_CHARS])


def _printable(text: str) -> str:
    return text[:MAX_PROPOSAL_CHARS].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


# -- reading fields


def words(fields: Mapping[str, Any], name: str, cap: int, *, required: bool = True) -> str:
    """A text field, printable, at most `cap` characters; "" when it may be missing and is."""
    value = fields.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"{name} is not a text")
    if len(value) > cap:
        raise Unfit(f"{name} has {len(value)} characters; at most {cap} are kept")
    if "\x00" in value or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise Unfit(f"{name} holds characters that are no text")
    return value


def number(fields: Mapping[str, Any], name: str, default: float) -> float:
    """A number in 0..1."""
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unfit(f"{name} is not a number")
    if not 0 <= value <= 1:
        raise Unfit(f"{name} {value} is outside 0..1")
    return float(value)


def several(fields: Mapping[str, Any], name: str, most: int, cap: int) -> tuple[str, ...]:
    """A list of at most `most` texts; empty when missing."""
    value = fields.get(name, [])
    if not isinstance(value, list) or len(value) > most:
        raise Unfit(f"{name} is not a list of at most {most}")
    return tuple(words({name: item}, name, cap) for item in value)
