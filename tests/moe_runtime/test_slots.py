"""Slots and policies: plain values. The rule that is tested first: a slot is never given away while it is wanted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.moe_runtime.cache.policy import POLICIES, make_policy
from graphmem.moe_runtime.cache.slots import Slots
from graphmem.moe_runtime.errors import InputError

LAYERS, EXPERTS = 4, 8


def filled(policy: str, count: int) -> Slots:
    slots = Slots(count, make_policy(policy, LAYERS, 8))
    for number in range(count):
        key = (number % LAYERS, number // LAYERS)
        slots.take(key)
        slots.loaded(key)
    return slots


@pytest.mark.parametrize("policy", POLICIES)
def test_a_slot_is_not_given_away_while_its_expert_is_wanted(policy: str) -> None:
    slots = filled(policy, 4)
    slots.held.update({(0, 0), (1, 0), (2, 0), (3, 0)})
    assert slots.take((0, 5)) is None
    assert slots.take((0, 5), order=(0, 1, 2, 3)) is None
    slots.held.discard((2, 0))
    assert slots.take((0, 5)) == (2, (2, 0))


@pytest.mark.parametrize("policy", POLICIES)
def test_pinned_expected_and_loading_experts_stay(policy: str) -> None:
    slots = Slots(3, make_policy(policy, LAYERS, 8), pins=[(0, 0)])
    for key in ((0, 0), (1, 0), (2, 0)):
        slots.take(key)
    assert slots.take((3, 0)) is None, "all are being read into"
    for key in ((0, 0), (1, 0)):
        slots.loaded(key)
    slots.expected.add((1, 0))
    assert slots.take((3, 0)) is None
    slots.expected.clear()
    found = slots.take((3, 0))
    assert found is not None
    assert found[1] == (1, 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), policy=st.sampled_from(POLICIES), count=st.integers(2, 12))
def test_no_two_experts_share_a_slot_and_no_held_expert_leaves(seed: int, policy: str, count: int) -> None:
    chance = random.Random(seed)
    slots = Slots(count, make_policy(policy, LAYERS, 8))
    for _ in range(200):
        key = (chance.randrange(LAYERS), chance.randrange(EXPERTS))
        act = chance.random()
        held = set(slots.held)
        if key in slots.at:
            slots.policy.use(key)
            if act < 0.4:
                slots.held.add(key)
            elif act < 0.8:
                slots.held.discard(key)
        elif (found := slots.take(key, None if act < 0.7 else range(LAYERS))) is not None:
            assert found[1] not in held
            if act < 0.1:
                slots.abandon(key)
            else:
                slots.loaded(key)
        assert held & set(slots.at) == held
        taken = list(slots.at.values())
        assert sorted(taken + slots.free) == list(range(count))


def victims(policy: str, uses: list[tuple[int, int]]) -> tuple[int, int] | None:
    decided = make_policy(policy, LAYERS, 2)
    for key in dict.fromkeys(uses):
        decided.add(key)
    for key in uses:
        decided.use(key)
    return decided.victim(lambda _: False)


def test_lru_drops_the_one_not_used_for_longest() -> None:
    assert victims("lru", [(0, 0), (1, 1), (0, 0), (2, 2)]) == (1, 1)


def test_lfu_drops_the_one_used_least() -> None:
    assert victims("lfu", [(0, 0), (0, 0), (1, 1), (2, 2), (2, 2)]) == (1, 1)


def test_lrfu_weighs_use_by_its_age() -> None:
    often, once = (0, 0), (1, 1)
    assert victims("lrfu", [often, often, once]) == once
    assert victims("lrfu", [often, often, *[(2, 2)] * 60, once]) == often
    assert victims("lfu", [often, often, *[(2, 2)] * 60, once]) == once


def test_lrfu_scores_stay_finite_and_in_order() -> None:
    decided = make_policy("lrfu", LAYERS, 1)
    for step in range(20_000):
        decided.use((step % LAYERS, 0))
    assert decided.victim(lambda _: False) == (0, 0)


def test_shallow_keeps_an_older_expert_of_the_first_layer() -> None:
    assert victims("lru", [(0, 0), (3, 1), (3, 2)]) == (0, 0)
    assert victims("shallow", [(0, 0), (3, 1), (3, 2)]) == (3, 1)


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(InputError, match="mru"):
        make_policy("mru", LAYERS, 8)
