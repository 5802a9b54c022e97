"""What routers are going to choose for a single token, guessed where a decoder layer begins, before its attention has
been computed: the residual stream as it is, plus what usually is added to it on the way to the router. Attention looks
at nearly the same context for one token as for the one before, so what it adds often changes slowly.

`InLogits` adds in the space of the router's logits: with the norm's weights folded into the router's, a look at this
layer's router and at the next one's is one product. `InStream` adds to the residual stream, for routers whose choice
is more than their largest logits.

Of the guesses about experts that are not in memory are right, for the random 1.35-billion-parameter shape and for
train-tiny on source code and on dialogue: this layer's 0.92, 0.87, 0.84; the next layer's, where clearly chosen, 0.85,
0.86, 0.84 (these name 0.25 to 0.4 of what is wanted). Without what usually is added this layer's are 0.50, 0.59, 0.71.
"""

from __future__ import annotations

from functools import cached_property
from math import isfinite
from typing import Any, Protocol

import torch
from torch.nn.functional import linear

from graphmem.moe_runtime.predict.next_gate import NextGate, by_margin
from graphmem.moe_runtime.predict.usefulness import Guess

_NEWEST, _OLDER = 0.3, 0.7  # weights in the running means; between 0.1 and 1 little changes
NEXT_LAYER_KIND = 20  # guesses about the next layer are kinds of their own


class Outlook(Protocol):
    """Of one MoE layer. `begin` is given the hidden_states [B, T, H] that enter the decoder layer, `end` the residual
    stream before the norm of the experts; both look at the last token of the first sequence. `guesses`, between the
    two, are about the layers that can be seen, the most pressing layer first. O(hidden * experts); never reset: after
    a change of text the means follow within a few tokens."""

    def begin(self, hidden_states: torch.Tensor) -> None: ...
    def guesses(self) -> list[tuple[int, list[Guess]]]: ...
    def end(self, residual: torch.Tensor) -> None: ...


class _Usual:
    """The running mean of what one router's logits change by between two looks at them. Plain lists: for so few numbers
    and caches as cold as they are between two layers, any array library takes two to four times as long."""

    def __init__(self) -> None:
        self._seen: list[float] | None = None
        self._change: list[float] | None = None

    def see(self, now: list[float]) -> None:
        self._seen = now

    def expected(self) -> list[float]:
        if self._seen is None or self._change is None:
            return self._seen or []
        return [now + change for now, change in zip(self._seen, self._change, strict=True)]

    def learn(self, later: list[float]) -> None:
        if self._seen is None:
            return
        new = [now - before for now, before in zip(later, self._seen, strict=True)]
        old, self._seen = self._change or new, None
        if not isfinite(sum(new)):
            return  # would stay for ever
        self._change = [_OLDER * was + _NEWEST * now for was, now in zip(old, new, strict=True)]


class InLogits:
    """`before`: the outlook of the MoE layer before this one, which then looks at this layer's router as well."""

    def __init__(self, layer: int, gate: NextGate, choices: int, before: InLogits | None) -> None:
        self._layer, self._gate, self._choices, self._before = layer, gate, choices, before
        self._after: InLogits | None = None
        self._own, self._next = _Usual(), _Usual()
        if before is not None:
            before._after = self

    @cached_property
    def _own_weights(self) -> torch.Tensor:
        return self._gate.folded()

    @cached_property
    def _weights(self) -> torch.Tensor:
        """Of this layer's router, above those of the next one's."""
        after = self._after
        return self._own_weights if after is None else torch.cat([self._own_weights, after._own_weights])

    def begin(self, hidden_states: torch.Tensor) -> None:
        seen, experts = _product(self._weights, hidden_states), len(self._own_weights)
        self._own.see(seen[:experts])
        self._next.see(seen[experts:])

    def guesses(self) -> list[tuple[int, list[Guess]]]:
        found = [(self._layer, by_margin(self._own.expected(), self._choices))]
        if self._after is not None:
            guesses = by_margin(self._next.expected(), self._after._choices)
            clear = [(expert, NEXT_LAYER_KIND + kind) for expert, kind in guesses if kind > 0]
            found.append((self._layer + 1, clear))
        return found

    def end(self, residual: torch.Tensor) -> None:
        logits = _product(self._own_weights, residual)
        self._own.learn(logits)
        if self._before is not None:
            self._before._next.learn(logits)


def _product(weights: torch.Tensor, hidden_states: torch.Tensor) -> list[float]:
    """weights [E, H], hidden_states [B, T, H]: the logits of the first sequence's last token, but for a factor."""
    if hidden_states.numel() != hidden_states.shape[-1]:
        hidden_states = hidden_states[0, -1:]
    found: list[float] = linear(hidden_states, weights).flatten().tolist()
    return found


class InStream:
    def __init__(self, layer: int, gate: NextGate) -> None:
        self._layer, self._gate = layer, gate
        self._before: Any = None
        self._usual: Any = None

    def begin(self, hidden_states: torch.Tensor) -> None:
        self._before = hidden_states[0, -1:]

    def guesses(self) -> list[tuple[int, list[Guess]]]:
        expected = self._before if self._usual is None else self._before + self._usual
        return [(self._layer, self._gate.guesses(self._gate.norm.forward(expected)))]

    def end(self, residual: torch.Tensor) -> None:
        if self._before is not None:
            added = (residual[0, -1:] - self._before).nan_to_num()
            self._usual = added if self._usual is None else torch.lerp(self._usual, added, _NEWEST)


def outlook_of(layer: int, gate: NextGate, before: Outlook | None) -> Outlook:
    choices = gate.plain_choices()
    if choices:
        return InLogits(layer, gate, choices, before if isinstance(before, InLogits) else None)
    return InStream(layer, gate)
