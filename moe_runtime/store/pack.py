"""Checkpoint in, store out: one layer in memory at a time, each shard whole or not there, resumed where it stopped.

plan the shards -> write each layer -> write the rest -> copy config and tokenizer -> write the manifest
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphmem.moe_runtime.errors import InputError, StoreCorrupt, StoreError, StoreFull
from graphmem.moe_runtime.store.checkpoint import Checkpoint, expert_parameters
from graphmem.moe_runtime.store.format import (
    BLOCK,
    MANIFEST,
    PAGE,
    REST,
    Manifest,
    Shard,
    check_of,
    dump,
    dump_shard,
    is_of_last_product,
    lay_out,
    load_shard,
    round_up,
)

_JOURNAL = "packing.json"
_COPIED = ("*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def pack(checkpoint_folder: Path, store: Path, progress: Callable[[int, int], None] | None = None) -> Manifest:
    """Packs a Hugging Face MoE checkpoint into the folder `store`. `progress` is called with shards done and in all.

    Called again after a crash or a full disk, it keeps the shards that are whole. Raises InputError for a folder that
    cannot be packed, StoreFull when the disk is full."""
    source = Checkpoint(checkpoint_folder)
    try:
        _refuse(source, store)
        shards = _planned(source)
        _make_room(store, shards)
        journal = _Journal(store, source.store_id)
        for done, shard in enumerate(shards):
            if progress:
                progress(done, len(shards))
            if not journal.has(shard):
                records = _rest(source, shard) if shard.file == REST else _experts(source, shard)
                journal.add(_write_shard(store, source.store_id, shard, records))
        manifest = _manifest(source, journal)
        _copy_companions(source.folder, store)
        _write_text(store / MANIFEST, dump(manifest))
        journal.remove()
        if progress:
            progress(len(shards), len(shards))
    finally:
        source.close()
    return manifest


def _refuse(source: Checkpoint, store: Path) -> None:
    if store.exists() and not store.is_dir():
        raise InputError("a file is in the way of the store", source=str(store))
    if store.resolve() == source.folder.resolve():
        raise InputError("the store and the checkpoint are the same folder", source=str(store))
    missing = source.missing()
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"the checkpoint has no tensor for {missing[0]}{more}", source=str(source.folder))
    if (store / MANIFEST).is_file():
        held = json.loads((store / MANIFEST).read_text(encoding="utf-8")).get("store_id")
        if held != source.store_id:
            hint = "name an empty folder, or remove this one"
            raise InputError("the folder holds the store of another checkpoint", source=str(store), hint=hint)


def _planned(source: Checkpoint) -> list[Shard]:
    shards = []
    for number, (name, module) in enumerate(source.modules):
        tensors = []
        for parameter in sorted(expert_parameters(module), key=is_of_last_product):
            dtype, shape, size = source.spec(f"{name}.{parameter}")
            tensors.append((parameter, dtype, shape[1:], size // shape[0]))
        specs, record_bytes = lay_out(tensors)
        count = int(module.num_experts)  # type: ignore[arg-type]
        shards.append(Shard(f"experts/layer-{number:04d}.bin", name, count, record_bytes, specs, (), ""))
    owned = {f"{name}.{parameter}" for name, module in source.modules for parameter in expert_parameters(module)}
    names = [name for target in source.targets for name in _made_by(source, target) if name not in owned]
    specs, span = lay_out([(name, *source.spec(name)) for name in names])
    shards.append(Shard(REST, "", round_up(span, BLOCK) // BLOCK, BLOCK, specs, (), ""))
    return shards


def _made_by(source: Checkpoint, target: str) -> list[str]:
    patterns = source.targets[target].rule.target_patterns
    return [target, *(target.replace(patterns[0], other) for other in patterns[1:])]


def _experts(source: Checkpoint, shard: Shard) -> Iterator[Bytes]:
    """One record an expert. Holds the tensors of one layer."""
    whole = dict(
        pair
        for spec in shard.tensors
        if f"{shard.owner}.{spec.name}" in source.targets
        for pair in source.load(f"{shard.owner}.{spec.name}")
    )
    for expert in range(shard.records):
        record = np.zeros(shard.record_bytes, np.uint8)
        for spec in shard.tensors:
            record[spec.offset : spec.offset + spec.size_bytes] = _bytes_of(whole[f"{shard.owner}.{spec.name}"][expert])
        yield record


def _rest(source: Checkpoint, shard: Shard) -> Iterator[Bytes]:
    """The other weights as one stream of bytes, cut into blocks. Holds one tensor and one block."""
    made: dict[str, torch.Tensor] = {}
    block, filled, at = np.zeros(BLOCK, np.uint8), 0, 0
    for spec in shard.tensors:
        if spec.name not in made:
            made.update(source.load(spec.name))
        tensor = made.pop(spec.name)
        data = np.concatenate([np.zeros(spec.offset - at, np.uint8), _bytes_of(tensor)])
        at = spec.offset + spec.size_bytes
        while len(data):
            taken = min(BLOCK - filled, len(data))
            block[filled : filled + taken] = data[:taken]
            filled, data = filled + taken, data[taken:]
            if filled == BLOCK:
                yield block
                block, filled = np.zeros(BLOCK, np.uint8), 0
    if filled:
        yield block


def _bytes_of(tensor: torch.Tensor) -> Bytes:
    flat: Bytes = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return flat


def _write_shard(store: Path, store_id: str, shard: Shard, records: Iterable[Bytes]) -> Shard:
    """Writes to a name of its own, syncs, and only then takes the final name."""
    path, digest, checks = store / shard.file, sha256(), list[int]()
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            header = shard.header(store_id)
            digest.update(header)
            file.write(header)
            for record in records:
                checks.append(check_of(record))
                digest.update(record.data)
                file.write(record.data)
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise _translated(problem, store) from problem
    if len(checks) != shard.records:
        raise StoreError(f"{shard.file} got {len(checks)} records instead of {shard.records}", source=str(store))
    return replace(shard, checks=tuple(checks), sha256=digest.hexdigest())


def _translated(problem: OSError, store: Path) -> StoreError:
    if problem.errno in _FULL:
        hint = "make room and pack again: the layers that are written are kept"
        return StoreFull(f"the disk is full ({problem.strerror})", source=str(store), hint=hint)
    return StoreError(f"cannot write: {problem.strerror or problem}", source=str(store))


def _make_room(store: Path, shards: list[Shard]) -> None:
    """Creates the folder, and fails now rather than in an hour when what is to come cannot fit."""
    try:
        (store / "experts").mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise _translated(problem, store) from problem
    to_come = sum(shard.size_bytes for shard in shards if not (store / shard.file).exists())
    free = shutil.disk_usage(store).free
    if to_come > free:
        message = f"the store needs {to_come / 2**30:.1f} GiB more, the disk has {free / 2**30:.1f} GiB"
        raise StoreFull(message, source=str(store), hint="make room, or name a folder on another disk")


class _Journal:
    """The shards that are whole, so that packing resumes. Of another checkpoint, or unreadable: begins anew."""

    def __init__(self, store: Path, store_id: str) -> None:
        self.store, self.store_id = store, store_id
        self.path = store / _JOURNAL
        self.done: dict[str, Shard] = {}
        for path in (self.path, store / MANIFEST):
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
                if facts["store_id"] == store_id:
                    known = [load_shard(one) for one in (*facts["layers"], *([facts["rest"]] if facts["rest"] else []))]
                    self.done.update({shard.file: shard for shard in known})
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def has(self, planned: Shard) -> bool:
        shard, path = self.done.get(planned.file), self.store / planned.file
        if shard is None or not path.is_file() or path.stat().st_size != shard.size_bytes:
            return False
        return replace(shard, checks=(), sha256="") == planned

    def add(self, shard: Shard) -> None:
        self.done[shard.file] = shard
        rest = self.done.get(REST)
        layers = [dump_shard(one) for file, one in self.done.items() if file != REST]
        facts = {"store_id": self.store_id, "layers": layers, "rest": dump_shard(rest) if rest else None}
        _write_text(self.path, json.dumps(facts))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _manifest(source: Checkpoint, journal: _Journal) -> Manifest:
    layers = tuple(journal.done[file] for file in sorted(journal.done) if file != REST)
    model_type, dtype = str(source.config.model_type), str(source.dtype).removeprefix("torch.")
    return Manifest(source.store_id, model_type, dtype, source.folder.name, layers, journal.done[REST])


def _copy_companions(folder: Path, store: Path) -> None:
    for pattern in _COPIED:
        for path in folder.glob(pattern):
            if path.name not in (MANIFEST, _JOURNAL) and not path.name.endswith(".index.json"):
                try:
                    shutil.copyfile(path, store / path.name)
                except OSError as problem:
                    raise _translated(problem, store) from problem


def _write_text(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise _translated(problem, path.parent) from problem


def verify(store: Path, manifest: Manifest) -> None:
    """Reads every shard and compares its sha256. Raises StoreCorrupt naming the first that differs."""
    for shard in (*manifest.layers, manifest.rest):
        digest, path = sha256(), store / shard.file
        try:
            with path.open("rb") as file:
                while data := file.read(PAGE * 1024):
                    digest.update(data)
        except OSError as problem:
            raise StoreCorrupt(f"{shard.file} cannot be read ({problem.strerror})", source=str(store)) from problem
        if digest.hexdigest() != shard.sha256:
            raise StoreCorrupt(f"{shard.file} is not what was packed", source=str(store), hint="pack again")
