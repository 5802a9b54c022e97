"""A Hugging Face checkpoint folder, read lazily: which tensors it has, and which parameters of the model they become.

The renaming and fusing rules are those that `from_pretrained` applies (transformers' own conversion table), used one
parameter at a time, so that a packed expert is byte for byte what transformers would have loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    build_glob_alternation,
    dot_natural_key,
    rename_source_key,
)

from graphmem.moe_runtime.errors import InputError, ModelError

# Architectures that are the engine's own: `register()` of the module makes transformers know them.
OWN_ARCHITECTURES = {"refactored_llama": "graphmem.moe_runtime.refactor.model"}


def read_config(folder: Path) -> Any:
    """The model's config. Code that a checkpoint brings along is never run."""
    path = folder / "config.json"
    if not path.is_file():
        raise InputError("no config.json is here", source=str(folder), hint="name the folder of a Hugging Face model")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        model_type = facts.get("model_type", "")
    except (ValueError, AttributeError) as problem:
        raise InputError(f"config.json cannot be read ({problem})", source=str(folder)) from problem
    if model_type in OWN_ARCHITECTURES:
        importlib.import_module(OWN_ARCHITECTURES[model_type]).register()
    if facts.get("quantization_config"):
        method = facts["quantization_config"].get("quant_method", "unknown")
        raise InputError(
            f"the checkpoint is quantised ({method})",
            source=str(folder),
            hint="load it with transformers, dequantise it, save it, and pack that",
        )
    try:
        return AutoConfig.from_pretrained(folder)
    except (ValueError, KeyError, OSError) as problem:
        raise InputError(
            f"transformers does not know this model: {_first_line(problem)}", source=str(folder)
        ) from problem


