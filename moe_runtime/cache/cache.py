"""The cache of experts under a hard byte budget: one layer at a time says what it wants, takes it, and lets it go.

    begin(layer, wanted) -> foresee(next layers') -> take(expert), complete, release, … -> next begin, …, -> confirm()

Decisions (slots, counters) are made by the one thread that runs the model; reader threads only carry out reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from time import perf_counter
from typing import Protocol

from graphmem.moe_runtime.cache.counters import Counters
from graphmem.moe_runtime.cache.policy import Expert
from graphmem.moe_runtime.cache.reads import Read, ReadQueue, Source
from graphmem.moe_runtime.cache.slots import Slots

Tensors = tuple[object, ...]


class Arena(Source, Protocol):
    """Where records are: `tensors` are the views of a layer's expert in a slot, `let_go` says that what was computed
    from the slot has been queued. `warm` begins to take memory from the system beside everything else, `close` ends
    that."""

    def tensors(self, slot: int, layer: int, /) -> tuple[object, ...]: ...
    def let_go(self, slot: int) -> None: ...
    def warm(self) -> None: ...
    def close(self) -> None: ...


class ExpertCache:
    """Not thread-safe: one forward pass at a time. `record_bytes[layer]` are the bytes of one read."""

    def __init__(
        self,
        arena: Arena,
        slots: Slots,
        record_bytes: list[int],
        readers: int,
        *,
        on_demand: bool = False,
    ) -> None:
        self.arena, self.slots, self.record_bytes = arena, slots, record_bytes
        self.on_demand = on_demand
        self.counters = Counters()
        self.queue = ReadQueue(arena, readers)
        self._layers = len(record_bytes)
        self._reads: dict[Expert, Read] = {}
        self._unchecked: list[Read] = []
        self._unused: set[Expert] = set()
        self._to_read: deque[Expert] = deque()
        self._to_foresee: deque[Expert] = deque()
        self._order: tuple[int, ...] | None = None

    def begin(self, layer: int, wanted: Iterable[int], wide: bool) -> list[int]:
        """Holds what the layer wants until it is released and asks for what is not there. Returns the wanted in the
        order to compute: as given when `wide`, else what is in memory first.

        In a wide pass (a prompt: most experts of every layer, layer after layer) the next use of each layer is known,
        so room is made from the layer that is wanted last: the one just done."""
        self._settle()
        slots, counters = self.slots, self.counters
        here, coming, absent = [], [], []
        for expert in wanted:
            key = (layer, expert)
            slots.held.add(key)
            if key not in slots.at:
                absent.append(expert)
            elif key in slots.loading and not self._reads[key].has(-1):
                coming.append(expert)
            else:
                here.append(expert)
        self._call_off([key for key in (*slots.expected, *self._to_foresee) if key[0] != layer])
        self._order = self._by_next_use(layer) if wide else None
        counters.hit += len(here)
        for expert in coming:
            self._meet(layer, expert)
        counters.miss += len(absent)
        self._to_read = deque((layer, expert) for expert in (sorted(absent) if wide else absent))
        if not self.on_demand:
            self._pump()
        return list(wanted) if wide and self._has_room(len(absent)) else here + coming + absent

    def foresee(self, keys: Iterable[Expert]) -> None:
        """Experts that coming layers are expected to want, the most pressing first; read when nothing wanted lacks a
        slot. What was foreseen before and is not named again is called off, unless it is being read."""
        self._call_off(list(keys))
        self._pump()

    def take(self, key: Expert) -> Tensors:
        """The tensors of a wanted expert; waits for its first stretch, but not for the second (`complete`) nor for its
        checksum (`confirm`). Raises what the read raised."""
        slots = self.slots
        if key not in slots.at:
            self._demand(key)
        read = self._reads.get(key)
        if read is not None:
            self._receive(read, 0)
        slots.policy.use(key)
        if key in self._unused:
            self._unused.discard(key)
            self.counters.used += 1
        return self.arena.tensors(slots.at[key], key[0])

    def complete(self, key: Expert) -> None:
        """Waits for the rest of what was taken. Raises what the read raised."""
        read = self._reads.get(key)
        if read is not None:
            self._receive(read, -1)
            self._unchecked.append(read)

    def release(self, key: Expert) -> None:
        """The layer has computed with it: its slot may be given away."""
        self.slots.held.discard(key)
        self.arena.let_go(self.slots.at[key])
        if (self._to_read and not self.on_demand) or self._to_foresee:
            self._settle()
            self._pump()

    def confirm(self) -> None:
        """Waits for the checksums of what was taken; to be called at the end of a pass, before anybody sees what was
        computed. (At the end of each layer it costs 0.7 to 1 ms of 50 a token: a thread has to wake.)
        Raises StoreCorrupt."""
        for read in self._unchecked:
            read.wait()
        self._settle()

    def reset(self) -> None:
        """After an error in the middle of a pass: nothing is wanted or expected any more."""
        self._to_read.clear()
        self.slots.held.clear()
        self._unchecked.clear()
        self._call_off()
        for read in list(self._reads.values()):
            read.wait()
            self._finish(read)

    def close(self) -> None:
        """Ends the reader threads and lets the arena's memory go."""
        self.queue.close()
        self.arena.close()
        del self.arena

    def _has_room(self, absent: int) -> bool:
        """Whether reads can run ahead of a pass that computes in the given order; else slots that wait for their turn
        could block the reads of those before them, and what is in memory must be computed first."""
        slots = self.slots
        return slots.count - len(slots.held) + absent - len(slots.pins) >= min(absent, 4)

    def _by_next_use(self, layer: int) -> tuple[int, ...]:
        return tuple(range(layer, -1, -1)) + tuple(range(self._layers - 1, layer, -1))

    def _call_off(self, but: Collection[Expert] = ()) -> None:
        """What was foreseen is known better now: expects only `but`, and does not begin reads that nobody wants."""
        slots = self.slots
        self._to_foresee = deque(key for key in but if key not in slots.at)
        slots.expected = {key for key in but if key in slots.at}
        for key in [key for key in slots.loading if key not in slots.held and key not in but]:
            read = self._reads[key]
            if self.queue.cancel(read):
                del self._reads[key]
                self._unused.discard(key)
                slots.abandon(key)
                self.counters.ahead -= 1
                self.counters.read_bytes -= self.record_bytes[key[0]]

    def _meet(self, layer: int, expert: int) -> None:
        read = self._reads[(layer, expert)]
        if self.queue.hurry(read):
            self.counters.miss += 1
            self.counters.ahead -= 1
            self._unused.discard((layer, expert))
        else:
            self.counters.late += 1

    def _receive(self, read: Read, stretch: int) -> None:
        if not read.has(stretch):
            began = perf_counter()
            read.wait_for(stretch)
            self.counters.wait_s += perf_counter() - began
        if read.error is not None:
            read.wait()
            self._finish(read)
            raise read.error

    def _settle(self) -> None:
        """Raises what was wrong with a read whose expert was taken."""
        for read in [read for read in self._reads.values() if read.is_done]:
            self._finish(read)
        done, self._unchecked = self._unchecked, [read for read in self._unchecked if not read.is_done]
        for read in done:
            if read.is_done and read.error is not None:
                raise read.error

    def _finish(self, read: Read) -> None:
        del self._reads[read.key]
        if read.error is None:
            self.slots.loaded(read.key)
        else:
            self._unused.discard(read.key)
            self.slots.abandon(read.key)

    def _pump(self) -> None:
        """Gives slots to what waits for one: first the wanted, then, if none is left waiting, the expected."""
        while self._to_read:
            if not self._read(self._to_read[0], urgent=True):
                return
            self._to_read.popleft()
        while self._to_foresee:
            key = self._to_foresee[0]
            if key not in self.slots.at:
                if not self._read(key, urgent=False):
                    return
                self.counters.ahead += 1
                self._unused.add(key)
            self.slots.expected.add(key)
            self._to_foresee.popleft()

    def _demand(self, key: Expert) -> None:
        """A wanted expert has no slot yet: reads it now; when all slots are taken, after a read that nobody wants."""
        if key in self._to_read:
            self._to_read.remove(key)
        while not self._read(key, urgent=True):
            self._free_a_slot()

    def _free_a_slot(self) -> None:
        slots = self.slots
        if slots.expected:
            slots.expected.clear()
            return
        unwanted = [read for key, read in self._reads.items() if key not in slots.held]
        if not unwanted:
            raise RuntimeError("every slot is held by the running layer")
        unwanted[0].wait()
        self._finish(unwanted[0])

    def _read(self, key: Expert, urgent: bool) -> bool:
        """False when no slot can be had."""
        taken = self.slots.take(key, self._order)
        if taken is None:
            return False
        slot, victim = taken
        if victim is not None:
            self.counters.evicted += 1
            if victim in self._unused:
                self._unused.discard(victim)
                self.counters.wasted += 1
                self.counters.wasted_bytes += self.record_bytes[victim[0]]
        self.counters.read_bytes += self.record_bytes[key[0]]
        self._reads[key] = self.queue.submit(key, slot, urgent, wide=self._order is not None)
        return True
