"""A dense model made a Mixture of Experts: nothing is lost when all experts are used, and routes are known ahead."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.refactor.allot import allotted, dropping_costs
from graphmem.moe_runtime.refactor.convert import refactorize
from graphmem.moe_runtime.refactor.dequantize import gguf_weights
from graphmem.moe_runtime.refactor.divide import divided
from graphmem.moe_runtime.refactor.model import register
from graphmem.moe_runtime.refactor.plan import Plan
from graphmem.moe_runtime.training.tiny import byte_tokenizer

SMALL = {"vocab_size": 264, "hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 3}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512}
SMALL |= {"pad_token_id": 256, "bos_token_id": 256, "eos_token_id": 256, "tie_word_embeddings": True}
QUICK = {"experts": 4, "written": 8, "written_tokens": 8, "read_rows": 8, "weigh_rows": 2, "length": 64}
IDS = torch.randint(0, 256, (1, 40), generator=torch.Generator().manual_seed(5))


def dense(folder: Path, family: str = "llama") -> Path:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SMALL))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter.shape[-1] ** -0.5)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def loaded(folder: Path) -> Any:
    register()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, experts_implementation="eager")
    return model.eval()


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted model with half of its routed neurons in use, distilled for three steps."""
    folder = tmp_path_factory.mktemp("converted")
    refactorize(dense(folder / "dense"), folder / "moe", Plan(active=2, distil_rows=6, **QUICK))
    return folder / "moe"


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_with_all_experts_in_use_the_converted_model_is_the_dense_one(tmp_path: Path, family: str) -> None:
    source = dense(tmp_path / "dense", family)
    refactorize(source, tmp_path / "moe", Plan(active=4, distil_rows=0, **QUICK))
    with torch.no_grad():
        want, have = loaded(source)(IDS).logits, loaded(tmp_path / "moe")(IDS).logits
    assert (want - have).abs().max() < 0.1 * want.std()  # weights are rounded to bfloat16
    assert (want.argmax(-1) == have.argmax(-1)).float().mean() > 0.9


def test_the_report_says_what_was_made(converted: Path) -> None:
    report = json.loads((converted / "refactor.json").read_text(encoding="utf-8"))
    config = loaded(converted).config
    assert report["experts_per_layer"] == config.experts_per_layer
    assert sum(config.experts_per_layer) == 2 * 3
    assert report["active_share"] == pytest.approx((96 - 4 * 16 + 2 * 16) / 96)
    assert set(report["seconds"]) == {"write", "read", "weigh", "divide", "refit", "distil"}
    assert report["perplexity"] > 0


def test_each_layers_routes_follow_from_what_the_layer_before_reads(converted: Path) -> None:
    model = loaded(converted)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for layer in model.model.layers:
        layer.mlp.experts.register_forward_pre_hook(lambda _, args: seen.append((args[0], args[1])))
    with torch.no_grad():
        model(IDS)
        for (read, _), (_, routes), layer in zip(seen, seen[1:], model.model.layers[1:], strict=False):
            assert torch.equal(layer.mlp.gate(read)[2], routes)


def test_decoding_step_by_step_equals_reading_at_once(converted: Path) -> None:
    model = loaded(converted)
    with torch.no_grad():
        whole = model(IDS).logits
        first = model(IDS[:, :30], use_cache=True)
        rest = model(IDS[:, 30:], cache=first.cache).logits
    assert torch.allclose(whole[:, 30:], rest, atol=1e-4)


def test_the_engine_runs_it_exactly_and_foresees_every_route(converted: Path, tmp_path: Path) -> None:
    Engine.pack(converted, tmp_path / "store")
    register()
    reference = AutoModelForCausalLM.from_pretrained(converted, experts_implementation="eager").eval()
    with Engine.open(tmp_path / "store", budget="60%", prefetch="next") as engine, torch.no_grad():
        assert torch.equal(engine.model(IDS).logits, reference(IDS).logits)
        text = engine.generate("def main(", max_new_tokens=12).text
        want = reference.generate(
            engine.tokenizer("def main(", return_tensors="pt")["input_ids"], max_new_tokens=12, do_sample=False
        )
        assert text == engine.tokenizer.decode(want[0, 9:], skip_special_tokens=True)


