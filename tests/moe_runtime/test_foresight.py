"""What is guessed about the experts that a token will want, and from what."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.predict.next_gate import NextGate, router_of
from graphmem.moe_runtime.predict.outlook import NEXT_LAYER_KIND, InLogits, InStream, Outlook, outlook_of
from graphmem.moe_runtime.predict.usefulness import Guess
from tests.moe_runtime.models import FAMILIES, MORE_FAMILIES, lively_model, prompt


def decoded(engine: Engine, tokens: int) -> dict[str, Any]:
    """Stats after single tokens of one sequence."""
    past = None
    with torch.inference_mode():
        for token in prompt(1, tokens)[0]:
            past = engine.model(token.view(1, 1), cache=past, use_cache=True).cache
    return engine.stats()


def decoder_of(family: str) -> tuple[Any, NextGate]:
    """The third decoder layer of a small model, whose norm scales, and its router."""
    decoder = lively_model(family).model.layers[2]
    norm, router = decoder.post_attention_layernorm, router_of(decoder.mlp)
    assert router is not None
    with torch.inference_mode():
        norm.weight.uniform_(0.2, 2.0)
    return decoder, NextGate(router, norm)


def seen(outlook: Outlook, hidden_states: torch.Tensor) -> dict[int, list[Guess]]:
    outlook.begin(hidden_states)
    return dict(outlook.guesses())


def guessed(outlook: Outlook, hidden_states: torch.Tensor) -> dict[int, set[int]]:
    return {layer: {expert for expert, _ in guesses} for layer, guesses in seen(outlook, hidden_states).items()}


@pytest.mark.parametrize("kind", [InLogits, InStream])
def test_what_repeats_is_foretold_and_a_change_is_followed(kind: type) -> None:
    decoder, gate = decoder_of("qwen3_moe")
    choose = lambda residual: set(decoder.mlp.gate(decoder.post_attention_layernorm(residual))[2][0].tolist())  # noqa: E731
    with torch.inference_mode():
        outlook = InLogits(2, gate, gate.plain_choices(), None) if kind is InLogits else InStream(2, gate)
        streams, right = torch.randn(60, 1, 1, 64), []
        for number, stream in enumerate(streams):
            added = torch.full((64,), 3.0) if number < 30 else torch.linspace(-4, 4, 64)
            right.append(guessed(outlook, stream)[2] == choose((stream + added)[0]))
            outlook.end(stream + added)
    assert right[1:30] == [True] * 29
    assert right[45:] == [True] * 15, "fifteen tokens after the change it is known"


@pytest.mark.parametrize("kind", [InLogits, InStream])
def test_a_prompt_teaches_what_its_last_token_had_added(kind: type) -> None:
    decoder, gate = decoder_of("qwen3_moe")
    with torch.inference_mode():
        outlook = InLogits(2, gate, gate.plain_choices(), None) if kind is InLogits else InStream(2, gate)
        prompts, added = torch.randn(2, 5, 64), torch.linspace(-4, 4, 64)
        guessed(outlook, prompts)
        outlook.end(torch.cat([prompts[:, :-1], prompts[:, -1:] + added], dim=1))
        stream = torch.randn(1, 1, 64)
        wanted = decoder.mlp.gate(decoder.post_attention_layernorm((stream + added)[0]))[2][0]
    assert guessed(outlook, stream)[2] == set(wanted.tolist())


def test_the_next_layer_is_guessed_where_its_experts_are_chosen_clearly() -> None:
    model = lively_model("qwen3_moe")
    gates = [NextGate(layer.mlp.gate, layer.post_attention_layernorm) for layer in model.model.layers[1:3]]
    with torch.inference_mode():
        first = outlook_of(1, gates[0], None)
        second = outlook_of(2, gates[1], first)
        for stream in torch.randn(20, 1, 1, 64):
            about = seen(first, stream)
            plain = {expert for expert, kind in seen(second, stream)[2] if kind > 0}
            assert {expert for expert, _ in about[2]} == plain, "nothing is added between the layers yet"
            assert all(kind > NEXT_LAYER_KIND for _, kind in about[2])


@pytest.mark.parametrize("family", ["qwen3_moe", "mixtral", "olmoe", "deepseek_v3", "gpt_oss"])
def test_a_guess_from_the_residual_stream_is_what_norm_and_router_say(family: str) -> None:
    decoder, gate = decoder_of(family)
    with torch.inference_mode():
        for residual in torch.randn(20, 1, 64):
            wanted = router_of(decoder.mlp)(decoder.post_attention_layernorm(residual))[2][0]  # type: ignore[misc]
            assert guessed(outlook_of(2, gate, None), residual[None])[2] == set(wanted.tolist())


def test_a_stream_of_no_numbers_is_no_guess_and_no_error() -> None:
    _, gate = decoder_of("qwen3_moe")
    with torch.inference_mode():
        assert seen(outlook_of(2, gate, None), torch.full((1, 1, 64), torch.nan)) == {2: []}


@pytest.mark.parametrize("kind", [InLogits, InStream])
def test_a_stream_of_no_numbers_is_not_learnt_from(kind: type) -> None:
    _, gate = decoder_of("qwen3_moe")
    stream = torch.randn(1, 1, 64)
    with torch.inference_mode():
        outlook = InLogits(2, gate, gate.plain_choices(), None) if kind is InLogits else InStream(2, gate)
        wanted = guessed(outlook, stream)
        outlook.end(torch.full((1, 1, 64), torch.nan))
        assert guessed(outlook, stream) == wanted


# phimoe's router is a linear layer that adds noise, minimax_m2's wants a correction beside its input
@pytest.mark.parametrize("family", sorted({*FAMILIES, *MORE_FAMILIES} - {"phimoe", "minimax_m2"}))
def test_single_tokens_are_looked_ahead_for_in_every_layer(packed: Any, family: str) -> None:
    _, store = packed(family, torch.float32)
    with Engine.open(store, budget="50%", prefetch="next") as engine:
        stats = decoded(engine, 12)
    layers = len(engine.manifest.layers)
    assert stats["predicted"] >= 11 * layers
    assert stats["prefetch_broken"] == ""
