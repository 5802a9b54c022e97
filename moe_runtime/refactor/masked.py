"""The feed-forward block while it is being converted: dense weights, whose unchosen neurons are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from graphmem.moe_runtime.refactor.model import RefactoredBlock, RefactoredRouter

#: How softly the gradient sees the choice of experts: the width of a sigmoid, in standard deviations of the scores.
SOFTNESS = 0.5


class MaskedBlock(nn.Module):
    """Computes what `RefactoredBlock` computes, all neurons at once, so that it can be trained.

    `owner` [I] names each neuron's expert; E stands for the shared part. The choice of experts is hard in the forward
    pass; in the backward pass it is a sigmoid around the threshold (straight-through), so that the router learns.
    """

    owner: torch.Tensor

    def __init__(self, dense: Any, gate: RefactoredRouter, owner: torch.Tensor) -> None:
        super().__init__()
        self.gate_proj: nn.Linear = dense.gate_proj
        self.up_proj: nn.Linear = dense.up_proj
        self.down_proj: nn.Linear = dense.down_proj
        self.act_fn, self.gate = dense.act_fn, gate
        self.register_buffer("owner", owner)

    def forward(self, hidden_states: torch.Tensor, gate_input: torch.Tensor) -> torch.Tensor:
        inner = self.act_fn(self.gate_proj(hidden_states)) * self.up_proj(hidden_states)
        logits, _, chosen = self.gate(gate_input)
        out: torch.Tensor = self.down_proj(inner * self.mask(logits.float(), chosen).view_as(inner).to(inner.dtype))
        return out

    def mask(self, logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """1 for the neurons in use: [T, I]."""
        use = torch.zeros_like(logits).scatter_(1, chosen, 1.0)
        if logits.requires_grad and self.gate.top_k < logits.shape[1]:
            best = logits.topk(self.gate.top_k + 1, dim=-1).values
            soft = torch.sigmoid((logits - best[:, -2:].mean(dim=-1, keepdim=True)) / SOFTNESS)
            use = use + soft - soft.detach()
        return torch.cat([use, use.new_ones(len(use), 1)], dim=1)[:, self.owner]

    def into(self, block: RefactoredBlock) -> None:
        """Copies the weights into the shared part and the experts of a block."""
        experts = block.experts.num_experts
        order = [torch.nonzero(self.owner == expert).view(-1) for expert in range(experts + 1)]
        gate, up, down = self.gate_proj.weight, self.up_proj.weight, self.down_proj.weight
        with torch.no_grad():
            for expert, rows in enumerate(order[:-1]):
                block.experts.gate_up_proj[expert] = torch.cat([gate[rows], up[rows]])
                block.experts.down_proj[expert] = down[:, rows]
            block.shared_expert.gate_proj.weight.copy_(gate[order[-1]])
            block.shared_expert.up_proj.weight.copy_(up[order[-1]])
            block.shared_expert.down_proj.weight.copy_(down[:, order[-1]])
            block.gate.load_state_dict(self.gate.state_dict())
