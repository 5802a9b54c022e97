"""From a dense model to a converted one that can be trained: divided, routed, refitted, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from graphmem.moe_runtime.refactor.allot import TOKENS, allotted, dropping_costs
from graphmem.moe_runtime.refactor.divide import divided
from graphmem.moe_runtime.refactor.fit import expert_norms, expert_outputs, fitted_router, refitted_down
from graphmem.moe_runtime.refactor.masked import MaskedBlock
from graphmem.moe_runtime.refactor.model import RefactoredLlamaConfig, RefactoredLlamaForCausalLM
from graphmem.moe_runtime.refactor.plan import Plan
from graphmem.moe_runtime.refactor.sensitivity import metrics

#: Every layer uses at least one of so many experts, whatever leaving them out seems to cost.
LEAST = 5
#: Every so many tokens are refitted on: the solution barely moves, the time halves.
REFIT_STEP = 2

Tick = Callable[[str, float], None]  # what is being done, and the share of it that is done


@dataclass(frozen=True, slots=True)
class Divided:
    """One layer's neurons by expert, its router, and what leaving experts out costs."""

    owner: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    costs: torch.Tensor


def student_of(dense: Any, config: RefactoredLlamaConfig, rows: torch.Tensor, plan: Plan, tick: Tick) -> Any:
    """A `RefactoredLlamaForCausalLM` with masked blocks, as near to `dense` as closed forms bring it. `config` is
    completed by the number of experts that each layer uses.

    `rows` [R, T] is the calibration text.
    """
    inputs = feed_forward_inputs(dense, rows, tick)
    roots = metrics(dense, rows[: plan.weigh_rows], tick)
    mlps = [layer.mlp for layer in dense.model.layers]
    parts = []
    for layer, mlp in enumerate(mlps):
        parts.append(divided_layer(mlp, roots[layer], inputs[layer], inputs[max(0, layer - 1)], config, plan.seed))
        tick("divide", (layer + 1) / len(mlps))
    least = min(config.num_experts // LEAST, int(plan.active))
    config.experts_per_layer = allotted([part.costs for part in parts], plan.active, max(1, least))
    config.num_experts_per_tok = max(config.experts_per_layer)
    student = RefactoredLlamaForCausalLM(config)
    student.load_state_dict(dense.state_dict(), strict=False)
    student.tie_weights()
    for layer, mlp in enumerate(mlps):
        gate = student.model.layers[layer].mlp.gate
        ahead = inputs[max(0, layer - 1)]
        student.model.layers[layer].mlp = refitted(mlp, gate, parts[layer], inputs[layer], ahead)
        tick("refit", (layer + 1) / len(mlps))
    return student.requires_grad_(True)


@torch.no_grad()
def divided_layer(  # noqa: PLR0917
    mlp: Any, root: torch.Tensor, inputs: torch.Tensor, ahead: torch.Tensor, config: RefactoredLlamaConfig, seed: int
) -> Divided:
    """`root` [H, H] is the metric of the block's output, `inputs` what it reads, `ahead` what its router reads: [N, H].
    Neurons and experts count by what they add in that metric."""
    inner, experts = activations(mlp, inputs), config.num_experts
    down = root @ mlp.down_proj.weight
    owner = divided(inner, down, config.shared_intermediate_size, experts, seed)
    weight, bias = fitted_router(ahead.float(), expert_norms(inner, down, owner, experts))
    step = max(1, len(inner) // TOKENS)
    scores = ahead[::step].float() @ weight.T + bias
    costs = dropping_costs(expert_outputs(inner[::step], down, owner, experts), scores)
    return Divided(owner, weight, bias, costs)


@torch.no_grad()
def refitted(mlp: Any, gate: Any, part: Divided, inputs: torch.Tensor, ahead: torch.Tensor) -> MaskedBlock:
    mlp = copy.deepcopy(mlp)
    gate.weight.copy_(part.weight)
    gate.bias.copy_(part.bias)
    block = MaskedBlock(mlp, gate, part.owner)
    inner, down = activations(mlp, inputs[::REFIT_STEP]), mlp.down_proj.weight
    logits, _, chosen = gate(ahead[::REFIT_STEP].float())
    masked = inner * block.mask(logits, chosen)
    mlp.down_proj.weight.copy_(refitted_down(masked, inner @ down.T, down))
    return block


def activations(mlp: Any, inputs: torch.Tensor) -> torch.Tensor:
    x = inputs.float()
    inner: torch.Tensor = mlp.act_fn(mlp.gate_proj(x)) * mlp.up_proj(x)
    return inner


def feed_forward_inputs(dense: Any, rows: torch.Tensor, tick: Tick) -> list[torch.Tensor]:
    """What each layer's feed-forward part reads on the text, in bfloat16: [R * T, H] a layer."""
    seen: list[list[torch.Tensor]] = [[] for _ in dense.model.layers]
    with kept_inputs(dense, seen), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for row in range(0, len(rows), 2):
            dense.model(rows[row : row + 2], use_cache=False)
            tick("read", min(1.0, (row + 2) / len(rows)))
    return [torch.cat(one) for one in seen]


@contextmanager
def kept_inputs(dense: Any, seen: list[list[torch.Tensor]]) -> Iterator[None]:
    def keeper(kept: list[torch.Tensor]) -> Callable[..., None]:
        def keep(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            kept.append(given[0].detach().reshape(-1, given[0].shape[-1]).to(torch.bfloat16))

        return keep

    hooks = [
        layer.mlp.register_forward_pre_hook(keeper(kept)) for layer, kept in zip(dense.model.layers, seen, strict=True)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
