"""A short distillation: the converted model learns the dense model's next-token distribution and hidden states."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

Tick = Callable[[str, float], None]  # what is being done, and the share of it that is done

#: Rows of text in a step, peak learning rate, weight of the hidden states' distance beside the divergence.
ROWS = 2
RATE = 3e-4
HIDDEN = 1.0
#: Every so many positions has its distribution compared: the output layer is a fifth of a small model's work.
STRIDE = 2


def distilled(student: Any, dense: Any, rows: torch.Tensor, *, tick: Tick) -> None:
    """Trains `student` in place, one pass over `rows` [R, T]. Embeddings and output layer stay as they are."""
    for parameter in student.model.embed_tokens.parameters():
        parameter.requires_grad_(False)
    learned = [parameter for parameter in student.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
    steps = len(rows) // ROWS
    student.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * pace(step, steps)
        loss = divergence(student, dense, rows[step * ROWS : (step + 1) * ROWS])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        tick("distil", (step + 1) / steps)
    student.eval()


def divergence(student: Any, dense: Any, rows: torch.Tensor) -> torch.Tensor:
    """KL divergence of the student's next-token distribution from the dense one's, and how far its residual stream
    lies from the dense one after each layer, relative to that one's size."""
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            wanted, states = traced(dense, rows)
        given, mine = traced(student, rows)
    near = sum(
        (ours.float() - theirs.float()).pow(2).mean() / theirs.float().pow(2).mean()
        for ours, theirs in zip(mine, states, strict=True)
    )
    kl = torch.nn.functional.kl_div(
        given.float().log_softmax(-1), wanted.float().log_softmax(-1), reduction="batchmean", log_target=True
    )
    return kl + HIDDEN * near / len(states)


def traced(model: Any, rows: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits of every STRIDE-th position [N, V], and the residual stream after each layer."""
    states: list[torch.Tensor] = []

    def keep(_: Any, __: Any, out: Any) -> None:
        states.append(out[0] if isinstance(out, tuple) else out)

    hooks = [layer.register_forward_hook(keep) for layer in model.model.layers]
    try:
        hidden = model.model(input_ids=rows, use_cache=False).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    return model.lm_head(hidden[:, ::STRIDE]).flatten(0, 1), states


def pace(step: int, steps: int) -> float:
    """The learning rate's course: a short rise, then a cosine to a twentieth."""
    warm = max(1, steps // 12)
    if step < warm:
        return (step + 1) / warm
    return 0.05 + 0.475 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
