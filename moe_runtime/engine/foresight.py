"""What is guessed about the next layer while this one runs, and what becomes of the guesses.

A prompt: the next layer's router is asked on the input of this layer's experts. A single token: twice, each time on the
residual stream as far as it is known and the attention that the next layer usually adds. In the middle of this layer,
with half of its experts in the sum, or all those that need not be waited for; and when it is done, with all of them: a
surer guess, but only the next layer's attention is left to read behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.predict.attention import UsualAttention
from graphmem.moe_runtime.predict.next_gate import NextGate
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Guess, Usefulness

_SECOND = 200  # kinds of the second look are counted apart


@dataclass(frozen=True, slots=True)
class View:
    """How one MoE layer's choices are guessed. `attention` is None where the decoder layer is not of the usual kind
    (attention, norm, experts)."""

    layer: int
    gate: NextGate
    attention: UsualAttention | None


class Foresight:
    """`usefulness` and `trial` None: every guess is acted on, always. Prompts are always read ahead for."""

    def __init__(self, cache: ExpertCache, usefulness: Usefulness | None, trial: Trial | None) -> None:
        self.cache, self.usefulness, self.trial = cache, usefulness, trial
        self._about = -1
        self._single = False
        self._latest: list[Guess] = []
        self._absent: list[Guess] = []

    @property
    def is_idle(self) -> bool:
        """Whether single tokens are not looked ahead for now."""
        return self.trial is not None and not self.trial.is_on

    def look(self, view: View, hidden_states: torch.Tensor, before: View | None, so_far: list[torch.Tensor]) -> None:
        """hidden_states [T, H] is what the experts of the layer before are given; `before` is that layer's own view,
        `so_far` those of its experts' outputs [1, H] that are computed."""
        self._single = hidden_states.shape[0] == 1
        self._about, self._absent = view.layer, []
        if self._single and self.is_idle:
            return
        usual = view.attention is not None and before is not None and before.attention is not None
        if self._single and usual and not view.gate.exact:
            residual = before.attention.residual  # type: ignore[union-attr]
            if residual is not None:
                hidden_states = view.attention.router_input(sum(so_far, residual))  # type: ignore[union-attr]
        self._act(view, view.gate.guesses(hidden_states))

    def look_again(self, view: View, hidden_states: torch.Tensor) -> None:
        """For single tokens: hidden_states [1, 1, H] is what decoder layer `view.layer` is given."""
        if view.gate.exact or view.attention is None or self.is_idle or hidden_states.shape[:-1].numel() != 1:
            return
        if self._about != view.layer:  # the first layer has no other to be guessed from
            self._about, self._absent = view.layer, []
        seen = view.attention.router_input(hidden_states.reshape(1, -1))
        self._act(view, [(expert, kind + _SECOND) for expert, kind in view.gate.guesses(seen)])

    def compare(self, layer: int, wanted: set[int]) -> None:
        """What the router then said."""
        if self._about != layer:
            return
        counters = self.cache.counters
        if self._latest:
            counters.predicted += len(wanted)
            counters.predicted_right += len(wanted.intersection(expert for expert, _ in self._latest))
        self._latest = []
        if self.usefulness is not None:
            self.usefulness.learn(self._absent, wanted)
            self.usefulness.adjust(counters.read_bytes, counters.wasted_bytes)

    def end(self, seconds: float) -> None:
        """A forward pass is done."""
        if self.trial is not None and self._single:
            self.trial.end(seconds)

    def _act(self, view: View, guesses: list[Guess]) -> None:
        at, layer = self.cache.slots.at, view.layer
        absent = [guess for guess in guesses if (layer, guess[0]) not in at]
        self._latest = guesses
        self._absent += absent
        if self.usefulness is None or view.gate.exact:
            chosen = {expert for expert, _ in guesses}
        else:
            chosen = set(self.usefulness.worth(absent))
        self.cache.foresee([(layer, expert) for expert, _ in guesses if expert in chosen or (layer, expert) in at])
