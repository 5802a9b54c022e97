"""Who computes what, in which order. Plain values; tensors only carry the ids.

Sums are made in ascending order of experts, as transformers' eager code does, in whatever order the experts are
computed: floating-point addition is not associative, and equal order is what makes logits equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

WIDE = 16  # tokens from which most experts of a layer are wanted, layer after layer


def choices_of_one(ids: list[int], experts: int) -> dict[int, int] | None:
    """Expert -> its place among the token's choices, experts ascending. Ids past the last expert are masks: left out.
    None when an expert is named twice."""
    pairs = sorted((expert, place) for place, expert in enumerate(ids) if expert < experts)
    places = dict(pairs)
    return places if len(places) == len(pairs) else None


def choices_of_many(ids: torch.Tensor, experts: int) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    """Expert -> (tokens, places), experts ascending; ids is [T, k]. One stable sort for the layer instead of a search
    for each expert; the order within an expert (by place, then token) is that of transformers' `torch.where`."""
    tokens = ids.shape[0]
    flat = ids.t().reshape(-1)
    order = torch.argsort(flat, stable=True)
    counts = torch.bincount(flat, minlength=experts)[:experts].tolist()
    token, place = order % tokens, torch.div(order, tokens, rounding_mode="floor")
    found, start = {}, 0
    for expert, count in enumerate(counts):
        if count:
            found[expert] = (token[start : start + count], place[start : start + count])
            start += count
    return found


class InOrder:
    """Adds parts in ascending order of experts, keeping those that come early."""

    def __init__(self, experts: list[int], add: Callable[[int, torch.Tensor], None]) -> None:
        self._due, self._next, self._add = experts, 0, add
        self._early: dict[int, torch.Tensor] = {}

    def put(self, expert: int, part: torch.Tensor) -> None:
        self._early[expert] = part
        while self._next < len(self._due) and self._due[self._next] in self._early:
            due = self._due[self._next]
            self._add(due, self._early.pop(due))
            self._next += 1
