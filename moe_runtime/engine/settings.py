"""What an engine can be told, checked when it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypedDict

from graphmem.moe_runtime.cache.policy import POLICIES, Expert
from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.store.reader import READERS

PREFETCH = ("auto", "next", "layer", "off")
PRECISIONS = ("exact",)


class Options(TypedDict, total=False):
    """The arguments of `Engine.open` that are named."""

    precision: str
    policy: str
    prefetch: str
    threads: int
    reader: str
    readers: int
    pins: Iterable[Expert]
    verify: bool
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`budget`: expert bytes in memory, as bytes, "25%" of all experts, or "2GiB"; never exceeded.

    `policy`: which expert leaves; lrfu, lru, lfu, shallow. `pins`: (layer, expert) that never leave.
    `prefetch`: auto (the next layer's experts while guessing pays), next (always), layer (only what the running layer
    wants, all at once), off (each when its turn comes).
    `threads`: torch's, process-wide. `readers`: threads that read for a prompt; for a single token one does.
    `reader`: auto, direct, buffered, mmap (the shards themselves, for budgets that cover all experts; auto takes it
    when so much memory is not free, since the kernel can take mapped pages back). `verify`: the checksum of every read.
    `device`: cpu, or a CUDA device, whose memory the budget then counts."""

    budget: str | int = "25%"
    precision: str = "exact"
    policy: str = "lrfu"
    prefetch: str = "auto"
    threads: int = 1
    reader: str = "auto"
    readers: int = 2
    pins: Iterable[Expert] = ()
    verify: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("policy", self.policy, POLICIES)
        _one_of("prefetch", self.prefetch, PREFETCH)
        _one_of("reader", self.reader, ("auto", *READERS))
        for name in ("threads", "readers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")


def _one_of(name: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        near = get_close_matches(str(value), values, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"{name}={value!r} is not known", hint=f"{hint}one of {', '.join(values)}")
