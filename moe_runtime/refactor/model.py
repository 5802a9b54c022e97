"""A dense Llama-shaped model whose feed-forward blocks became a shared part and routed experts (Read-ME).

The router of layer L reads the feed-forward input of layer L-1 (pre-gating): what layer L needs is known one layer
ahead, exactly, before its attention runs. Whoever applies layer L's `gate` to layer L-1's input, as next-gate
prefetching does, so predicts it without error. Layer 0 reads its own input. Chosen experts count with weight 1.

The experts class carries transformers' `use_experts_implementation`: every experts function that is registered there
runs it. Attention, norms and rotary embedding are transformers' own classes of the dense family. `register()` makes
the Auto classes know it.
"""

from __future__ import annotations

from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.activations import ACT2FN
from transformers.cache_utils import DynamicCache
from transformers.generation.utils import GenerationMixin
from transformers.integrations.moe import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRMSNorm, LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention

Routes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # logits [T, E], weights [T, k], expert ids [T, k]

ATTENTION: dict[str, type[nn.Module]] = {"llama": LlamaAttention, "qwen2": Qwen2Attention, "qwen3": Qwen3Attention}


@strict
class RefactoredLlamaConfig(LlamaConfig):
    """The dense model's fields (`attention` names its family), and how its feed-forward blocks were divided:
    intermediate_size = shared_intermediate_size + num_experts * moe_intermediate_size. `experts_per_layer` says how
    many of them a token uses in each layer; num_experts_per_tok is the most of them."""

    model_type = "refactored_llama"

    attention: str = "llama"
    num_experts: int = 16
    num_experts_per_tok: int = 8
    moe_intermediate_size: int = 48
    shared_intermediate_size: int = 768
    experts_per_layer: list[int] | None = None

    @property
    def active_share(self) -> float:
        """Share of the feed-forward weights that one token uses."""
        routed = sum(map(self.active_experts, range(self.num_hidden_layers))) / self.num_hidden_layers
        active = self.shared_intermediate_size + routed * self.moe_intermediate_size
        return float(active / self.intermediate_size)

    def active_experts(self, layer: int) -> int:
        return self.experts_per_layer[layer] if self.experts_per_layer else self.num_experts_per_tok


class RefactoredRouter(nn.Module):
    """Scores experts by a linear map; the k best count with weight 1."""

    #: The input that it is given is the layer before's: what that layer predicts from it is exact.
    reads_previous_layer = True

    def __init__(self, config: RefactoredLlamaConfig, layer_idx: int) -> None:
        super().__init__()
        self.top_k = config.active_experts(layer_idx)
        self.weight = nn.Parameter(torch.zeros(config.num_experts, config.hidden_size))
        self.bias = nn.Parameter(torch.zeros(config.num_experts))

    def forward(self, hidden_states: torch.Tensor) -> Routes:
        """For tokens in any leading shape [..., H]; ids come in ascending order, so that equal choices are equal."""
        flat = hidden_states.reshape(-1, hidden_states.shape[-1])
        logits = nn.functional.linear(flat, self.weight, self.bias)
        chosen = torch.topk(logits, self.top_k, dim=-1).indices.sort(dim=-1).values
        return logits, torch.ones_like(chosen, dtype=logits.dtype), chosen


@use_experts_implementation
class RefactoredExperts(nn.Module):
    """The routed neurons, in E groups: gate_up_proj [E, 2I, H], down_proj [E, H, I]."""

    def __init__(self, config: RefactoredLlamaConfig) -> None:
        super().__init__()
        width, hidden = config.moe_intermediate_size, config.hidden_size
        self.num_experts = config.num_experts
        self.gate_up_proj = nn.Parameter(torch.empty(self.num_experts, 2 * width, hidden))
        self.down_proj = nn.Parameter(torch.empty(self.num_experts, hidden, width))
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(
        self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
    ) -> torch.Tensor:
        """The reference ("eager"): experts in ascending order, each over its tokens, by place and then token as in
        transformers' own experts, so that sums round alike. hidden_states is [T, H]."""
        total = torch.zeros_like(hidden_states)
        for expert in torch.unique(top_k_index).tolist():
            place, token = torch.where(expert == top_k_index.T)
            gate, up = nn.functional.linear(hidden_states[token], self.gate_up_proj[expert]).chunk(2, dim=-1)
            out = nn.functional.linear(self.act_fn(gate) * up, self.down_proj[expert])
            out = out * top_k_weights[token, place, None]
            total.index_add_(0, token, out.to(total.dtype))
        return total


