"""llama.cpp beside the engine: the same weights as a GGUF file, measured by its own llama-bench where there is one.

llama.cpp maps the file and lets the kernel keep it: on a machine with room for the model this is its speed with all
weights in memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from graphmem.moe_runtime.errors import MoeError
from graphmem.moe_runtime.refactor.dequantize import LAYER_NAMES, TOP_NAMES

FAMILY = "qwen3_moe"  # what the shapes of the bench are
ROUNDS = 3
_LIMIT_S = 1_800

#: As `LAYER_NAMES`; the feed-forward part is a router and, in one tensor each, the matrices of all experts of a layer.
LAYER = {name: source for name, source in LAYER_NAMES.items() if not source.startswith("mlp.")}
LAYER["ffn_gate_inp"] = "mlp.gate"
EXPERTS = {"ffn_gate_exps": "gate_proj", "ffn_up_exps": "up_proj", "ffn_down_exps": "down_proj"}
#: llama.cpp wants norms and routers in float32.
_FLOAT32 = ("norm", "ffn_gate_inp")


def speeds(
    checkpoint: Path, scratch: Path, *, prompts: Sequence[int], tokens: int, threads: int
) -> dict[str, float] | str:
    """Tokens a second: "decode", and "prefill N" for each prompt length; or why there are none. O(weights) disk."""
    bench = shutil.which("llama-bench")
    if bench is None:
        return "llama-bench is not installed"
    family = json.loads((checkpoint / "config.json").read_text())["model_type"]
    if family != FAMILY:
        return f"the bench writes GGUF files of {FAMILY} alone, not of {family}"
    file = write_gguf(checkpoint, scratch / "model.gguf")
    try:
        return measured(bench, file, prompts=prompts, tokens=tokens, threads=threads)
    finally:
        file.unlink()


def measured(bench: str, file: Path, *, prompts: Sequence[int], tokens: int, threads: int) -> dict[str, float]:
    """Runs llama-bench on the processor alone. Raises MoeError with the end of what it said when it fails."""
    lengths = ",".join(map(str, prompts))
    sizes = ["-p", lengths, "-n", str(tokens), "-r", str(ROUNDS), "-t", str(threads)]
    command = [bench, "-m", str(file), "-ngl", "0", "-o", "json", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        raise MoeError(f"llama-bench failed: {done.stderr.strip()[-800:]}")
    runs = json.loads(done.stdout)
    return {f"prefill {run['n_prompt']}" if run["n_prompt"] else "decode": float(run["avg_ts"]) for run in runs}


def write_gguf(checkpoint: Path, file: Path) -> Path:
    """The checkpoint's weights as they are, without a vocabulary; one tensor of memory beside them."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from transformers import AutoConfig

    config, weights = AutoConfig.from_pretrained(checkpoint), _Weights(checkpoint)
    writer = GGUFWriter(str(file), "qwen3moe")
    _describe(writer, config)
    tensors = list(_tensors(config, weights))
    for name, sources in tensors:
        shape = weights.shape(sources[0]) if len(sources) == 1 else [len(sources), *weights.shape(sources[0])]
        dtype, kind = ("float32", "F32") if _is_float32(name) else ("uint16", "BF16")
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        writer.add_tensor_info(name, shape, np.dtype(dtype), size, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, sources in tensors:
        writer.write_tensor_data(weights.read(sources, _is_float32(name)))
    writer.close()
    return file


def _describe(writer: Any, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    writer.add_expert_count(config.num_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("none")


def _tensors(config: Any, weights: _Weights) -> Iterator[tuple[str, list[str]]]:
    """GGUF's tensors, and the checkpoint's that each is made of: one, or those of all experts of a layer."""
    for name, source in TOP_NAMES.items():
        if f"{source}.weight" in weights:  # tied embeddings are no tensor of their own
            yield f"{name}.weight", [f"{source}.weight"]
    for layer in range(config.num_hidden_layers):
        above = f"model.layers.{layer}"
        for name, source in LAYER.items():
            yield f"blk.{layer}.{name}.weight", [f"{above}.{source}.weight"]
        for name, source in EXPERTS.items():
            experts = range(config.num_experts)
            yield f"blk.{layer}.{name}.weight", [f"{above}.mlp.experts.{e}.{source}.weight" for e in experts]


def _is_float32(name: str) -> bool:
    return any(part in name for part in _FLOAT32)


class _Weights:
    """The tensors of a folder of safetensors files, by name."""

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open

        files: list[Any] = [safe_open(path, framework="pt") for path in sorted(folder.glob("*.safetensors"))]
        self._file = {name: file for file in files for name in file.keys()}  # noqa: SIM118 no mapping

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def shape(self, name: str) -> list[int]:
        return list(self._file[name].get_slice(name).get_shape())

    def read(self, names: Sequence[str], float32: bool) -> npt.NDArray[Any]:
        """One tensor, or several stacked: float32, or the bits of bfloat16."""
        found = [self._file[name].get_tensor(name) for name in names]
        tensor = found[0] if len(found) == 1 else torch.stack(found)
        if float32:
            return np.ascontiguousarray(tensor.float().numpy())
        return np.ascontiguousarray(tensor.to(torch.bfloat16).view(torch.int16).numpy()).view(np.uint16)
