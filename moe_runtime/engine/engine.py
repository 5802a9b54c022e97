"""The one object a user holds: a model whose experts live on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from transformers import AutoTokenizer

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.cache.policy import Expert, make_policy
from graphmem.moe_runtime.cache.slots import Slots
from graphmem.moe_runtime.engine import generate as text
from graphmem.moe_runtime.engine.arena import CudaArena, HostArena, MappedExperts
from graphmem.moe_runtime.engine.budget import LEAST_SLOTS, budget_bytes
from graphmem.moe_runtime.engine.generate import Generation, Messages, Sampling
from graphmem.moe_runtime.engine.hook import Foresight, OffloadedLayer
from graphmem.moe_runtime.engine.load import load_skeleton
from graphmem.moe_runtime.errors import BudgetError, InputError
from graphmem.moe_runtime.predict.next_gate import NextGate, router_of
from graphmem.moe_runtime.predict.usefulness import Usefulness
from graphmem.moe_runtime.store.checkpoint import experts_modules
from graphmem.moe_runtime.store.format import Manifest, read_manifest
from graphmem.moe_runtime.store.pack import pack
from graphmem.moe_runtime.store.reader import Reader, open_reader

PREFETCH = ("auto", "next", "layer", "off")
PRECISIONS = ("exact",)


class Engine:
    """Made by `open`; closes with `close` or as a context manager. One forward pass runs at a time; calls from several
    threads wait for each other token by token."""

    def __init__(self, store: Path, manifest: Manifest, model: Any, cache: ExpertCache | MappedExperts, reader: Reader):
        self.store, self.manifest, self.model = store, manifest, model
        self._cache, self._reader = cache, reader
        self._settings: dict[str, Any] = {}
        self._foresight: Foresight | None = None
        self._layers: list[OffloadedLayer] = []
        self._turn = threading.RLock()
        self._closed = False

    @staticmethod
    def pack(
        checkpoint_folder: str | Path, store_folder: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> Manifest:
        """Writes the store of a Hugging Face MoE checkpoint. Call it again after an interruption: it goes on."""
        return pack(Path(checkpoint_folder), Path(store_folder), progress)

    @classmethod
    def open(
        cls,
        store_folder: str | Path,
        budget: str | int = "25%",
        precision: str = "exact",
        policy: str = "lru",
        prefetch: str = "auto",
        threads: int = 1,
        *,
        reader: str = "auto",
        readers: int = 2,
        pins: Iterable[Expert] = (),
        verify: bool = True,
        device: str = "cpu",
    ) -> Engine:
        """Opens a packed store.

        `budget`: expert bytes in memory, as bytes, "25%" of all experts, or "2GiB"; never exceeded. When it covers all
        experts, the shards are mapped instead of read. `policy`: lru, lfu, shallow. `prefetch`: auto (the next layer's
        experts while guessing pays), next (always), layer (only what the running layer wants, all at once), off (each
        when its turn comes). `threads`: torch's, process-wide. `reader`: auto, direct, buffered, mmap; `readers`: threads
        that read. `pins`: (layer, expert) that never leave. `verify`: checksum of every read."""
        store = Path(store_folder)
        _known("precision", precision, PRECISIONS)
        _known("prefetch", prefetch, PREFETCH)
        if threads < 1 or readers < 1:
            raise InputError(f"threads={threads} and readers={readers} must be at least 1")
        manifest = read_manifest(store)
        allowed = budget_bytes(budget, manifest)
        mode = "mmap" if reader == "auto" and allowed >= manifest.expert_bytes and device == "cpu" else reader
        opened = open_reader(store, manifest, mode, verify)
        try:
            torch.set_num_threads(threads)
            model = load_skeleton(store, opened, readers)
            cache = _cache(
                opened, manifest, allowed, model, policy, prefetch, readers, tuple(pins), torch.device(device)
            )
        except BaseException:
            opened.close()
            raise
        engine = cls(store, manifest, model, cache, opened)
        engine._settings = {"budget_bytes": allowed, "policy": policy, "prefetch": prefetch, "reader": opened.mode}
        engine._attach(prefetch)
        if device != "cpu":
            model.to(device)
        return engine

    @cached_property
    def tokenizer(self) -> Any:
        try:
            return AutoTokenizer.from_pretrained(self.store)
        except (OSError, ValueError) as problem:
            hint = "copy its files beside the checkpoint and pack again, or give token ids to engine.model"
            raise InputError("the store has no tokenizer", source=str(self.store), hint=hint) from problem

    def generate(self, prompt: str | Messages, max_new_tokens: int = 128, **sampling: Any) -> Generation:
        """The whole answer to a text or to chat messages. `sampling`: temperature, top_p, seed, stop."""
        before = self._cache.counters.copy()
        made = text.generate(self.model, self.tokenizer, prompt, _sampling(max_new_tokens, sampling))
        return replace(made, stats=asdict(self._cache.counters.since(before)))

    def stream(self, prompt: str | Messages, max_new_tokens: int = 128, **sampling: Any) -> Iterator[str]:
        """The same in pieces, as they are made. Close the iterator to stop early."""
        return text.stream(self.model, self.tokenizer, prompt, _sampling(max_new_tokens, sampling))

    def stats(self) -> dict[str, Any]:
        """Settings, counters since `open`, and what is in memory now."""
        counters, cache = self._cache.counters, self._cache
        slots = cache.slots if isinstance(cache, ExpertCache) else None
        resident = len(slots.at) if slots else self.manifest.experts
        found = {
            **self._settings,
            **asdict(counters),
            "hit_share": counters.hit / counters.wanted if counters.wanted else 0.0,
            "wasted_share": counters.wasted_bytes / counters.read_bytes if counters.read_bytes else 0.0,
            "expert_bytes": self.manifest.expert_bytes,
            "experts": self.manifest.experts,
            "record_bytes": self.manifest.record_bytes,
            "slots": slots.count if slots else 0,
            "arena_bytes": slots.count * self.manifest.record_bytes if slots else 0,
            "experts_resident": resident,
            "expert_bytes_resident": resident * self.manifest.record_bytes,
            "prefetch_broken": next((one.next_gate.broken for one in self._layers if one.next_gate), ""),
        }
        usefulness = self._foresight.usefulness if self._foresight else None
        if usefulness is not None:
            found["prefetch_threshold"] = round(usefulness.threshold, 3)
            found["prefetch_right"] = usefulness.shares()
            found["prefetch_off"] = usefulness.is_off
        return found

    def close(self) -> None:
        """Stops the reader threads and closes the files. The model cannot be used afterwards; may be called twice."""
        if not self._closed:
            self._closed = True
            self._cache.close()
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _attach(self, prefetch: str) -> None:
        modules, shards = experts_modules(self.model), self.manifest.layers
        if prefetch in ("auto", "next") and isinstance(self._cache, ExpertCache):
            self._foresight = Foresight(Usefulness(self.manifest.record_bytes) if prefetch == "auto" else None)
        for layer, ((_, module), shard) in enumerate(zip(modules, shards, strict=True)):
            names = [spec.name for spec in shard.tensors]
            one = OffloadedLayer(module, layer, self._cache, names, self._foresight)
            if layer + 1 < len(modules):
                block = self.model.get_submodule(modules[layer + 1][0].rpartition(".")[0])
                router = router_of(block)
                one.next_gate = NextGate(router) if router is not None else None
            module._offloaded = one  # type: ignore[assignment]
            self._layers.append(one)
        self.model.register_forward_pre_hook(self._enter)
        self.model.register_forward_hook(self._leave, always_call=True)

    def _enter(self, *_: Any) -> None:
        self._turn.acquire()
        if self._closed:
            raise InputError("the engine is closed", source=str(self.store), hint="open it again")
        self._cache.counters.passes += 1

    def _leave(self, *_: Any) -> None:
        self._turn.release()


def _cache(
    reader: Reader,
    manifest: Manifest,
    allowed: int,
    model: Any,
    policy: str,
    prefetch: str,
    readers: int,
    pins: tuple[Expert, ...],
    device: torch.device,
) -> ExpertCache | MappedExperts:
    layers = len(manifest.layers)
    decided = make_policy(policy, layers, layers * _choices(model))
    wrong = [pin for pin in pins if not (0 <= pin[0] < layers and 0 <= pin[1] < manifest.layers[pin[0]].records)]
    if wrong:
        raise InputError(f"pin {wrong[0]} is no (layer, expert) of this model")
    if reader.mode == "mmap":
        if allowed < manifest.expert_bytes:
            hint = "use reader='direct' or 'buffered', or a budget of 100%"
            raise BudgetError("mmap keeps every expert in memory, the budget does not cover them", hint=hint)
        return MappedExperts(reader)
    slots = allowed // manifest.record_bytes
    if len(set(pins)) + LEAST_SLOTS > slots:
        raise BudgetError(f"{len(set(pins))} pins leave fewer than {LEAST_SLOTS} of {slots} slots to the others")
    count = min(slots, manifest.experts)
    arena = HostArena(reader, count) if device.type == "cpu" else CudaArena(reader, count, device)
    sizes = [shard.record_bytes for shard in manifest.layers]
    return ExpertCache(arena, Slots(count, decided, pins), sizes, readers, on_demand=prefetch == "off")


def _choices(model: Any) -> int:
    config = model.config.get_text_config()
    return int(getattr(config, "num_experts_per_tok", None) or getattr(config, "num_experts_per_token", None) or 2)


def _sampling(max_new_tokens: int, given: dict[str, Any]) -> Sampling:
    unknown = set(given) - {"temperature", "top_p", "seed", "stop"}
    if unknown:
        raise InputError(f"{sorted(unknown)[0]} is not known", hint="one of temperature, top_p, seed, stop")
    stop = given.pop("stop", ())
    stop = (stop,) if isinstance(stop, str) else tuple(stop or ())
    return Sampling(max_new_tokens, stop=stop, **given)


def _known(name: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise InputError(f"{name}={value!r} is not known", hint=f"one of {', '.join(values)}")