def experts_modules(model: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """The modules that transformers' experts interface decorates, in the order of the forward pass."""
    marks = ("is_transposed", "has_gate", "has_bias", "num_experts")
    return [(name, module) for name, module in model.named_modules() if all(hasattr(module, mark) for mark in marks)]


def expert_parameters(module: torch.nn.Module) -> list[str]:
    """Parameters with one row an expert; any other parameter of the module is shared and stays in memory."""
    count = module.num_experts
    return sorted(name for name, value in module._parameters.items() if value is not None and value.shape[0] == count)


@dataclass
class _Target:
    """What becomes one parameter (or several: a converter may split): a rule and its sources, in order."""

    rule: Any
    sources: list[tuple[str, str]] = field(default_factory=list)


class Checkpoint:
    """Opens shards on demand and closes them with itself. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_config(folder)
        self.files = _files_of(folder)
        self._open: dict[str, Any] = {}
        self._stack = contextlib.ExitStack()
        self.where = {key: file for file in self.files for key in self._handle(file).keys()}  # noqa: SIM118
        self.dtype = self._main_dtype()
        self.skeleton = self._build_skeleton()
        self._wanted = self.skeleton.state_dict()
        self.modules = experts_modules(self.skeleton)
        if not self.modules:
            raise InputError(
                f"{self.config.model_type} has no experts that transformers' experts interface knows",
                source=str(folder),
                hint="only Mixture-of-Experts models can be packed; see graphmem moe refactorize for dense ones",
            )
        self._plan: dict[str, torch.dtype] = dict(self.skeleton._get_dtype_plan(self.dtype))
        self.targets = self._match()

    def close(self) -> None:
        self._stack.close()

    @property
    def store_id(self) -> str:
        """Digest of the config and of each shard's name, size and time: the same checkpoint gives the same id."""
        digest = blake2b((self.folder / "config.json").read_bytes(), digest_size=16)
        for file in self.files:
            stat = (self.folder / file).stat()
            digest.update(f"{file}:{stat.st_size}:{stat.st_mtime_ns}".encode())
        return digest.hexdigest()

    def load(self, name: str) -> Iterator[tuple[str, torch.Tensor]]:
        """Yields what the rule that makes parameter `name` yields, converted, on the CPU, in the final dtype."""
        target = self.targets[name]
        rule = deepcopy(target.rule)
        for pattern, key in target.sources:
            rule.add_tensor(name, key, pattern, self._reader(key, self._dtype_of(name)))
        try:
            made = rule.convert(name, model=self.skeleton, config=self.config)
        except (SafetensorError, RuntimeError, ValueError) as problem:
            raise InputError(f"{name} cannot be made: {_first_line(problem)}", source=str(self.folder)) from problem
        for key, value in made.items():
            tensor = value[0] if isinstance(value, list) else value
            wanted = self._wanted[key]
            if tensor.shape != wanted.shape:
                message = f"{key} has shape {tuple(tensor.shape)}, the model wants {tuple(wanted.shape)}"
                raise InputError(message, source=str(self.folder))
            yield key, tensor.detach()

    def spec(self, name: str) -> tuple[str, tuple[int, ...], int]:
        """dtype, shape and bytes that parameter or buffer `name` will have."""
        wanted = self._wanted[name]
        dtype = self._dtype_of(name) if wanted.dtype.is_floating_point else wanted.dtype
        return str(dtype).removeprefix("torch."), tuple(wanted.shape), wanted.numel() * dtype.itemsize

    def missing(self) -> list[str]:
        """Parameters and buffers that no tensor of the checkpoint becomes, tied ones aside."""
        have = set(self.targets)
        for name in list(self.targets):
            rule = self.targets[name].rule
            for other in rule.target_patterns[1:]:
                have.add(name.replace(rule.target_patterns[0], other))
        tied = set(getattr(self.skeleton, "all_tied_weights_keys", None) or {})
        return sorted(set(self._wanted) - have - tied)

    def _build_skeleton(self) -> Any:
        try:
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(self.config, dtype=self.dtype, experts_implementation="eager")
        except (ValueError, KeyError, AttributeError, RuntimeError) as problem:
            message = f"transformers cannot build the model: {_first_line(problem)}"
            raise ModelError(message, source=str(self.folder)) from problem
        return model

    def _match(self) -> dict[str, _Target]:
        mapping = get_model_conversion_mapping(self.skeleton)
        renamings = [rule for rule in mapping if isinstance(rule, WeightRenaming)]
        converters = [rule for rule in mapping if isinstance(rule, WeightConverter)]
        by_pattern = {pattern: rule for rule in converters for pattern in rule.source_patterns}
        prefix, found = self.skeleton.base_model_prefix, dict[str, _Target]()
        for key in sorted(self.where, key=dot_natural_key):
            name, pattern = rename_source_key(key, renamings, converters, prefix, self._wanted)
            if name not in self._wanted and key in self._wanted:
                name, pattern = rename_source_key(key, [], [], prefix, self._wanted)
            if name not in self._wanted:
                continue
            if pattern is None:
                found.setdefault(name, _Target(WeightRenaming(key, name))).sources.append((key, key))
            else:
                found.setdefault(name, _Target(by_pattern[pattern])).sources.append((pattern, key))
        return found

    def _dtype_of(self, name: str) -> torch.dtype:
        if self._plan:
            alternation, group_of, _ = build_glob_alternation(list(self._plan))
            match = alternation.search(name)
            if match is not None and match.lastgroup is not None:
                return self._plan[group_of[match.lastgroup]]
        wanted: torch.dtype = self._wanted[name].dtype
        return wanted

    def _main_dtype(self) -> torch.dtype:
        named = getattr(self.config, "dtype", None)
        if named is not None:
            return named if isinstance(named, torch.dtype) else getattr(torch, str(named))
        for key, file in self.where.items():
            dtype = self._handle(file).get_slice(key)[:0].dtype
            if dtype.is_floating_point:
                return dtype  # type: ignore[no-any-return]
        return torch.float32

    def _handle(self, file: str) -> Any:
        if file not in self._open:
            try:
                self._open[file] = self._stack.enter_context(safe_open(self.folder / file, framework="pt"))
            except (SafetensorError, OSError) as problem:
                message = f"{file} is not a readable safetensors file ({_first_line(problem)})"
                raise InputError(message, source=str(self.folder), hint="fetch the checkpoint again") from problem
        return self._open[file]

    def _reader(self, key: str, dtype: torch.dtype) -> Any:
        handle = self._handle(self.where[key])
        return lambda: handle.get_tensor(key).to(dtype)


def _files_of(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        files = [path.name for path in sorted(folder.glob("*.safetensors"))]
    absent = [file for file in files if not (folder / file).is_file()]
    if not files or absent:
        what = f"{absent[0]} is missing" if absent else "no *.safetensors file is here"
        raise InputError(what, source=str(folder), hint="the weights must be safetensors; fetch the checkpoint again")
    return files


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
