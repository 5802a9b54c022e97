"""What is guessed about a layer's choices before its router speaks, and what becomes of the guesses.

A prompt: the layer's router is asked on the input of the experts before it, a whole layer ahead. A single token: when a
decoder layer begins, about its own experts and, where they are chosen clearly, the next layer's (`Outlook`): the disk
then has this layer's attention, or the whole of it, to read behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.predict.next_gate import NextGate
from graphmem.moe_runtime.predict.outlook import Outlook
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Guess, Usefulness


@dataclass(frozen=True, slots=True)
class View:
    """How one MoE layer's choices are guessed. `outlook` is None where the gate's answer is exact, and where the
    decoder layer is not of the usual kind (attention, norm, experts)."""

    gate: NextGate
    outlook: Outlook | None


class Foresight:
    """`views` by layer; `experts` in all layers. `usefulness` and `trial` None: every guess is acted on, always.
    Prompts are always read ahead for."""

    def __init__(self, cache: ExpertCache, experts: int, usefulness: Usefulness | None, trial: Trial | None) -> None:
        self.cache, self.usefulness, self.trial = cache, usefulness, trial
        self._experts = experts
        self.views: dict[int, View] = {}
        self._single = False
        self._latest: dict[int, list[Guess]] = {}
        self._absent: dict[int, list[Guess]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether single tokens are not looked ahead for now."""
        return len(self.cache.slots.at) == self._experts or (self.trial is not None and not self.trial.is_on)

    def look(self, layer: int, hidden_states: torch.Tensor) -> None:
        """About `layer`, from what the experts before it are given, [T, H]."""
        self._single = hidden_states.shape[0] == 1
        view = self.views.get(layer)
        if view is None or (self._single and (self.is_idle or view.outlook is not None)):
            return
        self._act([(layer, view.gate.guesses(hidden_states))], view.gate.exact)

    def look_out(self, layer: int, hidden_states: torch.Tensor) -> None:
        """Before decoder layer `layer`, which is given hidden_states [B, T, H]."""
        outlook = self.views[layer].outlook
        if self.is_idle or outlook is None:
            return
        outlook.begin(hidden_states)
        if hidden_states.shape[:-1].numel() == 1:
            self._act(outlook.guesses(), exact=False)

    def look_back(self, layer: int, residual: torch.Tensor) -> None:
        """Before the norm of decoder layer `layer`'s experts, which is given residual [B, T, H]."""
        outlook = self.views[layer].outlook
        if outlook is not None and not self.is_idle:
            outlook.end(residual)

    def compare(self, layer: int, wanted: set[int]) -> None:
        """What the router then said."""
        counters, latest = self.cache.counters, self._latest.pop(layer, None)
        if latest:
            counters.predicted += len(wanted)
            counters.predicted_right += len(wanted.intersection(expert for expert, _ in latest))
        absent = self._absent.pop(layer, None)
        if self.usefulness is not None and absent is not None:
            self.usefulness.learn(absent, wanted)
            self.usefulness.adjust(counters.read_bytes, counters.wasted_bytes)

    def end(self, seconds: float) -> None:
        """A forward pass is done."""
        if self.trial is not None and self._single:
            self.trial.end(seconds)

    def _act(self, guessed: Iterable[tuple[int, list[Guess]]], exact: bool) -> None:
        """A later look at a layer replaces an earlier one, but what that one said is learnt from as well."""
        at, foreseen = self.cache.slots.at, []
        for layer, guesses in guessed:
            absent = [guess for guess in guesses if (layer, guess[0]) not in at]
            self._latest[layer] = guesses
            self._absent[layer] = [*self._absent.get(layer, ()), *absent]
            if self.usefulness is None or exact:
                chosen = {expert for expert, _ in guesses}
            else:
                chosen = set(self.usefulness.worth(absent))
            foreseen += [(layer, expert) for expert, _ in guesses if expert in chosen or (layer, expert) in at]
        self.cache.foresee(foreseen)
