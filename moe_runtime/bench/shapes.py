"""Random models to measure with, and tokens that repeat as those of real text do."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

# 1351 M parameters: 16 layers of 32 experts of 4.5 MiB, of which a token uses 4; 177 MiB beside them
LARGE: dict[str, Any] = {
    "vocab_size": 49152,
    "hidden_size": 1024,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "num_experts": 32,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 768,
    "intermediate_size": 2048,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "tie_word_embeddings": True,
    "max_position_embeddings": 4096,
}
TINY: dict[str, Any] = LARGE | {
    "vocab_size": 2048,
    "hidden_size": 256,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_experts": 16,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 192,
    "intermediate_size": 512,
}
# A random model's attention averages its context, so that neighbouring tokens choose alike. At 0.6 of its weight a
# cache of a quarter of the experts finds 0.59 of them (LRU), as with a trained model (0.57); at 1.0 0.87, at 0.3 0.29.
_ATTENTION = 0.6
SHAPES = {"tiny": TINY, "large": LARGE}


def make_checkpoint(shape: str, folder: Path) -> Path:
    """Saves a random Qwen3-MoE of the shape, bfloat16, seeded, its routing balanced; what is there already is kept."""
    if (folder / "config.json").is_file():
        return folder
    torch.manual_seed(0)
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model("qwen3_moe", **SHAPES[shape], **ends)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter.shape[-1] ** -0.5)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(_ATTENTION)
    _balance(model)
    model.save_pretrained(folder, max_shard_size="1GB")
    return folder


def _balance(model: Any) -> None:
    """Takes what all tokens have in common out of each router, as training for balance does. A random router follows
    that common direction: half the experts of a layer are never chosen, and any cache looks good."""

    def project(router: Any, given: tuple[torch.Tensor, ...]) -> None:
        common = given[0].reshape(-1, router.weight.shape[1]).float().mean(dim=0)
        weight = router.weight.data.float()
        router.weight.data.copy_(weight - torch.outer(weight @ common, common) / common.dot(common))

    hooks = [layer.mlp.gate.register_forward_pre_hook(project) for layer in model.model.layers]
    with torch.no_grad():
        model(torch.tensor([text_tokens(9_000, model.config.vocab_size)[-1024:]]), logits_to_keep=1)
    for hook in hooks:
        hook.remove()


def text_tokens(count: int, vocabulary: int) -> list[int]:
    """Token ids of English prose (Python's own reference topics): one word, one id. A random model fed with its own
    output falls into a loop, whose few experts would be found in any cache."""
    from pydoc_data import topics

    words = re.findall(r"[A-Za-z]+", " ".join(topics.topics[name] for name in sorted(topics.topics)))
    return [3 + zlib.crc32(word.encode()) % (vocabulary - 3) for word in words[:count]]
