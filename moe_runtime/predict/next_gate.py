"""A layer's router, asked early (Fate): on what the experts of the layer before are given, or later, on the residual
stream that lacks only the layer's attention. The residual stream changes little from layer to layer, so most of its
choices stand. For a model whose routers read the layer before (Read-ME's pre-gating) the answer is not a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import isfinite
from typing import Any

import torch
from torch.nn.functional import linear

from graphmem.moe_runtime.predict.usefulness import Guess

_KINDS_OF_MARGIN = 12
_TRIED = 16
_AGREED = 0.95  # equal but for near ties, which rounding decides
_FIRST_VOTE_KIND = 100


class NextGate:
    """Asks `router.forward`, not the module: a call would run hooks and record router logits twice. A router that does
    not answer `(logits, weights, ids)` for [T, H] is asked once and never again. `norm` stands between the residual
    stream and the router."""

    def __init__(self, router: Any, norm: Any = None) -> None:
        self._router, self.norm = router, norm
        self.exact = bool(getattr(router, "reads_previous_layer", False))
        self.broken = ""

    def guesses(self, hidden_states: torch.Tensor) -> list[Guess]:
        """Experts and kinds, likeliest first: of one token by margin, of several by votes. hidden_states is [T, H]."""
        if self.broken:
            return []
        try:
            logits, _, ids = self._router.forward(hidden_states)
            if ids.shape[0] == 1:
                return by_margin(logits.reshape(-1).tolist(), chosen=ids[0].tolist())
            votes = Counter(ids.reshape(-1).tolist())
        except (TypeError, RuntimeError, IndexError, AttributeError, ValueError) as problem:
            self.broken = f"{type(self._router).__name__}: {problem}"
            return []
        return [(expert, _FIRST_VOTE_KIND + min(count, 4)) for expert, count in votes.most_common()]

    def plain_choices(self) -> int:
        """How many experts the router chooses when the norm only scales and the router only takes its largest logits,
        so that `folded` says the same; that is tried. Else 0."""
        generator = torch.Generator().manual_seed(0)
        try:
            weights = self.folded()
            tried = torch.randn(_TRIED, weights.shape[-1], generator=generator).to(weights)
            ids = self._router.forward(self.norm.forward(tried))[2]
            plain = linear(tried, weights).topk(ids.shape[1]).indices
        except (TypeError, RuntimeError, IndexError, AttributeError, ValueError):
            return 0
        agreed = (ids.unsqueeze(1) == plain.unsqueeze(2)).any(dim=1).float().mean()
        return int(ids.shape[1]) if agreed > _AGREED else 0

    def folded(self) -> torch.Tensor:
        """[E, H]: the norm's weights in the router's. With it the logits of a token come but for a common factor."""
        weights: torch.Tensor = (self._router.weight * self.norm.weight).to(self.norm.weight.dtype)
        return weights.detach()


def by_margin(logits: list[float], choices: int = 0, *, chosen: Collection[int] = ()) -> list[Guess]:
    """The `chosen` experts, else those of the largest `choices` logits, the surest first. O(E log E).

    The margin of a choice is how far its logit lies above the best one not chosen: what a small change of the input
    must overcome. It is counted in sixteenths of the range of the token's logits."""
    order = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)
    chosen = chosen or order[:choices]
    most, least = logits[order[0]], logits[order[-1]]
    if not isfinite(most - least):
        return []
    bar = next((logits[expert] for expert in order if expert not in chosen), least)
    scale = 16 / (most - least or 1.0)
    kinds = [(expert, max(0, min(_KINDS_OF_MARGIN, int(scale * (logits[expert] - bar))))) for expert in chosen]
    return sorted(kinds, key=lambda guess: -guess[1])


def router_of(block: torch.nn.Module) -> Any | None:
    """The router beside the experts: `gate` or `router`; None when there is neither."""
    for name in ("gate", "router"):
        router = getattr(block, name, None)
        if isinstance(router, torch.nn.Module) and not isinstance(router, torch.nn.Linear):
            return router
    return None
