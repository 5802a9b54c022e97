"""A GGUF file as a dense Hugging Face folder: config, tokenizer, float32 weights.

transformers can read GGUF too, but only with accelerate installed, in 14 s; this takes 3 s and one tensor of memory
beyond the weights. Llama-shaped files only (`general.architecture` llama, qwen2, qwen3).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

#: GGUF's tensor names below `blk.N.`, and Hugging Face's below `model.layers.N.`.
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def gguf_to_folder(file: Path, folder: Path) -> None:
    """Writes `folder` (made if need be). Raises ValueError for an architecture that is not Llama-shaped."""
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(str(file.parent), gguf_file=file.name)
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    weights = gguf_weights(file, config)
    config.tie_word_embeddings = "lm_head.weight" not in weights
    config.architectures = [ARCHITECTURES[config.model_type]]
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_generation(folder, tokenizer)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def gguf_weights(file: Path, config: Any) -> dict[str, torch.Tensor]:
    """All weights in float32 by their Hugging Face names."""
    import numpy as np
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize

    if config.model_type not in ARCHITECTURES:
        raise ValueError(f"{file}: {config.model_type} is not one of {', '.join(ARCHITECTURES)}")
    weights = {}
    for tensor in GGUFReader(file).tensors:
        name = hf_name(tensor.name)
        if name is None:
            continue
        values = torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type), np.float32))
        values = values.reshape(tuple(int(n) for n in reversed(tensor.shape)))
        if config.model_type == "llama" and ".attn_q." in tensor.name:
            values = unpermuted(values, config.num_attention_heads)
        if config.model_type == "llama" and ".attn_k." in tensor.name:
            values = unpermuted(values, config.num_key_value_heads)
        weights[name] = values.contiguous()
    return weights


def hf_name(name: str) -> str | None:
    """Hugging Face's name of a GGUF tensor; None for tables that the config implies (rope factors)."""
    parts = name.split(".")
    if parts[0] == "blk" and parts[2] in LAYER_NAMES:
        return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}"
    return f"{TOP_NAMES[parts[0]]}.{parts[1]}" if parts[0] in TOP_NAMES else None


def unpermuted(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """GGUF keeps Llama's rotary halves interleaved; transformers wants them one after the other."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def write_generation(folder: Path, tokenizer: Any) -> None:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    ids["pad_token_id"] = tokenizer.pad_token_id
    (folder / "generation_config.json").write_text(json.dumps(ids, indent=2) + "\n", encoding="utf-8")
