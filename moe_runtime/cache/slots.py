"""Which expert is in which slot of the arena, and which slot may be taken next. Plain Python, one thread.

A slot is never given away while its expert is *held*: wanted by the layer that runs and not yet computed. (Engines
that break this compute with another expert's weights and say nothing.) Nor while it is being read into, is expected by
the next layer, or is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphmem.moe_runtime.cache.policy import Expert, Policy


class Slots:
    def __init__(self, count: int, policy: Policy, pins: Iterable[Expert] = ()) -> None:
        self.count, self.policy = count, policy
        self.pins = frozenset(pins)
        self.free = list(range(count - 1, -1, -1))
        self.at: dict[Expert, int] = {}
        self.loading: set[Expert] = set()
        self.held: set[Expert] = set()
        self.expected: set[Expert] = set()

    def protected(self, key: Expert) -> bool:
        return key in self.held or key in self.expected or key in self.pins or key in self.loading

    def take(self, key: Expert, order: Iterable[int] | None = None) -> tuple[int, Expert | None] | None:
        """A slot for `key`, which is now loading, and the expert that had to leave; None when all are protected.
        `order`: layers to take from first; with None the policy chooses."""
        victim = None
        if self.free:
            slot = self.free.pop()
        else:
            policy = self.policy
            victim = policy.victim(self.protected) if order is None else policy.victim_of(order, self.protected)
            if victim is None:
                return None
            slot = self.at.pop(victim)
            policy.drop(victim)
        self.at[key] = slot
        self.loading.add(key)
        self.policy.add(key)
        return slot, victim

    def loaded(self, key: Expert) -> None:
        self.loading.discard(key)

    def abandon(self, key: Expert) -> None:
        """The read failed or was called off: the slot is free again and holds nothing."""
        self.loading.discard(key)
        self.expected.discard(key)
        self.policy.drop(key)
        self.free.append(self.at.pop(key))
