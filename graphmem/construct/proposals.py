"""What a model proposes, and what of it the evidence bears out.

A generator answers with JSON text; nothing in it is trusted. `parse` reads one passage's answer within caps, `validate`
compares each proposal with that passage: the quote must stand there word for word, names must occur there, times must
parse, roles and kinds come from the closed sets, other ids cannot be named at all. What fails becomes a `Refusal` with
its reason; the rules' own result is never touched.

    {"passage": 1,
     "notes": [{"quote", "text", "kind", "confidence", "keywords", "tags", "time"}],
     "entities": [{"name", "type"}],
     "hyperedges": [{"quote", "predicate", "members": [{"role", "name"}], "time", "confidence"}],
     "links": [{"kind", "from", "to", "reason", "weight"}]}

`from` and `to` are quotes of two notes of the passage; one of them may be the number of an old note that was offered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graphmem.construct.replies import Unfit, json_object
from graphmem.schema import Id, Refusal

STEP = "construct"
NUMBER = "passage"
MAX_PROPOSALS = 64
MAX_NAMES = 8
MAX_REFUSALS = 64
MAX_REASON_CHARS = 300
MAX_PROPOSAL_CHARS = 2_000

ProposalKind = Literal["note", "entity", "hyperedge", "link"]
_FIELDS: Mapping[str, tuple[ProposalKind, frozenset[str]]] = {
    "notes": ("note", frozenset(("quote", "text", "kind", "confidence", "keywords", "tags", "time"))),
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
        """As it was proposed."""
        return f"{self.kind} {json.dumps(self.fields, ensure_ascii=False)}"


def parse(text: str, passage: Id) -> tuple[list[Proposal], list[Refusal]]:
    """A passage's proposals in order, and what could not be read as one. Never raises."""
    try:
        return _parsed(json_object(text), passage)
    except Unfit as unfit:
        return [], [refusal(passage, str(unfit), text)]


def _parsed(answer: Mapping[str, Any], passage: Id) -> tuple[list[Proposal], list[Refusal]]:
    found: list[Proposal] = []
    unknown = [name for name in list(answer)[:MAX_NAMES] if name not in _FIELDS and name != NUMBER]
    refused = [refusal(passage, f"unknown field {name[:80]!r}", "") for name in unknown]
    for name, (kind, allowed) in _FIELDS.items():
        rows = answer.get(name, [])
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
        raise Unfit(f"{name} is outside 0..1")
    return float(value)


def several(fields: Mapping[str, Any], name: str, most: int, cap: int) -> tuple[str, ...]:
    """A list of at most `most` texts; empty when missing."""
    value = fields.get(name, [])
    if not isinstance(value, list) or len(value) > most:
        raise Unfit(f"{name} is not a list of at most {most}")
    return tuple(words({name: item}, name, cap) for item in value)
