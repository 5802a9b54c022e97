"""What links may add to a score: in proportion while it is little, bounded however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.recall import BALANCED
from graphmem.recall.activation import NOTHING, Activation
from graphmem.recall.rank import Flows

BEST = 2.0
MOST = BALANCED.link_most * BEST


def added(*flows: float, seeds: tuple[float, ...] = (BEST, 0.5)) -> np.ndarray:
    numbers = np.arange(len(flows), dtype=np.int64)
    links = Activation(numbers, np.array(flows))
    given = {100 + at: value for at, value in enumerate(seeds)}
    return Flows(given, NOTHING, {}, NOTHING, {}, links).over_links(numbers, BALANCED)


def test_a_little_flow_counts_for_its_gain() -> None:
    assert added(1e-3)[0] == pytest.approx(BALANCED.link_gain * 1e-3, rel=1e-3)


def test_a_crowd_of_links_adds_no_more_than_its_part_of_the_best_seed() -> None:
    some, many = added(50.0, 5_000.0)
    assert some <= many <= MOST
    assert many == pytest.approx(MOST)


def test_more_flow_and_a_stronger_seed_add_more() -> None:
    assert np.all(np.diff(added(0.0, 0.1, 0.5, 1.0, 2.0)) > 0)
    assert added(1.0, seeds=(3.0,))[0] > added(1.0, seeds=(2.0,))[0]


def test_without_a_seed_links_add_nothing() -> None:
    assert added(1.0, seeds=())[0] == 0.0
