"""Recall over the embedded store: the same promises on real rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from graphmem.recall import BALANCED
from graphmem.schema import PassageDraft, SourceDraft

HUB = 400


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    path: Path = tmp_path_factory.mktemp("recall") / "hub.db"
    with graphmem.open(str(path), embedder=HashEmbedder()) as memory:
        reports = [PassageDraft(f"Report {number}: a barge left Port Lorn.", ref=f"r{number}") for number in range(HUB)]
        memory.remember_many(reports, source=SourceDraft("document", "reports", title="Barges"), durable=False)
        turns = [
            PassageDraft("Which colour did you choose for the shed?", ref="q", speaker="Ben", section="one"),
            PassageDraft("Green, like the garden.", ref="a", speaker="Ada", section="one"),
        ]
        memory.remember_many(turns, source=SourceDraft("conversation", "talk"), durable=False)
        yield memory


def test_the_work_at_a_hub_is_bounded_and_told(memory: Memory) -> None:
    plan = replace(BALANCED, edges_a_node=16)
    found = memory.recall("What left Port Lorn?", plan=plan)
    assert found.passages
    assert found.work["edges"] <= 16 * (plan.bridge_starts + found.work["expanded"])
    assert found.work["candidates"] < HUB
    assert any("work cap" in remark for remark in found.degraded)


def test_the_answer_comes_with_the_question_before_it_as_its_path(memory: Memory) -> None:
    found = memory.recall("Which colour is the shed?")
    answer = next(hit for hit in found.hits if hit.passage is not None and hit.passage.ref == "a")
    assert any([step.kind for step in path.steps] == ["seed", "NEXT"] for path in answer.paths)
    for hit in found.hits:
        assert sum(path.weight for path in hit.paths) == pytest.approx(hit.score, abs=1e-6)


def test_a_question_of_any_characters_is_answered(memory: Memory) -> None:
    for question in ("?", "a/b: 'c' OR \"d\" -- *", "\U0001f600", "x" * 10_000, "WHAT? " * 500):
        assert memory.recall(question, limit=2).question == question
