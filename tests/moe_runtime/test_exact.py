"""Logits and greedy text are those of transformers' eager code, to the last bit, whatever the engine is told to do."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from graphmem.moe_runtime import Engine
from tests.moe_runtime.models import FAMILIES, MORE_FAMILIES, prompt

DTYPES = (torch.float32, torch.bfloat16)
BUDGETS = ("12.5%", "25%", "50%", "100%")
SETTINGS: list[dict[str, Any]] = [
    {"budget": budget, "prefetch": prefetch, "policy": policy, "reader": reader}
    for budget, prefetch, policy, reader in itertools.product(
        BUDGETS, ("auto", "next", "layer", "off"), ("lrfu", "lru", "lfu", "shallow"), ("direct", "buffered")
    )
] + [{"budget": "100%", "reader": "mmap"}]


def eager(checkpoint: Path) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What transformers makes of the checkpoint, its weights in memory that torch allocated. `from_pretrained` maps the
    file, so that weights begin at any multiple of 8 bytes; float32 products round by address modulo 64 (MKL), and the
    same model then differs from itself by 1e-6."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", experts_implementation="eager")
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return outputs(model)


def outputs(model: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of two long prompts and of three single tokens, and a greedy continuation."""
    with torch.inference_mode():
        long = model(prompt(2, 33)).logits
        short = model(prompt(3, 1)).logits
        text = model.generate(prompt(1, 9), max_new_tokens=12, do_sample=False)
    return long, short, text


def assert_exact(store: Path, wanted: tuple[torch.Tensor, ...], settings: dict[str, Any]) -> None:
    with Engine.open(store, **settings) as engine:
        for got, want in zip(outputs(engine.model), wanted, strict=True):
            assert torch.equal(got, want), settings
        stats = engine.stats()
        assert stats["arena_bytes"] <= stats["budget_bytes"]
        assert stats["hit"] + stats["late"] + stats["miss"] > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_greedy_text_equal_eager_for_every_setting(packed: Any, family: str, dtype: torch.dtype) -> None:
    checkpoint, store = packed(family, dtype)
    wanted = eager(checkpoint)
    chosen = SETTINGS if family == "qwen3_moe" else SETTINGS[:: 5 + list(FAMILIES).index(family)] + SETTINGS[-1:]
    for settings in chosen:
        assert_exact(store, wanted, settings)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_more_families_equal_eager(packed: Any, family: str, dtype: torch.dtype) -> None:
    checkpoint, store = packed(family, dtype)
    wanted = eager(checkpoint)
    for budget in BUDGETS:
        assert_exact(store, wanted, {"budget": budget})


@pytest.mark.parametrize("family", ["qwen3_moe", "gpt_oss", "deepseek_v3"])
def test_an_expert_whose_second_product_is_still_being_read_equals_eager(
    packed: Any, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, store = packed(family, torch.float32)
    monkeypatch.setattr("graphmem.moe_runtime.engine.engine._LEAST_STRETCH_BYTES", 1)
    with Engine.open(store, budget="25%") as engine:
        assert engine._cache.arena.stretches(len(engine.manifest.layers) - 1) == 2
    wanted = eager(checkpoint)
    for reader, prefetch in itertools.product(("direct", "buffered"), ("auto", "next", "off")):
        assert_exact(store, wanted, {"budget": "25%", "reader": reader, "prefetch": prefetch})


def test_a_budget_of_two_experts_computes_in_waves(packed: Any) -> None:
    checkpoint, store = packed("qwen3_moe", torch.bfloat16)
    wanted = eager(checkpoint)
    with Engine.open(store) as engine:
        two = 2 * engine.manifest.record_bytes
    for prefetch in ("auto", "next", "layer", "off"):
        assert_exact(store, wanted, {"budget": two, "prefetch": prefetch, "policy": "lfu"})


def test_a_prompt_reads_each_expert_at_most_once(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.bfloat16)
    with Engine.open(store, budget="25%", prefetch="auto") as engine, torch.inference_mode():
        engine.model(prompt(4, 64))
        stats = engine.stats()
    assert stats["read_bytes"] <= engine.manifest.expert_bytes


def test_router_logits_are_recorded_once_while_the_next_layers_router_is_asked(packed: Any) -> None:
    _, store = packed("qwen3_moe", torch.float32)
    with Engine.open(store, prefetch="next") as engine, torch.inference_mode():
        recorded = engine.model(prompt(1, 9), output_router_logits=True).router_logits
    assert len(recorded) == 4
