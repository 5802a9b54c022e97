"""Plans and routes: the judge goes deeper only where it has not enough; the working set is bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import graphmem
from graphmem.errors import InputError, NotFound
from graphmem.memory import Memory
from graphmem.recall import BALANCED, DEEP, FAST, PLANS, ROUTED, Bar, judge, recall
from graphmem.recall.judge import missing_names
from graphmem.reflect import routing
from graphmem.schema import Recall
from tests.reflect.world import QUESTION, remember_pages


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """Read alone in this module."""
    with graphmem.open(str(tmp_path_factory.mktemp("routing") / "notes.db")) as memory:
        remember_pages(memory)
        for number, text in enumerate(("My cat is called Grace.", "She eats fish.", "I moved to Zurich in May.")):
            memory.remember(text, speaker="Ada", at=f"2026-05-1{number}", source="letters")
        yield memory


def test_hymem_the_light_route_answers_what_one_turn_says(memory: Memory) -> None:
    found = memory.recall("What is my cat called?", plan=ROUTED)
    assert found.plan == "FAST"
    assert len(found.route) == 1
    assert found.route[0].startswith("FAST: enough")
    assert len(found.passages) <= 5


def test_ama_the_judge_triggers_deeper_retrieval_and_the_route_says_why(memory: Memory) -> None:
    found = memory.recall("Which lake did Ptolemy Quince swim across?", plan=ROUTED)
    assert found.plan == "DEEP"
    assert [line.split(":")[0] for line in found.route] == ["FAST", "BALANCED", "DEEP"]
    assert "Ptolemy" in found.route[0]


def test_deep_is_reflection_and_fits_the_token_budget(memory: Memory) -> None:
    deep = memory.recall(QUESTION, plan=DEEP)
    assert deep.work["steps"] > 0
    assert [r.passage.id for r in deep.passages] == [
        r.passage.id for r in memory.reflect(QUESTION, plan=DEEP).recall.passages
    ]
    short = memory.recall(QUESTION, plan=DEEP, token_budget=20)
    assert 0 < len(short.passages) < len(deep.passages)
    assert "token budget" in short.degraded[-1]


def test_a_deadline_between_two_plans_keeps_to_the_token_budget(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any, **options: Any) -> Recall:
        found = recall(*given, **{**options, "deadline_s": None})
        time.sleep(0.3)
        return found

    monkeypatch.setattr(routing, "recall", slow)
    asked = "Which lake did Ptolemy Quince swim across?"
    found = memory.recall(asked, plan=ROUTED, deadline_s=0.2, token_budget=20)
    whole = memory.recall(asked, plan=ROUTED, deadline_s=0.2)
    assert any("BALANCED was not tried" in line for line in found.degraded)
    assert len(found.passages) < len(whole.passages)
    assert "token budget" in found.degraded[-1]


def test_balanced_stays_the_default_and_names_no_route(memory: Memory) -> None:
    assert memory.recall(QUESTION).plan == "BALANCED"
    assert memory.recall(QUESTION).route == ()
    assert PLANS == {"fast": FAST, "balanced": BALANCED, "deep": DEEP, "routed": ROUTED}


def test_the_judge_says_what_is_missing(memory: Memory) -> None:
    recall = memory.recall("What is my cat called?")
    assert judge(recall, Bar(0.4, 0.5)).enough
    assert "support" in judge(recall, Bar(1.1, 0.5)).why
    assert "ahead" in judge(recall, Bar(0.0, 0.0, 100.0)).why
    assert missing_names("What did Ada tell Quentin in May?", ["Ada went home"]) == ("Quentin",)


def test_adamem_a_working_set_holds_the_last_turns_within_its_tokens(memory: Memory) -> None:
    digest = memory.digest()
    held = memory.working(source="letters", tokens=40)
    assert [turn.text for turn in held.turns][-1] == "I moved to Zurich in May."
    assert held.tokens <= 40
    assert not {turn.id for turn in held.turns} & {hit.passage.id for hit in held.lit if hit.passage}
    assert memory.digest() == digest
    with pytest.raises(NotFound, match="elsewhere"):
        memory.working(source="elsewhere")
    with pytest.raises(InputError, match="tokens"):
        memory.working(source="letters", tokens=0)
