"""MemoryBank: what is not used fades along exp(-t/S), use makes it last, and nothing is ever lost by fading."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from graphmem.errors import InputError, NotFound
from graphmem.memory import Memory
from graphmem.recall import BALANCED
from graphmem.recall.strength import DAY_US, clock, strength
from graphmem.schema import Path as Way
from graphmem.schema import Recall
from graphmem.stores.base import NO_TIME, Usage

YEAR_DAYS = 365
QUESTION = "What tea does Ada drink?"
COUNTS = some.integers(-20, 20)
DAYS = some.floats(0, 5_000)


def said_twice(memory: Memory) -> Memory:
    """Ada says the same thing twice on one day: only what is used tells the two apart."""
    for ref in ("first", "second"):
        memory.remember("Ada drinks green tea.", speaker="Ada", at="2025-01-01", ref=ref)
    memory.remember("Ben walks the dog.", speaker="Ben", at="2025-01-01", ref="other")
    return memory


@pytest.fixture
def memory(hashed: Memory) -> Memory:
    return said_twice(hashed)


def usage(*rows: tuple[int, float | None]) -> Usage:
    """Count and day of the last use of each."""
    last = [NO_TIME if day is None else round(day * DAY_US) for _, day in rows]
    return Usage(np.array([count for count, _ in rows]), np.array(last))


def at(day: float, *rows: tuple[int, float | None], base_days: float = 30.0) -> list[float]:
    """Strengths on a day of what was created on day 0."""
    created = np.zeros(len(rows), np.int64)
    return strength(created, usage(*rows), round(day * DAY_US), base_days=base_days).tolist()


def order(found: Recall) -> list[str | None]:
    return [ranked.passage.ref for ranked in found.passages]


def test_memorybank_retention_follows_the_curve_over_a_year() -> None:
    for day in range(0, YEAR_DAYS + 1):
        assert at(day, (0, None))[0] == pytest.approx(math.exp(-day / 30))
        assert at(day, (3, 0.0))[0] == pytest.approx(math.exp(-day / 120))
    assert at(400, (11, 365.0))[0] == pytest.approx(math.exp(-35 / 360))  # used on the first of each month


@given(COUNTS, DAYS, DAYS)
def test_memorybank_strength_only_falls_with_time(count: int, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert 0 <= at(late, (count, 0.0))[0] <= at(early, (count, 0.0))[0] <= 1


@given(COUNTS, some.integers(1, 10), DAYS, DAYS)
def test_memorybank_what_is_reinforced_is_never_weaker(count: int, more: int, used: float, day: float) -> None:
    weaker, stronger = at(day, (count, used), (count + more, used))
    assert stronger >= weaker


def test_what_was_of_no_use_fades_faster_and_unknown_times_have_no_strength() -> None:
    assert at(10, (-1, None)) == [pytest.approx(math.exp(-20 / 30))]
    undated = np.array([NO_TIME, NO_TIME])
    told = strength(undated, usage((0, None), (1, 5.0)), 5 * DAY_US, base_days=30)
    assert told.tolist() == [0.0, 1.0]


def test_without_a_time_or_a_use_there_is_no_clock() -> None:
    assert clock(usage((0, None), (-2, None)), None) is None
    assert clock(usage((0, None), (1, 4.0)), None) == 4 * DAY_US
    assert clock(usage((1, 4.0)), 9) == 9


def test_memorybank_a_reinforced_note_outranks_a_stale_one_and_nothing_is_deleted(anywhere: Memory) -> None:
    memory = said_twice(anywhere)
    digests = memory.digest(), memory.evidence_digest(), memory.counts()
    assert order(memory.recall(QUESTION, now="2025-01-02"))[:2] == ["first", "second"]
    second = memory.recall(QUESTION).hits[1].note.id
    for month in range(2, 13):
        assert memory.feedback(second, now=f"2025-{month:02}-01") == 2  # the note and its passage
    assert order(memory.recall(QUESTION, now="2025-12-31"))[:2] == ["second", "first"]
    assert order(memory.recall(QUESTION))[:2] == ["second", "first"]
    assert set(order(memory.recall(QUESTION, now="2045-01-01"))) >= {"first", "second"}
    assert (memory.digest(), memory.evidence_digest(), memory.counts()) == digests
    assert memory.check() == []


def test_memorybank_a_bare_recall_does_not_reinforce(anywhere: Memory) -> None:
    memory = said_twice(anywhere)
    before = memory.recall(QUESTION, now="2025-06-01")
    for _ in range(3):
        again = memory.recall(QUESTION, now="2025-06-01")
        assert [hit.score for hit in again.hits] == [hit.score for hit in before.hits]
    with memory.reader() as reader:
        numbers = reader.numbers([ranked.passage.id for ranked in before.passages])
        assert not reader.usage(numbers).count.any()


def test_memorybank_a_citation_reinforces_what_it_cites(memory: Memory) -> None:
    answer = memory.answer(QUESTION, now="2025-03-01")
    assert answer.found
    cited = {citation.passage.id for citation in answer.citations}
    with memory.reader() as reader:
        told = reader.usage(reader.numbers(sorted(cited)))
    assert told.count.tolist() == [1] * len(cited)


def test_feedback_that_it_was_of_no_use_lets_the_other_go_first(memory: Memory) -> None:
    found = memory.recall(QUESTION, now="2025-01-20")
    memory.feedback(found.hits[0].note.id, useful=False)
    assert order(memory.recall(QUESTION, now="2025-01-20"))[:2] == ["second", "first"]


def test_feedback_on_a_recall_counts_for_all_that_it_found(memory: Memory) -> None:
    found = memory.recall(QUESTION, limit=2)
    assert memory.feedback(found) == len(found.hits) + len(found.passages)
    with pytest.raises(NotFound, match="no node"):
        memory.feedback("0" * 32)
    with pytest.raises(InputError, match="nothing"):
        memory.feedback([])


def test_the_paths_tell_what_strength_gave_and_a_plan_can_leave_it_out(memory: Memory) -> None:
    def given(way: Way) -> bool:
        return way.steps[0].kind == "prior:strength"

    hit = memory.recall(QUESTION, now="2025-01-16").hits[0]
    assert [path.weight for path in hit.paths if given(path)] == [pytest.approx(BALANCED.strength * math.exp(-0.5))]
    assert sum(path.weight for path in hit.paths) == pytest.approx(hit.score)
    for options in ({}, {"now": "2025-01-16", "plan": replace(BALANCED, strength=0.0)}):
        plain = memory.recall(QUESTION, **options)  # type: ignore[arg-type]
        assert not any(given(path) for hit in plain.hits for path in hit.paths)
