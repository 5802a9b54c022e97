"""Local routing consistency, on traces whose answers are known, and the profile of a small model."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.profile import (
    checkpoint,
    lru_hit_rate,
    plotted,
    profiled,
    segment_cache_hit_rate,
    segment_routing_performance,
    traced,
)
from graphmem.moe_runtime.profile.report import judged
from tests.moe_runtime.serving import small_store

STILL = np.tile(np.array([[0, 1]]), (64, 1))
TURNING = np.array([[token % 8, (token + 4) % 8] for token in range(64)])


def test_tokens_that_choose_alike_are_served_by_one_group() -> None:
    assert segment_routing_performance(STILL, 16, 8) == 1.0
    assert segment_cache_hit_rate(STILL, 16, 8, cached=2) == 1.0
    assert lru_hit_rate(STILL, 2) == pytest.approx(126 / 128)


def test_tokens_that_choose_in_turn_are_not() -> None:
    assert segment_routing_performance(TURNING, 16, 8) == pytest.approx(2 * 8 / (8 + 2) * 2 / 8)
    assert segment_cache_hit_rate(TURNING, 16, 8, cached=4) == 0.5
    assert lru_hit_rate(TURNING, 2) == 0.0
    assert lru_hit_rate(TURNING, 8) == pytest.approx(120 / 128)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(4, 12))
def test_rates_are_shares_and_grow_with_the_cache(seed: int, active: int, experts: int) -> None:
    draw = np.random.default_rng(seed)
    trace = np.stack([draw.permutation(experts)[:active] for _ in range(48)])
    assert active / experts <= segment_routing_performance(trace, 16, experts) <= 1.0
    served = [segment_cache_hit_rate(trace, 16, experts, cached) for cached in range(1, experts + 1)]
    assert served == sorted(served)
    assert served[-1] == pytest.approx(1.0)
    assert all(lru_hit_rate(trace, cached) <= 1.0 for cached in range(1, experts + 1))


def test_a_cache_is_recommended_where_it_is_nearly_as_good_as_all() -> None:
    draw = np.random.default_rng(0)
    hot = np.stack([draw.permutation(4)[:2] for _ in range(512)])
    profile = judged([hot, hot], experts=32, expert_bytes=1000, expert_share=0.9, seed=0)
    assert profile.recommended.cached == 4
    assert profile.recommended.budget_bytes == 2 * 4 * 1000
    assert profile.suits
    assert profile.srp[16] > profile.chance[16]


def test_offloading_does_not_suit_what_has_few_experts_or_uses_all_of_them() -> None:
    draw = np.random.default_rng(0)
    wide = [np.stack([draw.permutation(8)[:4] for _ in range(512)])]
    assert not judged(wide, experts=8, expert_bytes=1, expert_share=0.9, seed=0).suits
    assert "weights" in judged([STILL], experts=8, expert_bytes=1, expert_share=0.2, seed=0).why


def test_a_store_and_its_checkpoint_have_one_profile_and_it_can_be_drawn(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    model, tokenizer = checkpoint(tmp_path / "checkpoint")
    ids = tokenizer("Ada: Did you see Boris at the harbour? " * 8)["input_ids"]
    profile = profiled(model, ids)
    with Engine.open(store, budget="50%") as engine:
        assert profiled(engine.model, ids).srp == profile.srp
    assert [trace.shape for trace in traced(model, ids)] == [(len(ids), 2)] * 2
    assert ElementTree.fromstring(plotted(profile, "small & odd <model>")).tag.endswith("svg")


def test_a_model_without_experts_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model folder"):
        checkpoint(tmp_path)
