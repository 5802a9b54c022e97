"""Which resident expert leaves when room is needed. Plain values: no I/O, no torch, no clock but a count of uses.

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
POLICIES = ("lru", "lfu", "shallow")


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
    """Least often used. Counts outlive eviction. A heap with stale entries skipped: O(log n) a use."""

    def __init__(self, layers: int) -> None:
        super().__init__(layers)
        self._counts: dict[Expert, int] = {}
        self._heap: list[tuple[int, int, Expert]] = []

    def use(self, key: Expert) -> None:
        super().use(key)
        self._counts[key] = count = self._counts.get(key, 0) + 1
        heapq.heappush(self._heap, (count, self._clock, key))
        if len(self._heap) > 64 + 8 * sum(len(order) for order in self._orders):
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapq.heapify(self._heap)

    def add(self, key: Expert) -> None:
        Recency.use(self, key)
        heapq.heappush(self._heap, (self._counts.get(key, 0), self._clock, key))

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

    def _is_current(self, entry: tuple[int, int, Expert]) -> bool:
        layer, expert = entry[2]
        return self._orders[layer].get(expert) == entry[1]


def make_policy(name: str, layers: int, uses_per_pass: int) -> Policy:
    """`uses_per_pass`: expert uses in one token, the unit of the grace that `shallow` gives: four tokens for the first
    layer, none for the last."""
    if name == "lru":
        return Recency(layers)
    if name == "lfu":
        return Frequency(layers)
    if name == "shallow":
        last = max(layers - 1, 1)
        return Recency(layers, tuple(round(4 * uses_per_pass * (last - layer) / last) for layer in range(layers)))
    raise InputError(f"policy={name!r} is not known", hint=f"one of {', '.join(POLICIES)}")
