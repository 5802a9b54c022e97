"""What is guessed about a layer's choices before its router speaks, and what becomes of the guesses.

A prompt: the layer's router is asked on the input of the experts before it, a whole layer ahead. A single token: when
the decoder layer begins, on what the layer is given and the attention that usually is added (`UsualAttention`), with
that attention's time to read behind. (Earlier looks, at the router of the layer before, half way through its experts or
two layers ahead, were right less often; the time they won was below what could be measured on a busy machine.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.predict.attention import UsualAttention
from graphmem.moe_runtime.predict.next_gate import NextGate
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Guess, Usefulness


@dataclass(frozen=True, slots=True)
class View:
    """How one MoE layer's choices are guessed. `attention` is None where the gate's answer is exact, and where the
    decoder layer is not of the usual kind (attention, norm, experts)."""

    gate: NextGate
    attention: UsualAttention | None


class Foresight:
    """`views` by layer. `usefulness` and `trial` None: every guess is acted on, always. Prompts are always read ahead
    for."""

    def __init__(self, cache: ExpertCache, usefulness: Usefulness | None, trial: Trial | None) -> None:
        self.cache, self.usefulness, self.trial = cache, usefulness, trial
        self.views: dict[int, View] = {}
        self._single = False
        self._about = -1
        self._latest: list[Guess] = []
        self._absent: list[Guess] = []

    @property
    def is_idle(self) -> bool:
        """Whether single tokens are not looked ahead for now."""
        return self.trial is not None and not self.trial.is_on

    def look(self, layer: int, hidden_states: torch.Tensor) -> None:
        """About `layer`, from what the experts before it are given, [T, H]."""
        self._single = hidden_states.shape[0] == 1
        view = self.views.get(layer)
        if view is None or (self._single and (self.is_idle or view.attention is not None)):
            return
        self._act(layer, view, view.gate.guesses(hidden_states))

    def look_out(self, layer: int, hidden_states: torch.Tensor) -> None:
        """Before decoder layer `layer`, which is given hidden_states [B, T, H]."""
        if self.is_idle or hidden_states.shape[:-1].numel() != 1:
            return
        view = self.views[layer]
        if view.attention is not None:
            expected = view.attention.added_to(hidden_states.reshape(1, -1))
            self._act(layer, view, view.gate.guesses_from(expected))

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

    def _act(self, layer: int, view: View, guesses: list[Guess]) -> None:
        at = self.cache.slots.at
        absent = [guess for guess in guesses if (layer, guess[0]) not in at]
        self._about, self._latest, self._absent = layer, guesses, absent
        if self.usefulness is None or view.gate.exact:
            chosen = {expert for expert, _ in guesses}
        else:
            chosen = set(self.usefulness.worth(absent))
        self.cache.foresee([(layer, expert) for expert, _ in guesses if expert in chosen or (layer, expert) in at])
