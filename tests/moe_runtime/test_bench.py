"""The comparison runs on a small model and says what it found; its speeds are judged by the bench, not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphmem.moe_runtime.bench import compare, holding, speeds
from graphmem.moe_runtime.bench.memory import cached_mib, drop_cached, resident_mib
from graphmem.moe_runtime.bench.shapes import text_tokens
from graphmem.moe_runtime.errors import InputError

ABSENT = {"skipped": "not asked"}


def test_everybody_is_measured_and_the_budget_holds(packed: Any, tmp_path: Path) -> None:
    checkpoint, store = packed("qwen3_moe")
    folders = {"checkpoint": str(checkpoint), "store": str(store)}
    plan = speeds.Plan(**folders, pairs=2, prefills=1, prompts=(32,), tokens=4, warm_up=4)
    found = json.loads(json.dumps(speeds.measured(plan)))
    rivals = ("nothing", "engine", "transformers")
    held = {rival: holding.measured(holding.Plan(rival, **folders, scratch=str(tmp_path))) for rival in rivals}
    figures = {figure.key: figure for figure in compare.figures_of(found, plan.tokens, {**held, "accelerate": ABSENT})}
    for key, most in (("arena of budget", 1.0), ("prefill 32 once", 1.0)):
        value = figures[key].value
        assert value is not None
        assert value <= most, key
    for key in ("decode transformers", "decode engine", "bandwidth", "load faster", "engine RssAnon"):
        assert figures[key].value, key
    assert figures["accelerate"].skipped == ABSENT["skipped"]
    assert figures["llama.cpp"].skipped


def test_a_folder_that_is_no_store_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no packed store"):
        compare.compare(tmp_path, tmp_path)


def test_memory_is_told_as_the_kernel_splits_it(tmp_path: Path) -> None:
    assert resident_mib()["RssAnon"] > 1
    path = tmp_path / "data.bin"
    path.write_bytes(b"x" * (1 << 20))
    with path.open("rb") as file:
        file.read()
    assert cached_mib([path]) == 1.0
    drop_cached([path])
    assert cached_mib([path]) <= 1.0


def test_the_tokens_of_the_bench_repeat_as_those_of_prose_do() -> None:
    tokens = text_tokens(2_000, 49_152)
    assert len(tokens) == 2_000
    assert 300 < len(set(tokens)) < 1_200
    assert min(tokens) >= 3
    assert max(tokens) < 49_152
