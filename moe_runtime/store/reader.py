"""Reads records of a store into memory that the caller owns. Thread-safe: a reader keeps no position.

direct     O_DIRECT: past the page cache, so that nothing but the budget holds experts
buffered   where O_DIRECT is not to be had; what was read is dropped from the page cache right after
mmap       the file itself is the memory, for budgets that cover all experts
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from pathlib import Path
from typing import Literal

from graphmem.moe_runtime.errors import InputError, ReadFailed, StoreCorrupt
from graphmem.moe_runtime.store.format import PAGE, Manifest, Shard, check_of

ReaderName = Literal["direct", "buffered", "mmap"]
READERS: tuple[ReaderName, ...] = ("direct", "buffered", "mmap")


class Reader:
    """Opens every shard of the store and checks its size and first page. `close` may be called twice."""

    def __init__(self, store: Path, manifest: Manifest, mode: ReaderName, verify: bool = True) -> None:
        self.store, self.manifest, self.mode, self.verify = store, manifest, mode, verify
        self._files: dict[str, int] = {}
        try:
            for shard in (*manifest.layers, manifest.rest):
                self._files[shard.file] = self._open(shard)
        except BaseException:
            self.close()
            raise

    def read(self, shard: Shard, record: int, into: memoryview) -> None:
        """Fills `into` (page-aligned, `record_bytes` long). Raises ReadFailed, StoreCorrupt."""
        self.read_range(shard, record, into, 0, shard.record_bytes)
        self.check(shard, record, into)

    def read_range(self, shard: Shard, record: int, into: memoryview, first: int, end: int) -> None:
        """Fills bytes `first` to `end` of the record, both on pages; not checked. Raises ReadFailed, StoreCorrupt."""
        descriptor, at, start = self.descriptor(shard), first, shard.offset(record)
        while at < end:
            try:
                count = os.preadv(descriptor, [into[at:end]], start + at)
            except OSError as problem:
                raise self._failed(shard, record, problem) from problem
            if count <= 0:
                raise self._corrupt(shard, record, "the file ends inside it")
            at += count
        if self.mode == "buffered":
            os.posix_fadvise(descriptor, start + first, end - first, os.POSIX_FADV_DONTNEED)

    def check(self, shard: Shard, record: int, data: memoryview) -> None:
        """Raises StoreCorrupt when `data` is not the record that was packed."""
        if self.verify and check_of(data[: shard.record_bytes]) != shard.checks[record]:
            raise self._corrupt(shard, record, "its checksum does not match")

    def descriptor(self, shard: Shard) -> int:
        return self._files[shard.file]

    def map(self, shard: Shard) -> mmap.mmap:
        """The whole shard as memory, read-only pages of the file, private so that torch may take it as writable."""
        prot = mmap.PROT_READ | mmap.PROT_WRITE
        return mmap.mmap(self._files[shard.file], shard.size_bytes, flags=mmap.MAP_PRIVATE, prot=prot)

    def close(self) -> None:
        for descriptor in self._files.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._files.clear()

    def _open(self, shard: Shard) -> int:
        path = self.store / shard.file
        try:
            with path.open("rb", buffering=0) as file:
                header, size = file.read(PAGE), os.fstat(file.fileno()).st_size
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            flags = os.O_RDONLY | (os.O_DIRECT if self.mode == "direct" else 0)
            descriptor = os.open(path, flags)
        except OSError as problem:
            if problem.errno == errno.EINVAL and self.mode == "direct":
                raise DirectUnavailable(str(path)) from problem
            raise StoreCorrupt(
                f"{shard.file} cannot be opened ({problem.strerror})", source=str(self.store), hint="pack again"
            ) from problem
        self._files[shard.file] = descriptor
        if size != shard.size_bytes:
            message = f"{shard.file} has {size} bytes instead of {shard.size_bytes}"
            raise StoreCorrupt(message, source=str(self.store), hint="the shard is truncated; pack again")
        if header != shard.header(self.manifest.store_id):
            message = f"{shard.file} is the shard of another layer or model"
            raise StoreCorrupt(message, source=str(self.store), hint="pack again")
        return descriptor

    def _corrupt(self, shard: Shard, record: int, what: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"{what}", source=f"{self.store}/{shard.file}", position=self._place(shard, record), hint="pack again"
        )

    def _failed(self, shard: Shard, record: int, problem: OSError) -> ReadFailed:
        return ReadFailed(
            f"the disk did not deliver ({problem.strerror})",
            source=f"{self.store}/{shard.file}",
            position=self._place(shard, record),
            hint="try again; if it stays, check the disk and pack again",
        )

    @staticmethod
    def _place(shard: Shard, record: int) -> str:
        return f"expert {record} of {shard.owner}" if shard.owner else f"block {record}"


class DirectUnavailable(Exception):
    """The file system has no O_DIRECT; the caller falls back to buffered reads."""


def open_reader(store: Path, manifest: Manifest, mode: str, verify: bool = True) -> Reader:
    """`auto` is direct where the file system has it, buffered elsewhere. The mode taken is `reader.mode`."""
    if mode not in ("auto", *READERS):
        raise InputError(f"reader={mode!r} is not known", hint=f"one of auto, {', '.join(READERS)}")
    wanted: ReaderName = "direct" if mode == "auto" else mode  # type: ignore[assignment]
    if not hasattr(os, "O_DIRECT") and wanted == "direct":
        wanted = "buffered"
    try:
        return Reader(store, manifest, wanted, verify)
    except DirectUnavailable:
        return Reader(store, manifest, "buffered", verify)
