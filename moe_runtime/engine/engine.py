"""The one object a user holds: a model whose experts live on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self, Unpack

import torch
from transformers import AutoTokenizer

from graphmem.moe_runtime.cache.cache import ExpertCache
from graphmem.moe_runtime.cache.counters import Counters
from graphmem.moe_runtime.cache.policy import make_policy
from graphmem.moe_runtime.cache.slots import Slots
from graphmem.moe_runtime.engine import generate as text
from graphmem.moe_runtime.engine.arena import CudaArena, HostArena, MappedExperts
from graphmem.moe_runtime.engine.budget import LEAST_SLOTS, budget_bytes, fits
from graphmem.moe_runtime.engine.foresight import Foresight, View
from graphmem.moe_runtime.engine.generate import Generation, Messages, Sampling
from graphmem.moe_runtime.engine.hook import OffloadedLayer
from graphmem.moe_runtime.engine.load import load_skeleton, place
from graphmem.moe_runtime.engine.settings import Options, Settings
from graphmem.moe_runtime.errors import BudgetError, InputError
from graphmem.moe_runtime.predict.next_gate import NextGate, router_of
from graphmem.moe_runtime.predict.outlook import outlook_of
from graphmem.moe_runtime.predict.trial import Trial
from graphmem.moe_runtime.predict.usefulness import Usefulness
from graphmem.moe_runtime.store.checkpoint import experts_modules
from graphmem.moe_runtime.store.format import (
    PAGE,
    Manifest,
    Shard,
    is_of_last_product,
    read_manifest,
    round_up,
)
from graphmem.moe_runtime.store.pack import pack
from graphmem.moe_runtime.store.reader import Reader, open_reader

_LEAST_STRETCH_BYTES = 1 << 19  # smaller ones cost more in turns than they win in time


class Engine:
    """Made by `open`; closes with `close` or as a context manager. One forward pass runs at a time; calls from several
    threads wait for each other token by token."""

    def __init__(
        self,
        store: Path,
        model: Any,
        cache: ExpertCache | MappedExperts,
        reader: Reader,
        *,
        settings: Settings,
        allowed: int,
    ) -> None:
        self.store, self.model, self.manifest = store, model, reader.manifest
        self._cache, self._reader, self._settings, self._allowed = cache, reader, settings, allowed
        self._turn = threading.RLock()
        self._closed = False
        self._began = 0.0
        self._foresight: Foresight | None = None
        if settings.prefetch in ("auto", "next") and isinstance(cache, ExpertCache):
            adaptive = (
                (Usefulness(self.manifest.record_bytes), Trial()) if settings.prefetch == "auto" else (None, None)
            )
            self._foresight = Foresight(cache, self.manifest.experts, *adaptive)
        _attach(model, self.manifest, cache, self._foresight)
        model.register_forward_pre_hook(self._enter)
        model.register_forward_hook(self._leave, always_call=True)
        if isinstance(cache, ExpertCache):
            cache.arena.warm()

    @staticmethod
    def pack(
        checkpoint_folder: str | Path, store_folder: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> Manifest:
        """Writes the store of a Hugging Face MoE checkpoint. Call it again after an interruption: it goes on."""
        return pack(Path(checkpoint_folder), Path(store_folder), progress)

    @classmethod
    def open(cls, store_folder: str | Path, budget: str | int = "25%", **settings: Unpack[Options]) -> Engine:
        """Opens a packed store. `settings`: precision, policy, prefetch, threads and the others of `Settings`."""
        chosen = Settings(budget=budget, **settings)
        store = Path(store_folder)
        manifest = read_manifest(store)
        allowed = budget_bytes(chosen.budget, manifest)
        covers_all = allowed >= manifest.expert_bytes and chosen.device == "cpu"
        wants_mmap = covers_all and chosen.reader == "auto" and not fits(manifest.expert_bytes)
        mode = "mmap" if wants_mmap else chosen.reader
        reader = open_reader(store, manifest, mode, chosen.verify)
        try:
            torch.set_num_threads(chosen.threads)
            model = load_skeleton(store, reader, chosen.readers)
            cache = _cache(reader, allowed, chosen, _choices(model))
        except BaseException:
            reader.close()
            raise
        engine = cls(store, model, cache, reader, settings=chosen, allowed=allowed)
        if chosen.device != "cpu":
            place(model, torch.device(chosen.device))
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
        before = self.counters()
        made = text.generate(self.model, self.tokenizer, prompt, _sampling(max_new_tokens, sampling))
        return replace(made, stats=asdict(self._cache.counters.since(before)))

    def stream(self, prompt: str | Messages, max_new_tokens: int = 128, **sampling: Any) -> Iterator[str]:
        """The same in pieces, as they are made. Close the iterator to stop early."""
        return text.stream(self.model, self.tokenizer, prompt, _sampling(max_new_tokens, sampling))

    def counters(self) -> Counters:
        """A copy of the cache's counters since `open`."""
        return self._cache.counters.copy()

    def stats(self) -> dict[str, Any]:
        """Settings, counters since `open`, and what is in memory now."""
        counters, cache = self._cache.counters, self._cache
        slots = cache.slots if isinstance(cache, ExpertCache) else None
        resident = len(slots.at) if slots else self.manifest.experts
        found = {
            "budget_bytes": self._allowed,
            "policy": self._settings.policy,
            "prefetch": self._settings.prefetch,
            "reader": self._reader.mode,
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
            "prefetch_broken": self._broken(),
        }
        foresight = self._foresight
        usefulness = foresight.usefulness if foresight else None
        if foresight is not None and usefulness is not None:
            found["prefetch_threshold"] = round(usefulness.threshold, 3)
            found["prefetch_right"] = usefulness.shares()
            found["prefetch_off"] = usefulness.is_off or foresight.is_idle
            found["prefetch_token_ms"] = foresight.trial.times_ms() if foresight.trial else {}
        return found

    def _broken(self) -> str:
        views = self._foresight.views.values() if self._foresight else ()
        return next((view.gate.broken for view in views if view.gate.broken), "")

    def close(self) -> None:
        """Waits for the forward pass under way, stops the reader threads, closes the files and gives the memory of the
        experts back. The model cannot be used afterwards; may be called twice."""
        with self._turn:
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

    def _enter(self, *_: Any) -> None:
        self._turn.acquire()
        if self._closed:
            raise InputError("the engine is closed", source=str(self.store), hint="open it again")
        self._cache.counters.passes += 1
        self._began = perf_counter()

    def _leave(self, *_: Any) -> None:
        try:
            self._cache.confirm()
            if self._foresight is not None:
                self._foresight.end(perf_counter() - self._began)
        except BaseException:
            self._cache.reset()
            raise
        finally:
            self._turn.release()


