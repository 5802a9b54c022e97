"""The experts function that transformers calls: the one place where the model and the cache meet.

Registered as `graphmem_offload` in transformers' experts interface; `module` is the model's own experts module, whose
weights stay on the meta device. The arithmetic is that of transformers' eager code, operation by operation.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.nn.functional import linear
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from graphmem.moe_runtime.cache.counters import Counters
from graphmem.moe_runtime.cache.policy import Expert
from graphmem.moe_runtime.engine.foresight import Foresight
from graphmem.moe_runtime.engine.schedule import WIDE, InOrder, choices_of_many, choices_of_one

IMPLEMENTATION = "graphmem_offload"


class Experts(Protocol):
    """What the hook needs of a cache."""

    counters: Counters

    def begin(self, layer: int, wanted: Any, wide: bool) -> list[int]: ...
    def foresee(self, keys: Any) -> None: ...
    def take(self, key: Expert) -> Any: ...
    def complete(self, key: Expert) -> None: ...
    def release(self, key: Expert) -> None: ...
    def reset(self) -> None: ...


class OffloadedLayer:
    """Runs one experts module from the cache."""

    def __init__(self, module: Any, layer: int, cache: Experts, names: list[str], foresight: Foresight | None) -> None:
        self.layer, self.cache, self.foresight = layer, cache, foresight
        self._module, self._experts = module, int(module.num_experts)
        first = "gate_up_proj" if module.has_gate else "up_proj"
        self._first, self._second = names.index(first), names.index("down_proj")
        if module.has_bias:
            self._first_bias, self._second_bias = names.index(f"{first}_bias"), names.index("down_proj_bias")

    def run(self, hidden_states: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """hidden_states [T, H], ids and weights [T, k]; returns [T, H]."""
        try:
            if ids.shape[0] == 1:
                places = choices_of_one(ids[0].tolist(), self._experts)
                if places is not None:
                    return self._one(hidden_states, places, weights)
            return self._many(hidden_states, ids, weights)
        except BaseException:
            self.cache.reset()
            raise

    def _one(self, hidden_states: torch.Tensor, places: dict[int, int], weights: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(hidden_states)

        def add(_: int, part: torch.Tensor) -> None:
            total.add_(part)

        sums = InOrder(list(places), add)
        for expert in self._begin(list(places), hidden_states, wide=False):
            place = places[expert]
            out = self._compute(expert, hidden_states)
            sums.put(expert, (out * weights[:, place : place + 1]).to(total.dtype))
        return total

    def _many(self, hidden_states: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        choices = choices_of_many(ids, self._experts)
        total = torch.zeros_like(hidden_states)

        def add(expert: int, part: torch.Tensor) -> None:
            total.index_add_(0, choices[expert][0], part)

        sums = InOrder(list(choices), add)
        for expert in self._begin(list(choices), hidden_states, wide=ids.shape[0] >= WIDE):
            token, place = choices[expert]
            out = self._compute(expert, hidden_states[token])
            sums.put(expert, (out * weights[token, place, None]).to(total.dtype))
        return total

    def _begin(self, wanted: list[int], hidden_states: torch.Tensor, wide: bool) -> list[int]:
        foresight = self.foresight
        if foresight is not None:
            foresight.compare(self.layer, set(wanted))
        order = self.cache.begin(self.layer, wanted, wide)
        if foresight is not None:
            foresight.look(self.layer + 1, hidden_states)
        return order

    def _compute(self, expert: int, x: torch.Tensor) -> torch.Tensor:
        module, key = self._module, (self.layer, expert)
        tensors = self.cache.take(key)
        multiply = torch.matmul if module.is_transposed else linear
        hidden = multiply(x, tensors[self._first])
        if module.has_bias:
            hidden = hidden + tensors[self._first_bias]
        hidden = module._apply_gate(hidden) if module.has_gate else module.act_fn(hidden)
        self.cache.complete(key)
        hidden = multiply(hidden, tensors[self._second])
        if module.has_bias:
            hidden = hidden + tensors[self._second_bias]
        if module.has_post_expert_norm:
            hidden = module.post_expert_norm(hidden)
        self.cache.release(key)
        return hidden


def offloaded_experts(
    module: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    out: torch.Tensor = module._offloaded.run(hidden_states, top_k_index, top_k_weights)
    return out


def register() -> None:
    ALL_EXPERTS_FUNCTIONS.register(IMPLEMENTATION, offloaded_experts)
