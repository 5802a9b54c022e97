"""What a store is made of, as plain values.

    manifest.json            what is here, with checksums; written last, so a store without one is unfinished
    experts/layer-0003.bin   one shard a layer: a header page, then one record an expert, all of one size
    rest.bin                 every other weight, in blocks of one size
    config.json, tokenizer…  copied from the checkpoint

A record holds all tensors of one expert side by side, begins on a page and is a whole number of pages long, so that one
direct read fetches one expert. Records carry a checksum that is cheap enough to check at every read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.moe_runtime.errors import InputError, StoreCorrupt

FORMAT = 1
PAGE = 4096
ALIGN = 64
BLOCK = 4 << 20
MANIFEST = "manifest.json"
REST = "rest.bin"
_MAGIC = b"graphmem experts\n"
_WORDS = PAGE // 8


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """`offset` counts bytes from the start of the record (an expert) or of the first block (the rest)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Shard:
    """One file. `owner` is the experts module (`model.layers.3.mlp.experts`), empty for the rest. `checks` has one
    checksum a record; `sha256` is of the whole file."""

    file: str
    owner: str
    records: int
    record_bytes: int
    tensors: tuple[TensorSpec, ...]
    checks: tuple[int, ...]
    sha256: str

    def offset(self, record: int) -> int:
        return PAGE + record * self.record_bytes

    @property
    def size_bytes(self) -> int:
        return PAGE + self.records * self.record_bytes

    def header(self, store_id: str) -> bytes:
        """The first page: whose shard it is. A shard moved to another place does not match it."""
        facts = {"store": store_id, "file": self.file, "records": self.records, "record_bytes": self.record_bytes}
        return (_MAGIC + json.dumps(facts, sort_keys=True).encode()).ljust(PAGE, b"\0")


@dataclass(frozen=True, slots=True)
class Manifest:
    """`store_id` is a digest of the checkpoint's config and files; `layers` are in the order of the forward pass."""

    store_id: str
    model_type: str
    dtype: str
    source: str
    layers: tuple[Shard, ...]
    rest: Shard
    format: int = FORMAT

    @property
    def expert_bytes(self) -> int:
        """What a budget of all experts is: every record of every layer."""
        return sum(shard.records * shard.record_bytes for shard in self.layers)

    @property
    def record_bytes(self) -> int:
        """The largest record: the size of a slot."""
        return max(shard.record_bytes for shard in self.layers)

    @property
    def experts(self) -> int:
        return sum(shard.records for shard in self.layers)


def check_of(record: memoryview | np.ndarray[Any, np.dtype[np.uint8]]) -> int:
    """A 64-bit checksum of whole pages, at about 24 GB/s: the sum of the words of each page, times an odd number that
    differs from page to page. Any change of one word, a lost, zeroed or moved page shows. (CRC32 runs at 3.5 GB/s here,
    which would be a third of the time of the read; sha256 is kept for the whole file.)"""
    sums = np.frombuffer(record, np.uint64).reshape(-1, _WORDS).sum(axis=1)
    return int(sums @ _odd(len(sums)))


@cache
def _odd(pages: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.arange(1, 2 * pages, 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def is_of_last_product(name: str) -> bool:
    """Whether an expert needs this tensor only after all others: it comes last in a record, and is read last."""
    return name.startswith("down_proj")


def lay_out(tensors: list[tuple[str, str, tuple[int, ...], int]]) -> tuple[tuple[TensorSpec, ...], int]:
    """Places (name, dtype, shape, bytes) side by side; returns the specs and the bytes they span, in whole pages."""
    specs, end = [], 0
    for name, dtype, shape, size in tensors:
        specs.append(TensorSpec(name, dtype, shape, end, size))
        end = round_up(end + size, ALIGN)
    return tuple(specs), round_up(max(end, 1), PAGE)


def dump(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), indent=1)


def dump_shard(shard: Shard) -> dict[str, Any]:
    return asdict(shard)


def load_shard(facts: dict[str, Any]) -> Shard:
    tensors = tuple(TensorSpec(**{**one, "shape": tuple(one["shape"])}) for one in facts["tensors"])
    return Shard(**{**facts, "tensors": tensors, "checks": tuple(facts["checks"])})


def read_manifest(store: Path) -> Manifest:
    """Raises InputError where no finished store is, StoreCorrupt where its manifest cannot be read."""
    path = store / MANIFEST
    if not path.is_file():
        hint = "make it with: graphmem moe pack CHECKPOINT STORE"
        if (store / "config.json").is_file() and not (store / "experts").is_dir():
            raise InputError("this is a checkpoint, not a packed store", source=str(store), hint=hint)
        raise InputError("no packed store is here", source=str(store), hint=hint)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise InputError(
                f"this store has format {facts['format']}, this version reads {FORMAT}",
                source=str(store),
                hint="pack the checkpoint again",
            )
        layers = tuple(load_shard(one) for one in facts["layers"])
        return Manifest(**{**facts, "layers": layers, "rest": load_shard(facts["rest"])})
    except (ValueError, KeyError, TypeError) as problem:
        raise StoreCorrupt(
            f"the manifest cannot be read ({problem})", source=str(path), hint="pack the checkpoint again"
        ) from problem
