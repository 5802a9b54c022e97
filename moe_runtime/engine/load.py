"""Builds the transformers model around the store: the code is transformers', the experts' weights stay on `meta`, every
other weight is read from `rest.bin` into private memory (not mapped: it would count as page cache of the store).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from graphmem.moe_runtime.engine.arena import anonymous, tensor_at, touch
from graphmem.moe_runtime.engine.hook import IMPLEMENTATION, register
from graphmem.moe_runtime.errors import ModelError
from graphmem.moe_runtime.store.checkpoint import experts_modules, read_config
from graphmem.moe_runtime.store.format import Manifest
from graphmem.moe_runtime.store.reader import Reader

_NOT_PACKED = "config.json is not the packed one; pack the checkpoint again"


def load_skeleton(store: Path, reader: Reader, threads: int) -> Any:
    """The model in eval mode, without its experts. Raises ModelError when config and manifest do not fit."""
    manifest = reader.manifest
    config = read_config(store)
    register()
    with _parameters_on_meta():
        model = AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, manifest.dtype), experts_implementation=IMPLEMENTATION
        )
    _fit(model, manifest, store)
    try:
        found = model.load_state_dict(_rest(reader, threads), strict=False, assign=True)
    except RuntimeError as problem:
        message = "the weights do not have the shapes that the config describes"
        raise ModelError(message, source=str(store), hint=_NOT_PACKED) from problem
    model.tie_weights()
    model.eval().requires_grad_(False)
    held = {f"{shard.owner}.{spec.name}" for shard in manifest.layers for spec in shard.tensors}
    empty = [name for name, value in model.named_parameters() if value.is_meta and name not in held]
    if empty or found.unexpected_keys:
        what = (empty or found.unexpected_keys)[0]
        raise ModelError(f"model and store disagree about {what}", source=str(store), hint="pack the checkpoint again")
    return model


def place(model: torch.nn.Module, device: torch.device) -> None:
    """Moves what is in memory, tied weights once; `Module.to` would refuse because of the experts on `meta`."""
    for value in [*model.parameters(), *model.buffers()]:
        if not value.is_meta:
            value.data = value.data.to(device)


def _fit(model: Any, manifest: Manifest, store: Path) -> None:
    if model.config.model_type != manifest.model_type:
        message = f"config.json describes {model.config.model_type}, the store holds {manifest.model_type}"
        raise ModelError(message, source=str(store), hint=_NOT_PACKED)
    modules = experts_modules(model)
    have = [(name, int(module.num_experts)) for name, module in modules]  # type: ignore[arg-type]
    packed = [(shard.owner, shard.records) for shard in manifest.layers]
    if have != packed:
        message = f"the config describes {len(have)} layers of experts, the store holds {len(packed)} others"
        raise ModelError(message, source=str(store), hint=_NOT_PACKED)
    for (name, module), shard in zip(modules, manifest.layers, strict=True):
        for spec in shard.tensors:
            shape = tuple(getattr(module, spec.name).shape[1:])
            if shape != spec.shape:
                message = f"{name}.{spec.name} is {shape} an expert in the config, {spec.shape} in the store"
                raise ModelError(message, source=str(store), hint=_NOT_PACKED)


def _rest(reader: Reader, threads: int) -> dict[str, torch.Tensor]:
    """Every weight that is not an expert's, as views of one private mapping, read in blocks, several at a time."""
    shard = reader.manifest.rest
    memory = anonymous(max(1, shard.records) * shard.record_bytes)
    whole = memoryview(memory)

    def read(block: int) -> None:
        start = block * shard.record_bytes
        touch(memory, start, shard.record_bytes)
        reader.read(shard, block, whole[start : start + shard.record_bytes])

    with ThreadPoolExecutor(max(2, threads), "rest-reader") as pool:
        list(pool.map(read, range(shard.records)))
    bytes_ = torch.frombuffer(memory, dtype=torch.uint8)
    return {spec.name: tensor_at(bytes_, 0, shard, index) for index, spec in enumerate(shard.tensors)}


@contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Parameters on `meta`, buffers real: rotary tables are buffers that no checkpoint has."""
    original = torch.nn.Module.register_parameter

    def on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        original(module, name, parameter)
        if parameter is not None:
            module._parameters[name] = torch.nn.Parameter(parameter.detach().to("meta"), requires_grad=False)

    torch.nn.Module.register_parameter = on_meta  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = original  # type: ignore[method-assign]
