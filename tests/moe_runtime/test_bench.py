"""The comparison runs on a small model and says what it found; its speeds are judged by the bench, not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoModelForCausalLM

from graphmem.moe_runtime.bench import compare, holding, llama, speeds
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


def test_llama_cpp_gets_the_same_weights(packed: Any, tmp_path: Path) -> None:
    checkpoint, _ = packed("qwen3_moe")
    file = GGUFReader(llama.write_gguf(checkpoint, tmp_path / "model.gguf"))
    family = file.get_field("general.architecture")
    assert family is not None
    assert family.contents() == "qwen3moe"
    model = AutoModelForCausalLM.from_pretrained(checkpoint, experts_implementation="eager")
    config, told = model.config, {tensor.name: tensor for tensor in file.tensors}
    assert len(told) == 12 * config.num_hidden_layers + (2 if config.tie_word_embeddings else 3)
    layer = model.model.layers[1]
    gates, ups = layer.mlp.experts.gate_up_proj.chunk(2, dim=1)
    for name, weight in {
        "token_embd": model.model.embed_tokens.weight,
        "blk.1.attn_q_norm": layer.self_attn.q_norm.weight,
        "blk.1.ffn_gate_inp": layer.mlp.gate.weight,
        "blk.1.ffn_gate_exps": gates,
        "blk.1.ffn_up_exps": ups,
        "blk.1.ffn_down_exps": layer.mlp.experts.down_proj,
    }.items():
        stored = told[f"{name}.weight"]
        values = torch.tensor(dequantize(stored.data, stored.tensor_type))
        assert torch.equal(values, as_stored(name, weight)), name


def as_stored(name: str, weight: torch.Tensor) -> torch.Tensor:
    kept = weight.detach().float()
    return kept if "norm" in name or "gate_inp" in name else kept.bfloat16().float()


def test_llama_cpp_is_measured_where_it_is_installed(packed: Any, tmp_path: Path) -> None:
    checkpoint, _ = packed("qwen3_moe")
    found = llama.speeds(checkpoint, tmp_path, prompts=(32,), tokens=4, threads=1)
    assert list(tmp_path.iterdir()) == []
    if isinstance(found, str):
        pytest.skip(found)
    assert found.keys() == {"decode", "prefill 32"}
    assert min(found.values()) > 0


def test_another_family_than_the_benchs_shapes_is_not_made_a_gguf_file(
    packed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, _ = packed("mixtral")
    monkeypatch.setattr("shutil.which", lambda _: "llama-bench")
    found = llama.speeds(checkpoint, tmp_path, prompts=(32,), tokens=4, threads=1)
    assert isinstance(found, str)
    assert "mixtral" in found


def test_llama_cpps_speeds_stand_beside_the_engines() -> None:
    speeds_told = {"decode": {"engine": {"seconds": [2.0]}}, "prefill": {"32": {"engine": {"seconds": [4.0]}}}}
    figures = {f.key: f for f in compare.llama_figures(speeds_told, 8, {"decode": 16.0, "prefill 32": 4.0})}
    assert figures["decode of llama.cpp"].value == 0.25
    assert figures["prefill 32 of llama.cpp"].value == 2.0
    (absent,) = compare.llama_figures(speeds_told, 8, "llama-bench is not installed")
    assert absent.value is None
    assert absent.skipped


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
