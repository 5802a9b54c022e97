"""Trajectories of agents as JSON Lines: one run a line, each a source whose passages are its steps."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.ingest.jobs import ingest
from tests.ingest.files import drafts, fault, jsonl, sources, written

STEPS = [
    {"action": "open the gate", "observation": "It is locked.", "ok": False},
    {"tool": "find", "arguments": {"what": "key", "limit": 2}, "observation": "A key lies there."},
]


def run(**fields: Any) -> dict[str, Any]:
    return {"task": "Get into the garden.", "outcome": "failure", "steps": STEPS, **fields}


def test_each_line_is_a_source_and_each_step_a_passage(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.jsonl", jsonl(run(id="one", situation="It rains.", at="2026-05-12"), run()))
    one, two = sources(path)
    assert (one.kind, one.outside_id, one.title) == ("trajectory", "one", "Get into the garden.")
    assert one.meta == {"task": "Get into the garden.", "outcome": "failure"}
    assert two.outside_id == "runs.jsonl#2"
    task, gate, find = drafts(path)[:3]
    assert (task.text, task.ref) == ("Get into the garden.\nIt rains.", "task")
    assert task.at_us == int(datetime(2026, 5, 12, tzinfo=timezone.utc).timestamp()) * 1_000_000
    assert (gate.text, gate.ref) == ("open the gate\nIt is locked.", "step 1")
    assert gate.meta == {"action": "open the gate", "observation": "It is locked.", "ok": False}
    assert find.text == 'find with what "key", limit 2\nA key lies there.'
    assert (find.meta["tool"], find.meta["arguments"]) == ("find", {"what": "key", "limit": 2})


def test_a_job_reads_them_once_and_the_library_gives_the_same_evidence(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.jsonl", jsonl(run(id="one"), run(id="two", outcome=True)))
    with graphmem.open(str(tmp_path / "a.db"), embedder=HashEmbedder()) as memory:
        ingest(memory, [path])
        assert (memory.counts()["source"], memory.counts()["passage"]) == (2, 6)
        key, before = memory.space.key, memory.evidence_digest()
        ingest(memory, [path])
        assert memory.evidence_digest() == before
    with graphmem.open(str(tmp_path / "b.db"), embedder=HashEmbedder()) as memory:
        memory.store.space("same", key=key)
        with graphmem.open(str(tmp_path / "b.db"), space="same", embedder=HashEmbedder()) as same:
            for id, outcome in (("one", "failure"), ("two", "success")):
                same.remember_trajectory("Get into the garden.", STEPS, outcome, id=id)
            assert same.evidence_digest() == before


@pytest.mark.parametrize(
    ("fields", "message", "position"),
    [
        ({"outcome": "won"}, "neither success nor failure", "line 1"),
        ({"steps": []}, "no list", "line 1"),
        ({"task": " "}, "'task' is missing or blank", "line 1"),
        ({"reward": 1}, "'reward' is no field of a trajectory", "line 1"),
        ({"at": "the 40th of May"}, "40th", "line 1"),
        ({"steps": [*STEPS, {"observation": "?"}]}, "'action' is missing or blank", "line 1, step 3"),
        ({"steps": [{"action": "look", "ok": "yes"}]}, "'ok' is 'yes'", "line 1, step 1"),
        ({"steps": [{"action": "look", "thought": "hm"}]}, "'thought' is no field of a step", "line 1, step 1"),
        ({"steps": ["look"]}, "is str, where an object should be", "line 1, step 1"),
        ({"steps": [{"tool": "find", "arguments": [1]}]}, "'arguments' is no object", "line 1, step 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_write(
    tmp_path: Path, fields: dict[str, Any], message: str, position: str
) -> None:
    error = fault(written(tmp_path, "runs.jsonl", jsonl(run(**fields), run())))
    assert message in error.message
    assert error.position == position
    assert error.hint


def test_a_line_that_is_no_run_and_an_id_given_twice_are_errors(tmp_path: Path) -> None:
    assert fault(written(tmp_path, "a.jsonl", jsonl(run()) + "{]\n")).position.startswith("line 2")
    assert "no trajectory" in fault(written(tmp_path, "b.jsonl", jsonl(run(), [1]))).message
    with graphmem.open(str(tmp_path / "a.db"), embedder=HashEmbedder()) as memory:
        path = written(tmp_path, "c.jsonl", jsonl(run(id="one"), run(id="one")))
        job = ingest(memory, [path])
        assert "is that of line 1 too" in str(job) or job.failed == 1


def test_a_chat_is_still_a_chat(tmp_path: Path) -> None:
    assert sources(written(tmp_path, "chat.jsonl", jsonl({"text": "hi", "task": "greet"})))[0].kind == "conversation"
