"""A damaged store or a failing disk gives an error that names the file and the expert; never wrong text."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.errors import BudgetError, InputError, ModelError, ReadFailed, StoreCorrupt
from graphmem.moe_runtime.store.format import read_manifest
from tests.moe_runtime.models import prompt

SHARD = "experts/layer-0002.bin"


@pytest.fixture
def store(packed: Any, tmp_path: Path) -> Path:
    _, whole = packed("qwen3_moe", torch.bfloat16)
    return Path(shutil.copytree(whole, tmp_path / "store"))


def run(store: Path, **settings: Any) -> torch.Tensor:
    with Engine.open(store, **settings) as engine, torch.inference_mode():
        logits: torch.Tensor = engine.model(prompt(1, 64)).logits
    return logits


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize("settings", [{}, {"prefetch": "off"}, {"budget": "100%"}, {"reader": "buffered"}], ids=str)
def test_a_corrupted_expert_is_named(store: Path, settings: dict[str, Any]) -> None:
    shard = read_manifest(store).layers[2]
    overwrite(store / SHARD, shard.offset(5) + 100, b"\x7f")
    with pytest.raises(
        StoreCorrupt, match=r"layer-0002\.bin, expert 5 of model\.layers\.2\.mlp\.experts: its checksum"
    ):
        run(store, **settings)


@pytest.mark.parametrize("prefetch", ["auto", "next", "layer", "off"])
def test_no_token_leaves_before_the_experts_it_is_made_of_are_checked(store: Path, prefetch: str) -> None:
    last = read_manifest(store).layers[-1]
    with Engine.open(store, budget="25%", prefetch=prefetch) as engine, torch.inference_mode():
        wanted = [engine.model(prompt(1, length)).logits for length in (1, 2, 3)]
        for expert in range(last.records):
            overwrite(store / last.file, last.offset(expert) + 100, b"\x7f\x7f")
        failed = 0
        for length in [1, 2, 3] * 20:
            try:
                assert torch.equal(engine.model(prompt(1, length)).logits, wanted[length - 1])
            except StoreCorrupt:
                failed += 1
        assert failed > 0
        assert not engine._cache.slots.held
        assert not engine._cache._unchecked


def test_a_truncated_shard_is_named_when_the_store_is_opened(store: Path) -> None:
    os.truncate(store / SHARD, read_manifest(store).layers[2].size_bytes - 4096)
    with pytest.raises(StoreCorrupt, match=r"layer-0002\.bin has \d+ bytes instead of"):
        run(store)


def test_swapped_shards_are_named_when_the_store_is_opened(store: Path) -> None:
    other = store / "experts/layer-0001.bin"
    (store / SHARD).rename(store / "kept")
    other.rename(store / SHARD)
    (store / "kept").rename(other)
    with pytest.raises(StoreCorrupt, match=r"layer-0001\.bin is the shard of another layer"):
        run(store)


def test_swapped_experts_within_a_shard_are_named(store: Path) -> None:
    shard, path = read_manifest(store).layers[2], store / SHARD
    data = path.read_bytes()
    first, second = (data[shard.offset(e) : shard.offset(e) + shard.record_bytes] for e in (3, 4))
    overwrite(path, shard.offset(3), second + first)
    with pytest.raises(StoreCorrupt, match=r"expert 3 of model\.layers\.2|expert 4 of model\.layers\.2"):
        run(store)


def test_a_missing_shard_and_a_corrupted_rest_are_named(store: Path) -> None:
    overwrite(store / "rest.bin", 4096 + 5_000, b"\x01\x02\x03")
    with pytest.raises(StoreCorrupt, match=r"rest\.bin, block 0: its checksum"):
        run(store)
    (store / SHARD).unlink()
    with pytest.raises(StoreCorrupt, match=r"layer-0002\.bin cannot be opened"):
        run(store)


def cut(engine: Engine, shard: Any) -> Callable[[], None]:
    """The disk refuses reads of one shard: its descriptor is exchanged for one that only writes. Returns the remedy."""
    descriptor = engine._reader._files[shard.file]
    good = os.dup(descriptor)
    bad = os.open(os.devnull, os.O_WRONLY)
    os.dup2(bad, descriptor)
    os.close(bad)

    def mend() -> None:
        os.dup2(good, descriptor)
        os.close(good)

    return mend


@pytest.mark.parametrize("prefetch", ["auto", "next", "layer", "off"])
def test_a_read_error_in_the_middle_of_a_token_is_raised_and_the_engine_goes_on(store: Path, prefetch: str) -> None:
    wanted = run(store, budget="100%")
    with Engine.open(store, budget="25%", prefetch=prefetch) as engine, torch.inference_mode():
        engine.model(prompt(1, 16))
        mend = cut(engine, engine.manifest.layers[2])
        for length in (64, 1):
            with pytest.raises(
                ReadFailed, match=r"layer-0002\.bin, expert \d of model\.layers\.2\.mlp\.experts"
            ) as told:
                for _ in range(20):
                    engine.model(prompt(1, length))
            assert told.value.retryable
        mend()
        assert torch.equal(engine.model(prompt(1, 64)).logits, wanted)
        slots = engine._cache.slots
        assert not slots.held
        assert len(slots.at) + len(slots.free) == slots.count


def test_a_shard_that_shrinks_while_the_engine_runs_is_an_error(store: Path) -> None:
    with Engine.open(store, budget="25%") as engine, torch.inference_mode():
        engine.model(prompt(1, 4))
        os.truncate(store / SHARD, 8192)
        with pytest.raises(StoreCorrupt, match=r"layer-0002\.bin, expert \d .*the file ends inside it"):
            for length in range(20, 40):
                engine.model(prompt(1, length))


def test_a_budget_below_two_experts_is_refused_with_the_least_that_works(store: Path) -> None:
    record = read_manifest(store).record_bytes
    with pytest.raises(BudgetError) as told:
        run(store, budget=2 * record - 1)
    assert str(2 * record) in told.value.hint
    run(store, budget=2 * record)


def test_pins_that_leave_no_room_are_refused(store: Path) -> None:
    with pytest.raises(BudgetError, match="pins leave"):
        run(store, budget="12.5%", pins=[(0, 0), (1, 1), (2, 2)])
    with pytest.raises(InputError, match=r"\(9, 0\)"):
        run(store, pins=[(9, 0)])


@pytest.mark.parametrize(
    "settings",
    [
        {"budget": "a lot"},
        {"budget": "25 parsecs"},
        {"precision": "int4"},
        {"policy": "mru"},
        {"prefetch": "always"},
        {"reader": "telepathy"},
        {"threads": 0},
        {"readers": 0},
        {"budget": "50%", "reader": "mmap"},
    ],
    ids=str,
)
def test_a_setting_that_is_not_known_is_named(store: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError) as told:
        run(store, **settings)
    assert told.value.hint or "must be" in told.value.message


def test_an_unknown_argument_is_an_error(store: Path) -> None:
    with pytest.raises(TypeError, match="budgets"):
        Engine.open(store, budgets="25%")  # type: ignore[call-arg]


def test_a_store_with_the_config_of_another_model_is_refused(packed: Any, store: Path) -> None:
    checkpoint, _ = packed("olmoe", torch.bfloat16)
    config = json.loads((store / "config.json").read_text())
    shutil.copyfile(checkpoint / "config.json", store / "config.json")
    with pytest.raises(ModelError, match=r"config\.json describes olmoe, the store holds qwen3_moe"):
        run(store)
    changes = {"moe_intermediate_size": 24, "num_hidden_layers": 3, "head_dim": 32, "vocab_size": 99}
    for field, value in changes.items():
        (store / "config.json").write_text(json.dumps({**config, field: value}))
        with pytest.raises(ModelError, match=r"config|store") as told:
            run(store)
        assert "pack" in told.value.hint, field
