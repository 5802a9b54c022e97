"""Routing traces of any model whose experts classes use transformers' experts interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.profile.consistency import Trace

#: Tokens in one forward pass, with what came before them in the cache.
CHUNK = 256


def checkpoint(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a checkpoint folder, all in memory."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from graphmem.moe_runtime.refactor.model import register

    register()
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, experts_implementation="eager")
        return model.eval(), AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"is no model folder: {str(error)[:200]}", source=str(folder)) from error


def traced(model: Any, ids: list[int]) -> list[Trace]:
    """For each MoE layer, the experts of each token, in order: [T, k]. The text is read as one sequence."""
    import torch
    from transformers import DynamicCache

    kept: list[list[Any]] = [[] for _ in experts_modules(model)]
    cache = DynamicCache(config=model.config)
    with torch.no_grad(), listening(model, kept):
        for start in range(0, len(ids), CHUNK):
            chunk = torch.tensor([ids[start : start + CHUNK]])
            model(input_ids=chunk, cache=cache, use_cache=True, logits_to_keep=1)
    return [np.concatenate(layer) for layer in kept]


def experts_modules(model: Any) -> list[Any]:
    """The modules that `use_experts_implementation` decorated, in layer order."""
    found = [
        module for module in model.modules() if hasattr(module, "is_transposed") and hasattr(module, "num_experts")
    ]
    if not found:
        raise InputError("the model has no experts", hint="`graphmem moe refactorize` makes a dense model one that has")
    return found


@contextmanager
def listening(model: Any, kept: list[list[Any]]) -> Iterator[None]:
    def listener(into: list[Any]) -> Any:
        def listen(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            chosen = args[1] if len(args) > 1 else kwargs["top_k_index"]
            into.append(chosen.reshape(-1, chosen.shape[-1]).cpu().numpy().astype(np.int64))

        return listen

    hooks = [
        module.register_forward_pre_hook(listener(into), with_kwargs=True)
        for module, into in zip(experts_modules(model), kept, strict=True)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
