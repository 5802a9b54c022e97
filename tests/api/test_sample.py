"""The sample answers the questions that the demonstration and the start page ask of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphmem.api.engines import converted_folders
from tests.api.conftest import SAMPLE, environment
from tests.api.serving import served
from tests.api.test_graphql import post
from tests.api.test_http import events
from tests.moe_runtime.serving import small_store


def test_the_sample_is_a_dialogue_in_dated_sessions_and_linked_documents() -> None:
    turns = [json.loads(line) for line in (SAMPLE / "three-friends.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 60 <= len(turns) <= 100
    assert len({turn["session"] for turn in turns}) == 6
    assert len({turn["ref"] for turn in turns}) == len(turns)
    assert [turn["at"] for turn in turns] == sorted(turn["at"] for turn in turns)
    assert {path.suffix for path in (SAMPLE / "documents").iterdir()} == {".md", ".html", ".txt"}


def test_the_demonstration_runs_and_ends_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = small_store(converted_folders()[1])  # stands where the converted SmolLM2 would: that takes minutes to make
    assert made == converted_folders()[1] / "store"
    done = subprocess.run(
        [sys.executable, "-m", "graphmem.api.demo"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Saltworks" in done.stdout
    assert "http://127.0.0.1:8787" in done.stdout
    assert "of 16 experts resident" in done.stderr
    port = re.search(r"POST http://127\.0\.0\.1:(\d+)/graphql", done.stdout)
    assert port
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=False).stdout
    assert f"{tmp_path}" not in running
    assert not [line for line in running.splitlines() if "graphmem.api.cli serve --port 0 --store build" in line]


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("Where does Ines have her studio?", "Saltworks"),
        ("Where was the potter who founded the Saltworks born?", "Port Linden"),
        ("How does one get to Skerrow?", "ferry"),
        ("What did Tobias decide about the quartet?", "quartet"),
    ],
)
def test_the_evidence_for_a_question_is_among_the_first_five(sample_store: Path, question: str, says: str) -> None:
    with served(store=str(sample_store)) as url:
        query = "query($question: String!) { recall(question: $question, limit: 5) { passages { passage { text } } } }"
        found = post(url, query, {"question": question})["data"]["recall"]["passages"]
    assert any(says in ranked["passage"]["text"] for ranked in found[:5])


def test_the_answer_streams_from_a_real_store(sample_store: Path) -> None:
    import httpx

    with served(store=str(sample_store)) as url:
        told = events(httpx.get(f"{url}/answer/stream?question=Where does Ines have her studio?", timeout=30).text)
        page = httpx.get(url).text
    assert [name for name, _ in told][-2:] == ["citations", "done"]
    assert told[-1][1]["found"] is True
    assert 'data-sampled="true"' in page
