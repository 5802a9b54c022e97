"""What is guessed about the next layer while this one runs, and what becomes of the guesses.

Two looks at the next layer's router. The first, when this layer's router has spoken: on the input of this layer's
experts, with a whole layer of computing to read behind. The second, when this layer is done: on what the next layer is
given, which lacks only its attention; it is right more often, but has only the attention's time.
"""

from __future__ import annotations

from typing import Any

import torch

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.predict.next_gate import NextGate
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Guess, Usefulness

_SECOND = 200  # kinds of the second look are counted apart


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

    def look(self, layer: int, gate: NextGate, hidden_states: torch.Tensor) -> None:
        """First look: hidden_states [T, H] is what the experts before `layer` are given."""
        self._single = hidden_states.shape[0] == 1
        self._about, self._absent = layer, []
        if not (self._single and self.is_idle):
            self._act(layer, gate.guesses(hidden_states), gate.exact)

    def look_again(self, layer: int, gate: NextGate, norm: Any, hidden_states: torch.Tensor) -> None:
        """Second look, for single tokens: hidden_states [1, 1, H] is what decoder layer `layer` is given."""
        if self._about != layer or gate.exact or self.is_idle or hidden_states.shape[:-1].numel() != 1:
            return
        seen = norm.forward(hidden_states).reshape(1, -1)
        self._act(layer, [(expert, kind + _SECOND) for expert, kind in gate.guesses(seen)], exact=False)

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

    def _act(self, layer: int, guesses: list[Guess], exact: bool) -> None:
        at = self.cache.slots.at
        absent = [guess for guess in guesses if (layer, guess[0]) not in at]
        self._latest = guesses
        self._absent += absent
        if self.usefulness is None or exact:
            chosen = {expert for expert, _ in guesses}
        else:
            chosen = set(self.usefulness.worth(absent))
        self.cache.foresee([(layer, expert) for expert, _ in guesses if expert in chosen or (layer, expert) in at])