def test_a_second_call_keeps_what_is_there(converted: Path) -> None:
    before = (converted / "model.safetensors").stat().st_mtime_ns
    assert refactorize(Path("not read"), converted, Plan())["active_share"] > 0
    assert (converted / "model.safetensors").stat().st_mtime_ns == before


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def stop(step: str, _: float) -> None:
        if step == "divide":
            raise KeyboardInterrupt

    source = dense(tmp_path / "dense")
    with pytest.raises(KeyboardInterrupt):
        refactorize(source, tmp_path / "out" / "moe", Plan(active=2, distil_rows=2, **QUICK), tick=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_dense_model_is_one_clear_error(tmp_path: Path, converted: Path) -> None:
    with pytest.raises(InputError, match="neither a model folder nor a GGUF"):
        refactorize(tmp_path / "nothing", tmp_path / "a")
    with pytest.raises(InputError, match="refactored_llama is not one of"):
        refactorize(converted, tmp_path / "b")
    with pytest.raises(InputError, match="cannot become 4 experts"):
        refactorize(dense(tmp_path / "dense"), tmp_path / "c", Plan(active=9, experts=4))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF?")
    with pytest.raises(InputError, match="GGUF"):
        refactorize(tmp_path / "broken.gguf", tmp_path / "d")


def test_gguf_weights_come_out_as_they_went_in(tmp_path: Path) -> None:
    import gguf

    config = SimpleNamespace(model_type="llama", num_attention_heads=4, num_key_value_heads=2)
    query, down = torch.randn(32, 32), torch.randn(32, 96)
    writer = gguf.GGUFWriter(str(tmp_path / "small.gguf"), "llama")
    interleaved = query.view(4, 2, 4, 32).transpose(1, 2).reshape(32, 32)
    writer.add_tensor("blk.0.attn_q.weight", interleaved.contiguous().numpy())
    writer.add_tensor("blk.0.ffn_down.weight", down.numpy())
    writer.add_tensor("rope_freqs.weight", torch.ones(4).numpy())
    for finish in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        finish()
    writer.close()
    weights = gguf_weights(tmp_path / "small.gguf", config)
    assert set(weights) == {"model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.down_proj.weight"}
    assert torch.equal(weights["model.layers.0.self_attn.q_proj.weight"], query)
    assert torch.equal(weights["model.layers.0.mlp.down_proj.weight"], down)


def test_shared_neurons_are_the_strongest_and_experts_are_of_one_size() -> None:
    draw = torch.Generator().manual_seed(1)
    strength = torch.linspace(0.1, 2.0, 48)
    owner = divided(torch.randn(200, 48, generator=draw) * strength, torch.eye(48), shared=16, experts=4, seed=0)
    assert torch.bincount(owner).tolist() == [8, 8, 8, 8, 16]
    assert (owner[32:] == 4).float().mean() > 0.9


def test_neurons_that_fire_together_become_one_expert() -> None:
    draw = torch.Generator().manual_seed(2)
    topics = torch.randint(0, 4, (400,), generator=draw)
    inner = torch.stack([(topics == neuron % 4).float() for neuron in range(32)], dim=1)
    owner = divided(inner + 0.01 * torch.rand(400, 32, generator=draw), torch.eye(32), shared=0, experts=4, seed=0)
    assert all(len(set(owner[first::4].tolist())) == 1 for first in range(4))


def test_experts_go_where_leaving_them_out_costs_most() -> None:
    steep, flat = torch.tensor([9.0, 4.0, 1.0, 0.0]), torch.tensor([0.3, 0.2, 0.1, 0.0])
    assert allotted([steep, flat], active=2, least=1) == [3, 1]
    assert (
        allotted([flat, flat, flat], active=2, least=1) == [2, 2, 2]
        or sum(allotted([flat, flat, flat], active=2, least=1)) == 6
    )


def test_the_cost_of_leaving_out_the_worst_scored_is_that_of_their_sum() -> None:
    outputs = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]])
    costs = dropping_costs(outputs, torch.tensor([[3.0, 2.0, 1.0]]))
    assert costs.tolist() == [2.0, 0.0, 0.5, 0.0]
