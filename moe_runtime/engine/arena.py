"""Where experts are while they are computed with. Views are made once for each slot and layout, not once for each use.

HostArena      one private anonymous mapping of `slots * slot_bytes`: the hard bound on expert bytes in memory
MappedExperts  no arena: the shards themselves, mapped; for budgets that cover all experts
CudaArena      slots on the GPU, filled through pinned staging on a stream of their own
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import torch

from graphmem.moe_runtime.cache.counters import Counters
from graphmem.moe_runtime.cache.policy import Expert
from graphmem.moe_runtime.store.format import Manifest, Shard
from graphmem.moe_runtime.store.reader import Reader

Tensors = tuple[torch.Tensor, ...]


def tensor_at(memory: torch.Tensor, start: int, shard: Shard, index: int) -> torch.Tensor:
    """The `index`-th tensor of the record that begins at byte `start` of `memory` (uint8), as a view."""
    spec = shard.tensors[index]
    flat = memory[start + spec.offset : start + spec.offset + spec.size_bytes]
    return flat.view(getattr(torch, spec.dtype)).view(spec.shape)


_AT_ONCE_BYTES = 2 << 20  # meanwhile no other thread can map memory
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, Linux 5.14


def anonymous(size_bytes: int) -> mmap.mmap:
    """Private, so that it counts as RssAnon; in huge pages where the system has them: direct reads come three times as
    fast (3.2 against 1.1 GiB/s), and a token is computed in 27 ms instead of 30. See `touch`."""
    memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def touch(memory: mmap.mmap, start: int, size_bytes: int) -> None:
    """Takes the pages from the system, before a direct read does, which would take ten times as long. `start` is on a
    page. Where the system cannot do it by itself they are filled with zeros."""
    if not _populate(memory, start, size_bytes):
        for page in range(start, start + size_bytes, mmap.PAGESIZE):
            memory[page] = 0


def _populate(memory: mmap.mmap, start: int, size_bytes: int) -> bool:
    """Leaves what is in the pages as it is; false where the system does not know how."""
    try:
        for at in range(start, start + size_bytes, _AT_ONCE_BYTES):
            memory.madvise(_POPULATE_WRITE, at, min(_AT_ONCE_BYTES, start + size_bytes - at))
    except OSError:
        return False
    return True


class _Views:
    """The tensors of a slot for a layer; layers of one layout share them."""

    def __init__(self, memory: torch.Tensor, manifest: Manifest) -> None:
        self._memory, self._slot_bytes, self._layers = memory, manifest.record_bytes, manifest.layers
        layouts = {shard.tensors: number for number, shard in enumerate(manifest.layers)}
        self._layout = [layouts[shard.tensors] for shard in manifest.layers]
        self._made: dict[tuple[int, int], Tensors] = {}

    def of(self, slot: int, layer: int) -> Tensors:
        key = (slot, self._layout[layer])
        made = self._made.get(key)
        if made is None:
            shard, start = self._layers[layer], slot * self._slot_bytes
            made = tuple(tensor_at(self._memory, start, shard, index) for index in range(len(shard.tensors)))
            self._made[key] = made
        return made


class HostArena:
    """After `warm` its pages are taken from the system by a thread of its own (0.6 GiB/s on a virtual machine), so
    that opening does not wait for them; those of a slot that is read into before that, then. `cuts[layer]`: bytes of a
    record after which a second stretch begins, 0 for records that come in one."""

    def __init__(self, reader: Reader, slots: int, cuts: list[int]) -> None:
        self._reader, self._layers, self._cuts = reader, reader.manifest.layers, cuts
        slot_bytes = reader.manifest.record_bytes
        self._memory, self._slot_bytes = anonymous(slots * slot_bytes), slot_bytes
        whole = memoryview(self._memory)
        self._windows = [whole[slot * slot_bytes : (slot + 1) * slot_bytes] for slot in range(slots)]
        self._untouched = set(range(slots))
        self._toucher: threading.Thread | None = None
        self._views = _Views(torch.frombuffer(self._memory, dtype=torch.uint8), reader.manifest)

    def stretches(self, layer: int) -> int:
        return 2 if self._cuts[layer] else 1

    def load(self, slot: int, key: Expert, stretch: int) -> None:
        if slot in self._untouched:
            self._untouched.discard(slot)
            touch(self._memory, slot * self._slot_bytes, self._slot_bytes)
        shard, cut = self._layers[key[0]], self._cuts[key[0]]
        first, end = (cut, shard.record_bytes) if stretch else (0, cut or shard.record_bytes)
        self._reader.read_range(shard, key[1], self._windows[slot], first, end)

    def check(self, slot: int, key: Expert) -> None:
        self._reader.check(self._layers[key[0]], key[1], self._windows[slot])

    def tensors(self, slot: int, layer: int) -> Tensors:
        return self._views.of(slot, layer)

    def let_go(self, slot: int) -> None:
        pass

    def warm(self) -> None:
        self._toucher = threading.Thread(target=self._touch_all, name="arena", daemon=True)
        self._toucher.start()

    def close(self) -> None:
        self._untouched.clear()
        if self._toucher is not None:
            self._toucher.join()

    def _touch_all(self) -> None:
        with suppress(KeyError):  # the last one was taken by a reader, or the arena is closed
            while _populate(self._memory, self._untouched.pop() * self._slot_bytes, self._slot_bytes):
                pass


class CudaArena:
    """Reads into pinned memory, copies on a stream of its own. The computing stream waits for a slot's copy, and the
    next copy into a slot waits for what was computed from it. The budget counts bytes on the GPU; each reader thread
    has one pinned record beside it."""

    def __init__(self, reader: Reader, slots: int, device: torch.device) -> None:
        self._reader, self._layers, self._device = reader, reader.manifest.layers, device
        self._slot_bytes = reader.manifest.record_bytes
        self._memory = torch.empty(slots * self._slot_bytes, dtype=torch.uint8, device=device)
        self._views = _Views(self._memory, reader.manifest)
        self._copies = torch.cuda.Stream(device)
        self._copied: dict[int, Any] = {}
        self._computed: dict[int, Any] = {}
        self._local = threading.local()

    def stretches(self, _: int) -> int:
        return 1

    def load(self, slot: int, key: Expert, _: int) -> None:
        staging = getattr(self._local, "staging", None)
        if staging is None:
            staging = torch.empty(self._slot_bytes, dtype=torch.uint8, pin_memory=True)
            self._local.staging = staging
        shard = self._layers[key[0]]
        self._reader.read(shard, key[1], memoryview(staging.numpy()))  # type: ignore[arg-type]
        with torch.cuda.stream(self._copies):
            if slot in self._computed:
                self._copies.wait_event(self._computed[slot])
            start = slot * self._slot_bytes
            self._memory[start : start + shard.record_bytes].copy_(staging[: shard.record_bytes], non_blocking=True)
            event = self._copies.record_event()
        event.synchronize()  # the staging memory is used again by this thread's next read
        self._copied[slot] = event

    def check(self, *_: Any) -> None:
        """`load` has checked the record before copying it."""

    def tensors(self, slot: int, layer: int) -> Tensors:
        torch.cuda.current_stream(self._device).wait_event(self._copied[slot])
        return self._views.of(slot, layer)

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass

    def let_go(self, slot: int) -> None:
        self._computed[slot] = torch.cuda.current_stream(self._device).record_event()


class MappedExperts:
    """All experts in place in the mapped shards: nothing is copied, the kernel's page cache is the memory. Has the face
    of an ExpertCache. An expert is checked when it is used for the first time."""

    def __init__(self, reader: Reader) -> None:
        self.counters = Counters()
        self._reader = reader
        self._maps = [reader.map(shard) for shard in reader.manifest.layers]
        self._memories = [torch.frombuffer(mapped, dtype=torch.uint8) for mapped in self._maps]
        self._known: dict[Expert, Tensors] = {}

    def begin(self, layer: int, wanted: Iterable[int], wide: bool) -> list[int]:
        order = list(wanted)
        if wide:
            self._maps[layer].madvise(mmap.MADV_WILLNEED)
        self.counters.hit += len(order)
        return order

    def foresee(self, keys: Iterable[Expert]) -> None:
        pass

    def take(self, key: Expert) -> Tensors:
        known = self._known.get(key)
        return known if known is not None else self._meet(key)

    def complete(self, key: Expert) -> None:
        pass

    def release(self, key: Expert) -> None:
        pass

    def confirm(self) -> None:
        pass

    def reset(self) -> None:
        pass

    def close(self) -> None:
        self._known.clear()

    def _meet(self, key: Expert) -> Tensors:
        shard = self._reader.manifest.layers[key[0]]
        start = shard.offset(key[1])
        if self._reader.verify:
            self._reader.check(shard, key[1], memoryview(self._maps[key[0]])[start : start + shard.record_bytes])
        memory = self._memories[key[0]]
        made = tuple(tensor_at(memory, start, shard, index) for index in range(len(shard.tensors)))
        self._known[key] = made
        return made
