"""A layer's router, asked early (Fate): on what the experts of the layer before are given, or later, on the residual
stream that lacks only the layer's attention. The residual stream changes little from layer to layer, so most of its
choices stand. For a model whose routers read the layer before (Read-ME's pre-gating) the answer is not a guess.
"""

from __future__ import annotations

from collections import Counter
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
        self._router, self._norm = router, norm
        self._choices: int | None = None
        self.exact = bool(getattr(router, "reads_previous_layer", False))
        self.broken = ""

    def guesses(self, hidden_states: torch.Tensor) -> list[Guess]:
        """Experts and kinds, likeliest first: of one token by margin, of several by votes. hidden_states is [T, H]."""
        if self.broken:
            return []
        try:
            logits, _, ids = self._router.forward(hidden_states)
            if ids.shape[0] == 1:
                return _by_margin(logits.reshape(-1), ids[0])
            votes = Counter(ids.reshape(-1).tolist())
        except (TypeError, RuntimeError, IndexError, AttributeError, ValueError) as problem:
            self.broken = f"{type(self._router).__name__}: {problem}"
            return []
        return [(expert, _FIRST_VOTE_KIND + min(count, 4)) for expert, count in votes.most_common()]

    def guesses_from(self, residual: torch.Tensor) -> list[Guess]:
        """Of one token, from what `norm` would be given, [1, H]. Where the norm only scales and the router only takes
        its largest logits, one product with the router's weights says the same in 24 us instead of 44."""
        if self._choices is None:
            self._choices = self._plain_choices(residual)
        if not self._choices:
            return self.guesses(self._norm.forward(residual))
        logits = linear(residual * self._norm.weight, self._router.weight)[0]
        return _by_margin(logits, logits.topk(self._choices).indices)

    def _plain_choices(self, residual: torch.Tensor) -> int:
        """How many experts the router chooses when it and the norm are of that plain kind, which is tried; else 0."""
        generator = torch.Generator().manual_seed(0)
        tried = torch.randn(_TRIED, residual.shape[-1], generator=generator).to(residual)
        try:
            ids = self._router.forward(self._norm.forward(tried))[2]
            logits = linear(tried * self._norm.weight, self._router.weight)
        except (TypeError, RuntimeError, IndexError, AttributeError, ValueError):
            return 0
        plain = logits.topk(ids.shape[1]).indices
        agreed = (ids.unsqueeze(1) == plain.unsqueeze(2)).any(dim=1).float().mean()
        return int(ids.shape[1]) if agreed > _AGREED else 0


def _by_margin(logits: torch.Tensor, ids: torch.Tensor) -> list[Guess]:
    """The margin of a choice is how far its logit lies above the best one not chosen, in standard deviations of the
    token's logits: what a small change of the input must overcome. In steps of a quarter."""
    scores, chosen = logits.tolist(), ids.tolist()
    if not all(map(isfinite, scores)):
        return []
    mean = sum(scores) / len(scores)
    spread = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5 or 1.0
    taken = set(chosen)
    bar = max((score for expert, score in enumerate(scores) if expert not in taken), default=mean)
    margins = {expert: (scores[expert] - bar) / spread for expert in chosen}
    kinds = {expert: max(0, min(_KINDS_OF_MARGIN, int(4 * margin))) for expert, margin in margins.items()}
    return sorted(kinds.items(), key=lambda guess: -guess[1])


def router_of(block: torch.nn.Module) -> Any | None:
    """The router beside the experts: `gate` or `router`; None when there is neither."""
    for name in ("gate", "router"):
        router = getattr(block, name, None)
        if isinstance(router, torch.nn.Module) and not isinstance(router, torch.nn.Linear):
            return router
    return None
