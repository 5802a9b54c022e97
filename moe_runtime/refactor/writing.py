"""Text that the dense model writes, to calibrate and to train on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

#: Openings continued at once, and how they are sampled: a little sharper than the model, whose own tail is noise.
BATCH = 64
TEMPERATURE, TOP_P, TOP_K = 0.8, 0.95, 200


def written(
    dense: Any, tokenizer: Any, begun: Sequence[str], tokens: int, tick: Callable[[str, float], None]
) -> list[str]:
    """Each opening with what the model goes on with, `tokens` at most. Drawn from torch's own generator."""
    texts: list[str] = []
    for start in range(0, len(begun), BATCH):
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in begun[start : start + BATCH]]

        def told(share: float, start: int = start) -> None:
            tick("write", (start + BATCH * share) / max(len(begun), BATCH))

        texts += [tokenizer.decode(row) for row in continued(dense, ids, tokens, tokenizer.eos_token_id, told)]
    return texts


def continued(
    dense: Any, ids: list[list[int]], tokens: int, end: int | None, told: Callable[[float], None]
) -> list[list[int]]:
    """The token rows, each continued until `end` or for `tokens`. Padded on the left, as one batch."""
    from transformers import DynamicCache

    longest = max(map(len, ids))
    batch = torch.tensor([[0] * (longest - len(row)) + row for row in ids])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids])
    cache, out, ended = DynamicCache(config=dense.config), [list(row) for row in ids], [False] * len(ids)
    for step in range(tokens):
        places = (mask.cumsum(1) - 1).clamp_min(0)[:, -batch.shape[1] :]
        with torch.inference_mode():
            logits = dense(
                input_ids=batch, attention_mask=mask, position_ids=places, cache=cache, logits_to_keep=1
            ).logits[:, -1]
        drawn = sampled(logits.float())
        for row, token in enumerate(drawn.tolist()):
            if not ended[row]:
                out[row].append(token)
                ended[row] = token == end
        told((step + 1) / tokens)
        if all(ended):
            break
        batch, mask = drawn[:, None], torch.cat([mask, mask.new_ones(len(ids), 1)], dim=1)
    return out


def sampled(logits: torch.Tensor) -> torch.Tensor:
    best, order = (logits / TEMPERATURE).topk(min(TOP_K, logits.shape[1]), dim=-1)
    chances = best.softmax(-1)
    kept = chances * (chances.cumsum(-1) - chances < TOP_P)
    return order.gather(1, torch.multinomial(kept, 1))[:, 0]
