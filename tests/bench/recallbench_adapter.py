"""graphmem behind recallbench's interface, through the public library alone: units in, ranked ids out.

A conversation is one source, its sessions are sections; a titled unit is a document of its own.
`python -m recallbench DATA --retriever tests.bench.recallbench_adapter:factory`
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import graphmem
from graphmem.memory import Memory
from graphmem.schema import PassageDraft, SourceDraft

Search = Callable[[str, int], list[str]]


class Unit(Protocol):
    """What recallbench hands over: a dialogue turn, or a titled passage."""

    id: str
    text: str
    speaker: str
    timestamp: str
    session: str
    title: str


def factory(units: Sequence[Unit]) -> Search:
    """Remembers the units in a memory of their own, on disk until the search is dropped."""
    folder = tempfile.TemporaryDirectory(prefix="graphmem-bench-")
    memory = graphmem.open(str(Path(folder.name) / "bench.db"))
    remember(memory, units)

    def search(question: str, k: int) -> list[str]:
        return [ranked.passage.ref or "" for ranked in memory.recall(question, limit=k).passages]

    weakref.finalize(search, close, memory, folder)
    return search


def remember(memory: Memory, units: Sequence[Unit]) -> None:
    turns = [draft(unit) for unit in units if not unit.title]
    if turns:
        memory.remember_many(turns, source=SourceDraft("conversation", "bench"), durable=False)
    pages = ((SourceDraft("document", unit.id, title=unit.title), [draft(unit)]) for unit in units if unit.title)
    memory.remember_sources(pages, durable=False)


def draft(unit: Unit) -> PassageDraft:
    at_us = None
    if unit.timestamp:
        moment = datetime.fromisoformat(unit.timestamp).replace(tzinfo=timezone.utc)
        at_us = int(moment.timestamp()) * 1_000_000
    return PassageDraft(
        unit.text,
        ref=unit.id,
        speaker=unit.speaker or None,
        at_us=at_us,
        tz_min=0 if unit.timestamp else None,
        section=unit.session or None,
        meta={"title": unit.title} if unit.title else {},
    )


def close(memory: Memory, folder: tempfile.TemporaryDirectory[str]) -> None:
    memory.close()
    folder.cleanup()
