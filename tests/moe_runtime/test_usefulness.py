"""Guesses are acted on while they are right often enough, and not a read longer."""

from __future__ import annotations

import random

import pytest

from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Usefulness

RECORD = 1_000


def simulate(usefulness: Usefulness, right: dict[int, float], steps: int, seed: int = 0) -> tuple[int, int]:
    """Bytes wasted and bytes read when guesses of a kind are right with the given probability and each wanted expert
    that was not foreseen is read, too."""
    chance = random.Random(seed)
    read = wasted = 0
    for _ in range(steps):
        guesses = list(enumerate(right))
        acted = set(usefulness.worth(guesses))
        wanted = {expert for expert, kind in guesses if chance.random() < right[kind]} | {99}
        read += RECORD * len(acted | wanted)
        wasted += RECORD * len(acted - wanted)
        usefulness.learn(guesses, wanted)
        usefulness.adjust(read, wasted)
    return wasted, read


def test_wasted_bytes_stay_under_a_tenth_while_good_guesses_are_used() -> None:
    usefulness = Usefulness(RECORD)
    wasted, read = simulate(usefulness, {0: 0.97, 1: 0.6, 2: 0.3, 3: 0.1}, 4_000)
    assert wasted <= 0.10 * read
    assert usefulness.worth([(7, 0)]) == [7]
    assert usefulness.worth([(7, 3)]) == []


def test_bad_guessing_switches_itself_off() -> None:
    usefulness = Usefulness(RECORD)
    wasted, read = simulate(usefulness, {0: 0.2, 1: 0.1}, 2_000)
    assert usefulness.is_off
    assert wasted <= 0.10 * read


def test_guessing_comes_back_when_it_is_right_again() -> None:
    usefulness = Usefulness(RECORD)
    simulate(usefulness, {0: 0.1}, 1_000)
    assert usefulness.is_off
    simulate(usefulness, {0: 1.0}, 1_000)
    assert not usefulness.is_off


def run_trial(trial: Trial, with_s: float, without_s: float, tokens: int) -> float:
    """Share of the tokens that were read ahead for."""
    on = 0
    for _ in range(tokens):
        on += trial.is_on
        trial.end(with_s if trial.is_on else without_s)
    return on / tokens


def test_reading_ahead_that_makes_tokens_slower_is_switched_off_but_for_a_probe() -> None:
    assert run_trial(Trial(), 1.1, 1.0, 2_000) < 0.1


def test_reading_ahead_that_makes_tokens_faster_stays_on() -> None:
    assert run_trial(Trial(), 0.8, 1.0, 2_000) > 0.9


def test_the_trial_follows_a_machine_that_changes() -> None:
    trial = Trial()
    run_trial(trial, 1.1, 1.0, 1_000)
    run_trial(trial, 0.7, 1.0, 600)
    assert run_trial(trial, 0.7, 1.0, 1_000) > 0.9


@pytest.mark.parametrize(("gain", "on"), [(0.85, True), (1.15, False)])
def test_the_trial_is_not_misled_by_what_else_the_machine_does(gain: float, on: bool) -> None:
    shares = []
    for seed in range(10):
        chance, trial, load, ahead = random.Random(seed), Trial(), 1.0, 0
        for _ in range(1_500):
            load = chance.choice([1.0, 1.3, 1.7, 2.0]) if chance.random() < 1 / 80 else load
            ahead += trial.is_on
            trial.end((gain if trial.is_on else 1.0) * load * chance.lognormvariate(0, 0.15))
        shares.append(ahead / 1_500)
    assert sum(shares) / 10 > 0.9 if on else sum(shares) / 10 < 0.1
