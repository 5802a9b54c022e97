"""What a process and the page cache really hold, split as the kernel splits it."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_MIB = 2**20


def resident_mib() -> dict[str, float]:
    """RssAnon, RssShmem and RssFile of this process. VmHWM alone would mix them."""
    found = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "RssShmem", "RssFile"):
            found[name] = int(rest.split()[0]) / 1024
    return found


@dataclass
class Peaks:
    """The highest of each, sampled every 20 ms by a thread of its own while the block runs."""

    mib: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Peaks:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while True:
            for name, value in resident_mib().items():
                self.mib[name] = max(value, self.mib.get(name, 0.0))
            if self._stop.wait(0.02):
                return


def cached_mib(files: Iterable[Path]) -> float:
    """How much of the files is in the page cache, asked with `mincore`, which touches nothing."""
    return sum(_cached_pages(path) for path in files) * mmap.PAGESIZE / _MIB


def drop_cached(files: Iterable[Path]) -> None:
    """Takes the files' clean pages out of the page cache; pages that a process maps stay."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def weight_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".safetensors", ".bin", ".dat")]


def _cached_pages(path: Path) -> int:
    size = path.stat().st_size
    if not size:
        return 0
    access = mmap.PROT_READ | mmap.PROT_WRITE
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=access) as mapped:
        seen = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        whole = ctypes.c_char.from_buffer(mapped)
        code = ctypes.CDLL(None).mincore(ctypes.byref(whole), ctypes.c_size_t(size), seen)
        del whole
    if code != 0:
        raise OSError(f"mincore failed for {path}")
    return sum(page & 1 for page in seen)
