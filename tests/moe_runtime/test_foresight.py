"""What is guessed about the experts that a token will want, and from what."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.predict.attention import UsualAttention
from graphmem.moe_runtime.predict.next_gate import NextGate, router_of
from tests.moe_runtime.models import FAMILIES, MORE_FAMILIES, lively_model, prompt


def decoded(engine: Engine, tokens: int) -> dict[str, Any]:
    """Stats after single tokens of one sequence."""
    past = None
    with torch.inference_mode():
        for token in prompt(1, tokens)[0]:
            past = engine.model(token.view(1, 1), cache=past, use_cache=True).cache
    return engine.stats()


def test_attention_that_repeats_is_foretold_and_a_change_is_followed() -> None:
    attention, stream = UsualAttention(), torch.randn(1, 1, 16)
    assert torch.equal(attention.added_to(stream[0]), stream[0])
    for added in [torch.ones(16)] * 3 + [torch.full((16,), -2.0)] * 20:
        attention.begin(stream)
        attention.end(stream + added)
    assert torch.allclose(attention.added_to(stream[0]), stream[0] - 2, atol=0.01)


def test_attention_is_learnt_from_the_last_token_of_a_prompt() -> None:
    attention, prompt_stream = UsualAttention(), torch.randn(2, 5, 16)
    added = torch.arange(10.0).view(2, 5, 1)
    attention.begin(prompt_stream)
    attention.end(prompt_stream + added)
    assert torch.allclose(attention.added_to(torch.zeros(1, 16)), torch.full((1, 16), 4.0), atol=1e-5)


@pytest.mark.parametrize("family", ["qwen3_moe", "mixtral", "olmoe", "deepseek_v3", "gpt_oss"])
def test_a_guess_from_the_residual_stream_is_what_norm_and_router_say(family: str) -> None:
    model = lively_model(family)
    decoder = model.model.layers[2]
    norm, router = decoder.post_attention_layernorm, router_of(decoder.mlp)
    assert router is not None
    gate = NextGate(router, norm)
    with torch.inference_mode():
        norm.weight.uniform_(0.2, 2.0)
        for residual in torch.randn(20, 1, 64):
            guessed = {expert for expert, _ in gate.guesses_from(residual)}
            assert guessed == set(router(norm(residual))[2][0].tolist())


def test_a_stream_of_no_numbers_is_no_guess_and_no_error() -> None:
    decoder = lively_model("qwen3_moe").model.layers[2]
    gate = NextGate(decoder.mlp.gate, decoder.post_attention_layernorm)
    assert gate.guesses_from(torch.full((1, 64), torch.nan)) == []


# phimoe's router is a linear layer that adds noise, minimax_m2's wants a correction beside its input
@pytest.mark.parametrize("family", sorted({*FAMILIES, *MORE_FAMILIES} - {"phimoe", "minimax_m2"}))
def test_single_tokens_are_looked_ahead_for_in_every_layer(packed: Any, family: str) -> None:
    _, store = packed(family, torch.float32)
    with Engine.open(store, budget="50%", prefetch="next") as engine:
        stats = decoded(engine, 12)
    layers = len(engine.manifest.layers)
    assert stats["predicted"] >= 11 * layers
    assert stats["prefetch_broken"] == ""
