"""What is guessed about the next layers while this one runs, and what becomes of the guesses.

A prompt: the next layer's router is asked on the input of this layer's experts. A single token: whenever a decoder
layer begins, its router and that of the layer after it are asked on what the layer is given and the attention that
usually is added (`UsualAttention`). (A third look, with half of a layer's experts in the sum, was right more often than
the far one, and cost more time than it won.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.cache.policy import Expert
from graphmem.moe_runtime.predict.attention import UsualAttention
from graphmem.moe_runtime.predict.next_gate import NextGate
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Guess, Usefulness

_NEAR, _FAR = 200, 400  # kinds of guesses made when a decoder layer begins are counted apart


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
        self._latest: dict[int, list[Guess]] = {}
        self._absent: dict[int, list[Guess]] = {}

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
        self.cache.foresee(self._chosen(layer, view, view.gate.guesses(hidden_states)))

    def look_out(self, layer: int, hidden_states: torch.Tensor) -> None:
        """Before decoder layer `layer`, which is given hidden_states [B, T, H]."""
        if self.is_idle or hidden_states.shape[:-1].numel() != 1:
            return
        keys, expected = list[Expert](), hidden_states.reshape(1, -1)
        for about, kinds in ((layer, _NEAR), (layer + 1, _FAR)):
            view = self.views.get(about)
            if view is None or view.attention is None:
                break
            expected = view.attention.added_to(expected)
            guesses = [(expert, kind + kinds) for expert, kind in view.gate.guesses_from(expected)]
            keys += self._chosen(about, view, guesses)
        if keys:
            self.cache.foresee(keys)

    def compare(self, layer: int, wanted: set[int]) -> None:
        """What the router then said."""
        latest, absent = self._latest.pop(layer, []), self._absent.pop(layer, [])
        counters = self.cache.counters
        if latest:
            counters.predicted += len(wanted)
            counters.predicted_right += len(wanted.intersection(expert for expert, _ in latest))
        if self.usefulness is not None:
            self.usefulness.learn(absent, wanted)
            self.usefulness.adjust(counters.read_bytes, counters.wasted_bytes)

    def end(self, seconds: float) -> None:
        """A forward pass is done."""
        self._latest.clear()
        self._absent.clear()
        if self.trial is not None and self._single:
            self.trial.end(seconds)

    def _chosen(self, layer: int, view: View, guesses: list[Guess]) -> list[Expert]:
        """Those in memory, to be kept, and those worth reading."""
        at = self.cache.slots.at
        absent = [guess for guess in guesses if (layer, guess[0]) not in at]
        self._latest[layer] = guesses
        self._absent.setdefault(layer, []).extend(absent)
        if self.usefulness is None or view.gate.exact:
            chosen = {expert for expert, _ in guesses}
        else:
            chosen = set(self.usefulness.worth(absent))
        return [(layer, expert) for expert, _ in guesses if expert in chosen or (layer, expert) in at]
