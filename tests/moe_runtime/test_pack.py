"""From a checkpoint to a store: what is written, what is refused, and what happens when it is cut short."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.errors import InputError, StoreCorrupt, StoreFull
from graphmem.moe_runtime.store.format import MANIFEST, check_of, read_manifest
from graphmem.moe_runtime.store.pack import pack, verify
from tests.moe_runtime import models

PACK_WITH_LIMIT = """
import resource, sys
from pathlib import Path
from graphmem.moe_runtime.errors import StoreFull
from graphmem.moe_runtime.store.pack import pack
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
except StoreFull as problem:
    print("full", problem.retryable, problem.hint)
"""


def test_a_store_says_what_it_holds(packed: Any) -> None:
    _, store = packed("deepseek_v3")
    manifest = read_manifest(store)
    assert manifest.model_type == "deepseek_v3"
    assert [shard.owner for shard in manifest.layers] == [f"model.layers.{layer}.mlp.experts" for layer in (1, 2, 3)]
    assert manifest.experts == 24
    for shard in (*manifest.layers, manifest.rest):
        assert (store / shard.file).stat().st_size == shard.size_bytes
        assert shard.record_bytes % 4096 == 0
    verify(store, manifest)


def test_packing_again_writes_nothing_anew(packed: Any, tmp_path: Path) -> None:
    checkpoint, _ = packed("qwen3_moe")
    pack(checkpoint, tmp_path / "store")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "experts").iterdir()}
    steps: list[tuple[int, int]] = []
    pack(checkpoint, tmp_path / "store", lambda done, of: steps.append((done, of)))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "experts").iterdir()} == before
    assert steps[-1] == (5, 5)


def test_packing_that_was_cut_short_goes_on_where_it_stopped(packed: Any, tmp_path: Path) -> None:
    checkpoint, whole = packed("qwen3_moe")
    store = tmp_path / "store"

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(checkpoint, store, stop)
    assert not (store / MANIFEST).exists()
    with pytest.raises(InputError, match="no packed store"):
        Engine.open(store)
    first = (store / "experts" / "layer-0000.bin").stat().st_mtime_ns
    manifest = pack(checkpoint, store)
    assert (store / "experts" / "layer-0000.bin").stat().st_mtime_ns == first
    assert manifest == read_manifest(whole)


def test_a_full_disk_is_said_and_packing_resumes(packed: Any, tmp_path: Path) -> None:
    checkpoint, whole = packed("qwen3_moe")
    store = tmp_path / "store"
    limit = str(read_manifest(whole).layers[0].size_bytes + 1_000)  # the layers fit in it, the rest does not
    command = [sys.executable, "-c", PACK_WITH_LIMIT, str(checkpoint), str(store), limit]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("full True make room and pack again")
    assert len(list((store / "experts").glob("*.bin"))) == 4
    assert not list(store.rglob("*.part"))
    assert not (store / MANIFEST).exists()
    assert pack(checkpoint, store) == read_manifest(whole)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_disk_too_small_is_said_before_anything_is_written(
    packed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, _ = packed("qwen3_moe")
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreFull, match="GiB more"):
        pack(checkpoint, tmp_path / "store")


def test_another_checkpoint_does_not_overwrite_a_store(packed: Any, tmp_path: Path) -> None:
    first, _ = packed("qwen3_moe")
    second, _ = packed("mixtral")
    pack(first, tmp_path)
    with pytest.raises(InputError, match="another checkpoint"):
        pack(second, tmp_path)


def test_a_checkpoint_of_several_files_is_packed(tmp_path: Path) -> None:
    model = models.lively_model("qwen3_moe")
    model.save_pretrained(tmp_path / "checkpoint", max_shard_size="100KB")
    assert len(list((tmp_path / "checkpoint").glob("*.safetensors"))) > 3
    Engine.pack(tmp_path / "checkpoint", tmp_path / "store")
    with Engine.open(tmp_path / "store") as engine, torch.inference_mode():
        assert torch.equal(engine.model(models.prompt()).logits, model(models.prompt()).logits)


def wrong_folders(folder: Path) -> dict[str, Path]:
    dense = folder / "dense"
    config = AutoConfig.for_model("llama", **models.BASE, intermediate_size=96)
    AutoModelForCausalLM.from_config(config).save_pretrained(dense)
    bare = folder / "bare"
    models.checkpoint(bare)
    (bare / "model.safetensors").unlink()
    damaged = folder / "damaged"
    models.checkpoint(damaged)
    (damaged / "model.safetensors").write_bytes(b"not safetensors at all")
    unknown = folder / "unknown"
    unknown.mkdir()
    (unknown / "config.json").write_text(json.dumps({"model_type": "never_heard_of"}))
    quantised = folder / "quantised"
    quantised.mkdir()
    facts = {"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}
    (quantised / "config.json").write_text(json.dumps(facts))
    empty = folder / "empty"
    empty.mkdir()
    named = {"dense": dense, "bare": bare, "damaged": damaged, "unknown": unknown, "quantised": quantised}
    return {**named, "empty": empty, "absent": folder / "absent"}


def test_a_wrong_folder_is_refused_in_one_clear_sentence(tmp_path: Path) -> None:
    said = {
        "dense": "no experts",
        "bare": r"no \*.safetensors",
        "damaged": "not a readable safetensors",
        "unknown": "does not know this model",
        "quantised": "quantised .mxfp4.",
        "empty": "no config.json",
        "absent": "no config.json",
    }
    for name, folder in wrong_folders(tmp_path).items():
        with pytest.raises(InputError, match=said[name]):
            pack(folder, tmp_path / "store")
        assert not (tmp_path / "store").exists()


def test_a_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    checkpoint = models.checkpoint(tmp_path / "checkpoint")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(InputError, match=r"no tensor for model\.layers\.4\."):
        pack(checkpoint, tmp_path / "store")


def test_opening_a_checkpoint_instead_of_a_store_says_so(packed: Any, tmp_path: Path) -> None:
    checkpoint, _ = packed("qwen3_moe")
    with pytest.raises(InputError, match="not a packed store"):
        Engine.open(checkpoint)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(StoreCorrupt, match="manifest"):
        Engine.open(tmp_path)


def test_the_checksum_sees_a_changed_word_a_moved_page_and_a_lost_page() -> None:
    record = np.random.default_rng(0).integers(0, 256, 4096 * 8, dtype=np.uint8)
    checks = {check_of(record)}
    for place in (0, 7, 4096, 4096 * 8 - 1):
        changed = record.copy()
        changed[place] ^= 1
        checks.add(check_of(changed))
    pages = record.reshape(8, 4096)
    checks.add(check_of(pages[[1, 0, 2, 3, 4, 5, 6, 7]].reshape(-1)))
    lost = pages.copy()
    lost[3] = 0
    checks.add(check_of(lost.reshape(-1)))
    assert len(checks) == 7
