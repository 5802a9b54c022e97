"""One process holds all rivals and lets them take turns, round after round: what disturbs the machine disturbs all.

python -m graphmem.moe_runtime.bench.speeds '{"checkpoint": …, "store": …}'   prints one JSON object
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from graphmem.moe_runtime.bench.drive import Decoder, bandwidth, prefill_seconds
from graphmem.moe_runtime.bench.memory import drop_cached, weight_files
from graphmem.moe_runtime.bench.shapes import text_tokens
from graphmem.moe_runtime.cache.counters import Counters
from graphmem.moe_runtime.engine.engine import Engine

_ENGINES: dict[str, dict[str, Any]] = {
    "engine": {},
    "engine, layer": {"prefetch": "layer"},
    "engine, on demand LRU": {"prefetch": "off", "policy": "lru"},
    "engine, all experts": {"budget": "100%"},
}


@dataclass
class Plan:
    """`pairs` rounds of `tokens` decoded tokens a rival; `prefills` rounds of each prompt length."""

    checkpoint: str
    store: str
    budget: str = "25%"
    pairs: int = 20
    tokens: int = 12
    warm_up: int = 32
    prefills: int = 5
    prompts: tuple[int, ...] = (128, 512)
    threads: int = 1
    in_memory: bool = True


@dataclass
class Turns:
    """Seconds of each turn, and what the cache did in each (engines only)."""

    seconds: list[float] = field(default_factory=list)
    needed_bytes: list[int] = field(default_factory=list)
    counters: list[dict[str, Any]] = field(default_factory=list)


def main() -> int:
    plan = Plan(**json.loads(sys.argv[1]))
    print(json.dumps(measured(plan)))
    return 0


def measured(plan: Plan) -> dict[str, Any]:
    torch.set_num_threads(plan.threads)
    checkpoint, store = Path(plan.checkpoint), Path(plan.store)
    loads: dict[str, float] = {}
    models: dict[str, Any] = {}
    engines: dict[str, Engine] = {}
    if plan.in_memory:
        models["transformers"] = _timed(loads, "transformers", checkpoint, lambda: _in_memory(checkpoint))
    for name, settings in _ENGINES.items():
        options = {"budget": plan.budget, "threads": plan.threads, **settings}
        engines[name] = _timed(loads, name, store, lambda options=options: Engine.open(store, **options))
        models[name] = engines[name].model
    tokens = text_tokens(8_000, int(next(iter(models.values())).config.vocab_size))
    manifest = engines["engine"].manifest
    readers = 2
    found = {
        "load_s": loads,
        "record_bytes": manifest.record_bytes,
        "expert_bytes": manifest.expert_bytes,
        "decode": _decode(plan, models, engines, tokens),
        "prefill": {str(length): _prefill(plan, models, engines, tokens, length) for length in plan.prompts},
        "bandwidth": median(bandwidth(store, manifest, readers, 0.4, seed) for seed in range(5)),
        "stats": {name: engine.stats() for name, engine in engines.items()},
    }
    for engine in engines.values():
        engine.close()
    return found


def _in_memory(checkpoint: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype="auto", experts_implementation="eager").eval()


def _timed(loads: dict[str, float], name: str, folder: Path, load: Any) -> Any:
    drop_cached(weight_files(folder))
    began = perf_counter()
    made = load()
    loads[name] = perf_counter() - began
    return made


def _decode(
    plan: Plan, models: dict[str, Any], engines: dict[str, Engine], tokens: list[int]
) -> dict[str, dict[str, Any]]:
    decoders = {name: Decoder(model, tokens) for name, model in models.items()}
    for decoder in decoders.values():
        decoder.seconds(plan.warm_up)
    turns = {name: Turns() for name in models}
    for pair in range(plan.pairs):
        for name in _in_turn(models, pair):
            _take(turns[name], engines.get(name), lambda name=name: decoders[name].seconds(plan.tokens))
    return {name: asdict(turn) for name, turn in turns.items()}


def _prefill(
    plan: Plan, models: dict[str, Any], engines: dict[str, Engine], tokens: list[int], length: int
) -> dict[str, dict[str, Any]]:
    turns = {name: Turns() for name in models}
    prompts = [tokens[start : start + length] for start in range(2_000, 2_000 + length * (plan.prefills + 1), length)]
    for name, model in models.items():
        if name in ("transformers", "engine, all experts"):
            prefill_seconds(model, prompts[-1])  # their pages are read from the disk for the first time
    for number, prompt in enumerate(prompts[:-1]):
        for name in _in_turn(models, number):
            if name != "engine, layer":
                run = lambda name=name, prompt=prompt: prefill_seconds(models[name], prompt)  # noqa: E731
                _take(turns[name], engines.get(name), run)
    return {name: asdict(turn) for name, turn in turns.items() if turn.seconds}


def _in_turn(models: dict[str, Any], number: int) -> list[str]:
    """Everybody goes first as often as last."""
    names = list(models)
    return names if number % 2 == 0 else names[::-1]


def _take(turn: Turns, engine: Engine | None, run: Any) -> None:
    before = engine.counters() if engine is not None else Counters()
    turn.seconds.append(run())
    if engine is not None:
        done = engine.counters().since(before)
        turn.needed_bytes.append((done.miss + done.late + done.used) * engine.manifest.record_bytes)
        turn.counters.append(asdict(done))


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
