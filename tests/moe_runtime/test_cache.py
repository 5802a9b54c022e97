"""The cache over an arena that keeps in each slot the name of what was read into it: what `take` hands out must be what
was asked for, at every budget, order and speed of the reads."""

from __future__ import annotations

import random
import threading
import time

import pytest

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.cache.policy import POLICIES, Expert, make_policy
from graphmem.moe_runtime.cache.slots import Slots
from graphmem.moe_runtime.errors import ReadFailed, StoreCorrupt

LAYERS, EXPERTS, RECORD = 5, 12, 100


class NamedArena:
    """Loads and checks take a random while; a slot that is read into while it is computed with or checked shows."""

    def __init__(self, slots: int, seed: int = 0, slowest_s: float = 0.0005) -> None:
        self.names: list[Expert | None] = [None] * slots
        self.failing: set[Expert] = set()
        self.damaged: set[Expert] = set()
        self.reads: list[Expert] = []
        self.parts: list[dict[int, Expert]] = [{} for _ in range(slots)]
        self._chance, self._slowest_s = random.Random(seed), slowest_s
        self._lock = threading.Lock()

    def stretches(self, layer: int) -> int:
        return 1 + layer % 2

    def load(self, slot: int, key: Expert, stretch: int) -> None:
        with self._lock:
            self.reads += [key] if stretch == 0 else []
            self.names[slot], self.parts[slot] = None, {stretch: key} if stretch == 0 else self.parts[slot]
        time.sleep(self._chance.random() * self._slowest_s)
        last = self.stretches(key[0]) - 1
        if key in self.failing and stretch == last:
            raise ReadFailed("the disk did not deliver", position=str(key))
        with self._lock:
            self.parts[slot][stretch] = key
            self.names[slot] = key if stretch == last else None

    def check(self, slot: int, key: Expert) -> None:
        time.sleep(self._chance.random() * self._slowest_s)
        assert self.names[slot] == key, "the slot was read into while it was checked"
        if key in self.damaged:
            raise StoreCorrupt("its checksum does not match", position=str(key))

    def tensors(self, slot: int, _: int) -> tuple[object, ...]:
        return (self.parts[slot][0], slot)

    def let_go(self, slot: int) -> None:
        pass

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass


def cache_of(slots: int, policy: str = "lru", on_demand: bool = False, seed: int = 0, readers: int = 2) -> ExpertCache:
    arena = NamedArena(slots, seed)
    return ExpertCache(
        arena,
        Slots(slots, make_policy(policy, LAYERS, 8)),
        [RECORD] * LAYERS,
        readers,
        on_demand=on_demand,
    )


def run_layer(cache: ExpertCache, layer: int, wanted: list[int], wide: bool, foreseen: list[Expert]) -> None:
    order = cache.begin(layer, wanted, wide)
    assert sorted(order) == sorted(wanted)
    cache.foresee(foreseen)
    for expert in order:
        name, slot = cache.take((layer, expert))
        assert name == (layer, expert)
        cache.complete((layer, expert))
        assert cache.arena.names[slot] == (layer, expert), "the slot was read into while it was computed with"
        cache.release((layer, expert))
    cache.confirm()


@pytest.mark.parametrize("on_demand", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("slots", [2, 3, 7, 20, 60])
def test_an_expert_that_is_taken_is_the_one_that_was_asked_for(slots: int, policy: str, on_demand: bool) -> None:
    chance = random.Random(slots)
    cache = cache_of(slots, policy, on_demand, seed=slots)
    for _ in range(12):
        wide = chance.random() < 0.3
        for layer in range(LAYERS):
            wanted = sorted(chance.sample(range(EXPERTS), EXPERTS - 2 if wide else 3))
            ahead = (layer + 1) % LAYERS
            foreseen = [] if on_demand else [(ahead, expert) for expert in chance.sample(range(EXPERTS), 4)]
            run_layer(cache, layer, wanted, wide, foreseen)
    cache.reset()  # calls off what was foreseen last
    counters, reads = cache.counters, cache.arena.reads
    cache.close()
    assert counters.read_bytes == RECORD * len(reads)
    assert counters.miss + counters.ahead == len(reads)
    assert counters.used + counters.wasted <= counters.ahead


def test_a_wide_pass_reads_each_expert_once_and_keeps_some_of_every_layer() -> None:
    cache = cache_of(40)
    for _ in range(3):
        before = cache.counters.copy()
        for layer in range(LAYERS):
            foreseen = [(layer + 1, expert) for expert in range(EXPERTS)] if layer + 1 < LAYERS else []
            run_layer(cache, layer, list(range(EXPERTS)), True, foreseen)
        passed = cache.counters.since(before)
        assert passed.read_bytes <= RECORD * LAYERS * EXPERTS
    cache.close()
    assert passed.read_bytes < 0.8 * RECORD * LAYERS * EXPERTS, "least recently used alone would read all again"


def test_what_was_foreseen_is_found_and_what_was_not_wanted_counts_as_wasted() -> None:
    cache = cache_of(4, readers=1)
    run_layer(cache, 0, [0, 1], False, [(1, 2), (1, 3)])
    while any(not read.is_done for read in cache._reads.values()):
        time.sleep(0.001)
    run_layer(cache, 1, [2], False, [])
    assert (cache.counters.ahead, cache.counters.used) == (2, 1)
    for layer in (2, 3, 4):
        run_layer(cache, layer, [5, 6], False, [])
    cache.close()
    assert cache.counters.wasted == 1
    assert cache.counters.wasted_bytes == RECORD


def test_a_failed_read_raises_once_and_the_cache_goes_on() -> None:
    cache = cache_of(4)
    cache.arena.failing.add((0, 1))
    with pytest.raises(ReadFailed, match=r"\(0, 1\)"):
        run_layer(cache, 0, [0, 1, 2], False, [])
    cache.reset()
    cache.arena.failing.clear()
    run_layer(cache, 0, [0, 1, 2], False, [])
    cache.close()


@pytest.mark.parametrize("slots", [2, 4, 40])
def test_a_layer_does_not_end_before_what_it_took_is_checked(slots: int) -> None:
    cache = cache_of(slots)
    cache.arena.damaged.add((0, 1))
    with pytest.raises(StoreCorrupt, match=r"\(0, 1\)"):
        run_layer(cache, 0, [0, 1, 2], False, [])
    cache.reset()
    assert (0, 1) not in cache.slots.at
    cache.arena.damaged.clear()
    run_layer(cache, 0, [0, 1, 2], False, [])
    cache.close()


def test_a_failed_read_ahead_that_nobody_wants_is_no_error() -> None:
    cache = cache_of(6)
    cache.arena.failing.add((1, 1))
    run_layer(cache, 0, [0], False, [(1, 1)])
    run_layer(cache, 1, [0], False, [])
    cache.close()


def test_closing_ends_the_reader_threads() -> None:
    before = threading.active_count()
    cache = cache_of(4, readers=3)
    assert threading.active_count() == before + 4, "three that read, one that checks"
    cache.close()
    assert threading.active_count() == before
