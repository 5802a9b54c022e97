"""Tiny random models of the families that the engine promises, saved as checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

BASE: dict[str, Any] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_DEEPSEEK = {
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
    "intermediate_size": 96,
    "n_group": 2,
    "topk_group": 1,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 32,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 16,
    "num_key_value_heads": 4,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3_moe": {
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "intermediate_size": 96,
        "head_dim": 16,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
    },
    "qwen2_moe": {
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "shared_expert_intermediate_size": 64,
        "intermediate_size": 96,
        "decoder_sparse_step": 2,
    },
    "mixtral": {"num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 96},
    "olmoe": {"num_experts": 8, "num_experts_per_tok": 3, "intermediate_size": 48},
    "deepseek_v3": _DEEPSEEK,
    "gpt_oss": {"num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 48, "head_dim": 16},
}
_DEEPSEEK_V2 = {**_DEEPSEEK, "topk_method": "group_limited_greedy"}
MORE_FAMILIES: dict[str, dict[str, Any]] = {
    "deepseek_v2": _DEEPSEEK_V2,
    "glm4_moe": {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "intermediate_size": 96,
        "n_group": 2,
        "topk_group": 1,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "head_dim": 16,
    },
    "granitemoe": {"num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 48},
    "phimoe": {"num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 48},
    "flex_olmo": {"num_experts": 8, "num_experts_per_tok": 3, "intermediate_size": 48},
    "dots1": {
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "intermediate_size": 96,
        "n_group": 2,
        "topk_group": 1,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "head_dim": 16,
    },
    "ernie4_5_moe": {
        "moe_num_experts": 8,
        "moe_k": 2,
        "moe_intermediate_size": 48,
        "intermediate_size": 96,
        "moe_num_shared_experts": 1,
        "moe_layer_start_index": 1,
        "moe_layer_interval": 1,
        "moe_layer_end_index": 3,
    },
    "minimax_m2": {"num_local_experts": 8, "num_experts_per_tok": 2, "intermediate_size": 48, "head_dim": 16},
}


def lively_model(family: str, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    """Seeded. Weights are larger than transformers' 0.02, so that a wrong one shows in the logits."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**BASE, **{**FAMILIES, **MORE_FAMILIES}.get(family, {}), **changes})
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, experts_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter.shape[-1] ** -0.5)
    return model


def checkpoint(folder: Path, family: str = "qwen3_moe", dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    lively_model(family, dtype, **changes).save_pretrained(folder)
    return folder


def prompt(batch: int = 1, length: int = 33, vocabulary: int = 256) -> torch.Tensor:
    return torch.randint(3, vocabulary, (batch, length), generator=torch.Generator().manual_seed(length))


def save_tokenizer(folder: Path) -> None:
    """One token a byte, with a chat template."""
    tokenizer = Tokenizer(BPE(vocab={token: i for i, token in enumerate(_vocabulary())}, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    fast.save_pretrained(folder)


def _vocabulary() -> list[str]:
    return ["<pad>", "<bos>", "<eos>", *sorted(ByteLevel.alphabet())[:253]]
