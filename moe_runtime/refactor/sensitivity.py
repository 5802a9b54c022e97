"""What an error in a feed-forward block's output costs: the Fisher metric of each layer's output space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def metrics(dense: Any, rows: torch.Tensor, tick: Callable[[str, float], None]) -> list[torch.Tensor]:
    """For each layer the root [H, H] of F = E[g g'], g the gradient of the log-likelihood of text drawn from the model
    itself by the block's output at one token. An error d there moves the distribution of all later tokens by
    KL = d' F d / 2 = |root d|^2 / 2, to second order. One backward pass over `rows` [R, T]."""
    hidden = dense.config.hidden_size
    sums = [torch.zeros(hidden, hidden) for _ in dense.model.layers]
    dense.requires_grad_(False)
    with squared_gradients(dense, sums):
        for row in range(len(rows)):
            embedded = dense.model.embed_tokens(rows[row : row + 1]).requires_grad_()
            with torch.autocast("cpu", torch.bfloat16):
                logits = dense(inputs_embeds=embedded, use_cache=False).logits[0]
            drawn = torch.multinomial(logits.detach().float().softmax(-1), 1)[:, 0]
            torch.nn.functional.cross_entropy(logits.float(), drawn, reduction="sum").backward()
            tick("weigh", (row + 1) / len(rows))
    return [root(total / rows.numel()) for total in sums]


@contextmanager
def squared_gradients(dense: Any, sums: list[torch.Tensor]) -> Iterator[None]:
    def adder(total: torch.Tensor) -> Callable[..., None]:
        def add(_: Any, __: Any, gradients: tuple[torch.Tensor, ...]) -> None:
            flat = gradients[0].reshape(-1, gradients[0].shape[-1]).float()
            total.add_(flat.T @ flat)

        return add

    hooks = [
        layer.mlp.register_full_backward_hook(adder(total))
        for layer, total in zip(dense.model.layers, sums, strict=True)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def root(square: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(square)
    found: torch.Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return found