def _attach(model: Any, manifest: Manifest, cache: ExpertCache | MappedExperts, foresight: Foresight | None) -> None:
    """Gives each experts module the layer that runs it, and the foresight a view of each."""
    for number, ((name, module), shard) in enumerate(zip(experts_modules(model), manifest.layers, strict=True)):
        names = [spec.name for spec in shard.tensors]
        module._offloaded = OffloadedLayer(module, number, cache, names, foresight)  # type: ignore[assignment]
        if foresight is not None:
            _watch(model, name, number, foresight)


def _watch(model: Any, name: str, number: int, foresight: Foresight) -> None:
    """Finds the router beside the experts module `name`, if there is one that can be asked; in a decoder layer of the
    usual kind (attention, norm, experts) also follows the residual stream."""
    block = name.rpartition(".")[0]
    router = router_of(model.get_submodule(block))
    if router is None:
        return
    decoder = model.get_submodule(block.rpartition(".")[0])
    norm = getattr(decoder, "post_attention_layernorm", None)
    gate = NextGate(router, norm)
    if norm is None or gate.exact:
        foresight.views[number] = View(gate, None)
        return
    before = foresight.views.get(number - 1)
    foresight.views[number] = View(gate, outlook_of(number, gate, before.outlook if before else None))

    def enter(_: Any, given: tuple[Any, ...]) -> None:
        if given:
            foresight.look_out(number, given[0])

    def leave(_: Any, given: tuple[Any, ...]) -> None:
        if given:
            foresight.look_back(number, given[0])

    decoder.register_forward_pre_hook(enter)
    norm.register_forward_pre_hook(leave)


def _cache(reader: Reader, allowed: int, settings: Settings, choices: int) -> ExpertCache | MappedExperts:
    manifest, pins = reader.manifest, frozenset(settings.pins)
    layers = len(manifest.layers)
    policy = make_policy(settings.policy, layers, layers * choices)
    wrong = [pin for pin in pins if not (0 <= pin[0] < layers and 0 <= pin[1] < manifest.layers[pin[0]].records)]
    if wrong:
        raise InputError(f"pin {wrong[0]} is no (layer, expert) of this model")
    if reader.mode == "mmap":
        if allowed < manifest.expert_bytes:
            hint = "use reader='direct' or 'buffered', or a budget of 100%"
            raise BudgetError("mmap keeps every expert in memory, the budget does not cover them", hint=hint)
        return MappedExperts(reader)
    count = min(allowed // manifest.record_bytes, manifest.experts)
    if len(pins) + LEAST_SLOTS > count:
        raise BudgetError(f"{len(pins)} pins leave fewer than {LEAST_SLOTS} of {count} slots to the others")
    device = torch.device(settings.device)
    arena = (
        HostArena(reader, count, [_cut(shard) for shard in manifest.layers])
        if device.type == "cpu"
        else CudaArena(reader, count, device)
    )
    sizes = [shard.record_bytes for shard in manifest.layers]
    on_demand = settings.prefetch == "off"
    return ExpertCache(arena, Slots(count, policy, pins), sizes, settings.readers, on_demand=on_demand)


def _cut(shard: Shard) -> int:
    """Where the weights of an expert's last product begin, in whole pages: the first product need not wait for them.
    0 where they do not come last, or one of the stretches would be small."""
    first = [spec.offset + spec.size_bytes for spec in shard.tensors if not is_of_last_product(spec.name)]
    last = [spec.offset for spec in shard.tensors if is_of_last_product(spec.name)]
    if not first or not last or max(first) > min(last):
        return 0
    cut = round_up(max(first), PAGE)
    return cut if min(cut, shard.record_bytes - cut) >= _LEAST_STRETCH_BYTES else 0


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
