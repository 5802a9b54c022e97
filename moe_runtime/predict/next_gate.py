"""The next layer's router, asked one layer early (Fate): it is given what this layer's experts are given. The residual
stream changes little from layer to layer, so most of its choices stand. For a model whose routers read the layer before
(Read-ME's pre-gating) the answer is not a guess.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from graphmem.moe_runtime.predict.usefulness import Guess

_FIRST_VOTE_KIND = 100


class NextGate:
    """Asks `router.forward`, not the module: a call would run hooks and record router logits twice. A router that does
    not answer `(logits, weights, ids)` for [T, H] is asked once and never again."""

    def __init__(self, router: Any) -> None:
        self._router = router
        self.exact = bool(getattr(router, "reads_previous_layer", False))
        self.broken = ""

    def guesses(self, hidden_states: torch.Tensor) -> list[Guess]:
        """Experts and kinds, likeliest first: of one token by rank, of several by votes. hidden_states is [T, H]."""
        if self.broken:
            return []
        try:
            ids = self._router.forward(hidden_states)[2]
            if ids.shape[0] == 1:
                return [(expert, rank) for rank, expert in enumerate(ids[0].tolist())]
            votes = Counter(ids.reshape(-1).tolist())
        except (TypeError, RuntimeError, IndexError, AttributeError, ValueError) as problem:
            self.broken = f"{type(self._router).__name__}: {problem}"
            return []
        return [(expert, _FIRST_VOTE_KIND + min(count, 4)) for expert, count in votes.most_common()]


def router_of(block: torch.nn.Module) -> Any | None:
    """The router beside the experts: `gate` or `router`; None when there is neither."""
    for name in ("gate", "router"):
        router = getattr(block, name, None)
        if isinstance(router, torch.nn.Module) and not isinstance(router, torch.nn.Linear):
            return router
    return None