class SharedNeurons(nn.Module):
    """The neurons that every token uses."""

    def __init__(self, config: RefactoredLlamaConfig) -> None:
        super().__init__()
        width, hidden = config.shared_intermediate_size, config.hidden_size
        self.gate_proj = nn.Linear(hidden, width, bias=False)
        self.up_proj = nn.Linear(hidden, width, bias=False)
        self.down_proj = nn.Linear(width, hidden, bias=False)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        inner = self.act_fn(self.gate_proj(hidden_states)) * self.up_proj(hidden_states)
        out: torch.Tensor = self.down_proj(inner)
        return out


class RefactoredBlock(nn.Module):
    def __init__(self, config: RefactoredLlamaConfig, layer_idx: int) -> None:
        super().__init__()
        self.gate = RefactoredRouter(config, layer_idx)
        self.experts = RefactoredExperts(config)
        self.shared_expert = SharedNeurons(config)

    def forward(self, hidden_states: torch.Tensor, gate_input: torch.Tensor) -> torch.Tensor:
        _, weights, chosen = self.gate(gate_input)
        flat = hidden_states.reshape(-1, hidden_states.shape[-1])
        routed = self.experts(flat, chosen, weights).view_as(hidden_states)
        out: torch.Tensor = routed + self.shared_expert(hidden_states)
        return out


class RefactoredDecoderLayer(nn.Module):
    def __init__(self, config: RefactoredLlamaConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = ATTENTION[config.attention](config, layer_idx)
        self.mlp = RefactoredBlock(config, layer_idx)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self, hidden_states: torch.Tensor, gate_input: torch.Tensor | None, **attention: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The new hidden states, and this layer's feed-forward input: what the next layer's router reads."""
        mixed, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **attention)
        hidden_states = hidden_states + mixed
        inner = self.post_attention_layernorm(hidden_states)
        return hidden_states + self.mlp(inner, inner if gate_input is None else gate_input), inner


class RefactoredPreTrainedModel(PreTrainedModel):
    config: RefactoredLlamaConfig
    config_class = RefactoredLlamaConfig
    base_model_prefix = "model"
    _no_split_modules = ["RefactoredDecoderLayer"]  # noqa: RUF012 (a name that transformers reads)
    _skip_keys_device_placement = ["cache"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True


class RefactoredLlamaModel(RefactoredPreTrainedModel):
    def __init__(self, config: RefactoredLlamaConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(
            [RefactoredDecoderLayer(config, layer) for layer in range(config.num_hidden_layers)]
        )
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config=config)
        self.post_init()

    def forward(  # noqa: PLR0917 (the order that transformers calls it in)
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        hidden = inputs_embeds if inputs_embeds is not None else self.embed_tokens(input_ids)
        if cache is None and (use_cache if use_cache is not None else self.config.use_cache):
            cache = DynamicCache(config=self.config)
        if position_ids is None:
            seen = cache.get_seq_length() if cache is not None else 0
            position_ids = (torch.arange(hidden.shape[1], device=hidden.device) + seen).unsqueeze(0)
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden,
            attention_mask=attention_mask,
            cache=cache,
            position_ids=position_ids,
        )
        kwargs |= {"attention_mask": mask, "position_ids": position_ids, "cache": cache}
        kwargs["position_embeddings"] = self.rotary_emb(hidden, position_ids=position_ids)
        ahead = None
        for layer in self.layers:
            hidden, ahead = layer(hidden, ahead, **kwargs)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden), cache=cache)


class RefactoredLlamaForCausalLM(RefactoredPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: RefactoredLlamaConfig) -> None:
        super().__init__(config)
        self.model = RefactoredLlamaModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """`logits_to_keep`: of the last so many positions (0: all), or of the given ones, as transformers asks."""
        kwargs.pop("return_dict", None)
        inner = self.model(input_ids=input_ids, **kwargs)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(inner.last_hidden_state[:, kept, :])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.vocab_size)
        return CausalLMOutputWithPast(loss=loss, logits=logits, cache=inner.cache)


def register() -> None:
    """Makes transformers' Auto classes know the model; calling it again changes nothing."""
    AutoConfig.register(RefactoredLlamaConfig.model_type, RefactoredLlamaConfig, exist_ok=True)
    AutoModelForCausalLM.register(RefactoredLlamaConfig, RefactoredLlamaForCausalLM, exist_ok=True)
