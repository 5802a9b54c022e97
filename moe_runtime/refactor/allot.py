"""How many experts a token uses in each layer: where leaving some out costs most, more are used."""

from __future__ import annotations

from collections.abc import Sequence

import torch

#: Tokens that a layer's cost is estimated on.
TOKENS = 1024


def dropping_costs(outputs: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """What it costs to use the k best-scored experts only, for k = 0..E: [E + 1], in nats of KL divergence.

    `outputs` [T, E, H] are the experts' outputs in the Fisher metric, `scores` [T, E] the router's.
    """
    order = scores.argsort(dim=1)  # the worst first: left out first
    taken = outputs.gather(1, order[:, :, None].expand_as(outputs)).cumsum(dim=1)
    costs = taken.pow(2).sum(dim=2).mean(dim=0) / 2
    return torch.cat([costs.flip(0), costs.new_zeros(1)])


def allotted(costs: Sequence[torch.Tensor], active: float, least: int) -> list[int]:
    """Experts to use in each layer, `active` on average and `least` anywhere, at the least total cost: always the
    step next that saves most an expert (over the lower convex hull, so that a flat start hides no drop behind it)."""
    experts = len(costs[0]) - 1
    given = [least] * len(costs)
    left = round(active * len(costs)) - sum(given)
    while left > 0:
        gains = [
            best_step(cost.tolist(), have, min(experts, have + left)) for cost, have in zip(costs, given, strict=True)
        ]
        layer = max(range(len(costs)), key=lambda one: gains[one][0])
        step = gains[layer][1]
        if step == 0:
            break
        given[layer] += step
        left -= step
    return given


def best_step(cost: Sequence[float], have: int, most: int) -> tuple[float, int]:
    """The largest saving an expert that adding experts brings, and how many to add for it; (-1, 0) at the top."""
    steps = [((cost[have] - cost[to]) / (to - have), to - have) for to in range(have + 1, most + 1)]
    return max(steps, default=(-1.0, 0))
