"""Which resident expert leaves when room is needed. Plain values: no I/O, no torch, no clock but a count of uses.

    lrfu      the one with the least use when older use counts less, half after seven tokens (Lee et al., 2001); the
              default: room for a quarter of the experts finds 0.72 of them, with lru 0.59, at best 0.84
    lru       the one not used for longest
    lfu       the one used least often, counted over the whole run; older use breaks ties
    shallow   least recently used, with a longer life for shallow layers, whose experts are the harder ones to predict
              from the layer before (Fate)

An expert is (layer, expert).
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from graphmem.moe_runtime.errors import InputError

Expert = tuple[int, int]
Protected = Callable[[Expert], bool]
POLICIES = ("lrfu", "lru", "lfu", "shallow")
_HALF_LIFE_TOKENS = 7
_LARGEST_WEIGHT = 1e150


class Policy(Protocol):
    def add(self, key: Expert) -> None: ...
    def use(self, key: Expert) -> None: ...
    def drop(self, key: Expert) -> None: ...
    def victim(self, protected: Protected) -> Expert | None: ...
    def victim_of(self, layers: Iterable[int], protected: Protected) -> Expert | None: ...


class Recency:
    """Least recently used, one order for each layer, so that a layer's oldest is found at once. `grace[layer]` is how
    many uses longer an expert of that layer stays. A victim costs O(layers + protected)."""

    def __init__(self, layers: int, grace: tuple[int, ...] | None = None) -> None:
        self._orders: list[OrderedDict[int, int]] = [OrderedDict() for _ in range(layers)]
        self._grace = grace or (0,) * layers
        self._clock = 0

    def add(self, key: Expert) -> None:
        self.use(key)

    def use(self, key: Expert) -> None:
        self._clock += 1
        order = self._orders[key[0]]
        order[key[1]] = self._clock
        order.move_to_end(key[1])

    def drop(self, key: Expert) -> None:
        del self._orders[key[0]][key[1]]

    def victim(self, protected: Protected) -> Expert | None:
        best, oldest = None, None
        for layer, order in enumerate(self._orders):
            grace = self._grace[layer]
            for expert, used in order.items():
                if oldest is not None and used + grace >= oldest:
                    break
                if not protected((layer, expert)):
                    best, oldest = (layer, expert), used + grace
                    break
        return best

    def victim_of(self, layers: Iterable[int], protected: Protected) -> Expert | None:
        for layer in layers:
            for expert in self._orders[layer]:
                if not protected((layer, expert)):
                    return layer, expert
        return None


class Frequency(Recency):
    """Least use, where a use counts `growth` times as much as the one before it: with 1 plain frequency (LFU), above it
    LRFU. (Newer uses gaining weight is the same order as older ones losing it, and no score changes but by use.)
    Scores outlive eviction. A heap with stale entries skipped: O(log n) a use."""

    def __init__(self, layers: int, growth: float = 1.0) -> None:
        super().__init__(layers)
        self._growth, self._weight = growth, 1.0
        self._scores: dict[Expert, float] = {}
        self._heap: list[tuple[float, int, Expert]] = []

    def use(self, key: Expert) -> None:
        self._weight *= self._growth
        self._scores[key] = self._scores.get(key, 0.0) + self._weight
        self.add(key)
        if self._weight > _LARGEST_WEIGHT:
            self._rescale()
        if len(self._heap) > 64 + 8 * sum(len(order) for order in self._orders):
            self._rebuild()

    def add(self, key: Expert) -> None:
        Recency.use(self, key)
        heapq.heappush(self._heap, (self._scores.get(key, 0.0), self._clock, key))

    def victim(self, protected: Protected) -> Expert | None:
        passed, found = [], None
        while self._heap:
            entry = heapq.heappop(self._heap)
            if not self._is_current(entry):
                continue
            passed.append(entry)
            if not protected(entry[2]):
                found = entry[2]
                break
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found

    def _rescale(self) -> None:
        self._scores = {key: score / self._weight for key, score in self._scores.items()}
        self._heap = [(score / self._weight, clock, key) for score, clock, key in self._heap]
        self._weight = 1.0

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if self._is_current(entry)]
        heapq.heapify(self._heap)

    def _is_current(self, entry: tuple[float, int, Expert]) -> bool:
        layer, expert = entry[2]
        return self._orders[layer].get(expert) == entry[1]


def make_policy(name: str, layers: int, uses_per_pass: int) -> Policy:
    """`uses_per_pass`: expert uses in one token, the unit of the grace that `shallow` gives: four tokens for the first
    layer, none for the last."""
    if name == "lru":
        return Recency(layers)
    if name == "lfu":
        return Frequency(layers)
    if name == "lrfu":
        return Frequency(layers, 2 ** (1 / (_HALF_LIFE_TOKENS * uses_per_pass)))
    if name == "shallow":
        last = max(layers - 1, 1)
        return Recency(layers, tuple(round(4 * uses_per_pass * (last - layer) / last) for layer in range(layers)))
    raise InputError(f"policy={name!r} is not known", hint=f"one of {', '.join(POLICIES)}")
