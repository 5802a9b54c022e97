"""train-tiny: the same weights each time, cached, on text that is not what it is measured on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from graphmem.moe_runtime.profile import checkpoint, profiled
from graphmem.moe_runtime.training import TINY, train_tiny
from graphmem.moe_runtime.training.corpus import HELD_OUT, source, talk
from graphmem.moe_runtime.training.tiny import byte_tokenizer

SHORT = replace(TINY, layers=2, hidden=32, experts=4, expert_width=16, steps=2, rows=2, length=64, chars=20_000)


def test_the_same_recipe_trains_the_same_weights(tmp_path: Path) -> None:
    one, two = train_tiny(tmp_path / "a", SHORT), train_tiny(tmp_path / "b", SHORT)
    first, second = (load_file(path / "model.safetensors") for path in (one, two))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert one.name == two.name
    assert train_tiny(tmp_path / "a", replace(SHORT, seed=8)).name != one.name


def test_what_was_trained_is_kept(tmp_path: Path) -> None:
    steps: list[float] = []
    path = train_tiny(tmp_path, SHORT, tick=lambda _, share: steps.append(share))
    assert steps == [0.5, 1.0]
    assert train_tiny(tmp_path, SHORT, tick=lambda *_: pytest.fail("trained again")) == path
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("text", ["def f(x):\n\treturn 'é'\n", "漢字 \U0001f600 \x00\x7f"])
def test_tokens_are_bytes_and_come_back_as_text(text: str) -> None:
    tokenizer = byte_tokenizer()
    assert tokenizer(text)["input_ids"] == list(text.encode())
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_held_out_modules_are_not_trained_on() -> None:
    trained, held = source(5_000_000), source(5_000_000, held_out=True)
    assert len(HELD_OUT) > 3
    for module in held.split("\n\n\n")[:5]:
        assert module not in trained or len(module) < 40
    assert talk(1, 1000) != talk(2, 1000)


@pytest.mark.slow
def test_two_minutes_bring_a_language_model_with_routing_of_its_own(tmp_path: Path) -> None:
    path = train_tiny(tmp_path)
    told = json.loads((path / "training.json").read_text(encoding="utf-8"))
    assert told["bits_per_byte_talk"] < 1.0
    assert told["bits_per_byte_code"] < 3.5
    model, tokenizer = checkpoint(path)
    profile = profiled(model, tokenizer(talk(99, 1000))["input_ids"])
    assert profile.srp[16] > 1.3 * profile.chance[16]
