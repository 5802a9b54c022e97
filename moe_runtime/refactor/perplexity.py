"""Perplexity of a language model on rows of tokens."""

from __future__ import annotations

import math
from typing import Any

import torch


def perplexity(model: Any, rows: torch.Tensor) -> float:
    """exp of the mean loss of each row's tokens but its first; rows [R, T] are read apart from each other, in float32
    (weights are taken as they are)."""
    total = 0.0
    with torch.no_grad():
        for row in rows.split(1):
            logits = model(input_ids=row, use_cache=False).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum"))
    return math.exp(total / (rows.shape[0] * (rows.shape[1] - 1)))
