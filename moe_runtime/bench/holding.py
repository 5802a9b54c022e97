"""One process, one rival: what it holds in memory, and how fast accelerate is when it may hold no more than the engine.

python -m graphmem.moe_runtime.bench.holding '{"rival": "engine", …}'   prints one JSON object
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from graphmem.moe_runtime.bench.drive import Decoder, prefill_seconds
from graphmem.moe_runtime.bench.memory import Peaks, cached_mib, drop_cached, weight_files
from graphmem.moe_runtime.bench.shapes import text_tokens
from graphmem.moe_runtime.engine.engine import Engine


@dataclass
class Plan:
    """`rival`: transformers, engine, accelerate, or nothing (a process with the libraries loaded)."""

    rival: str
    checkpoint: str
    store: str
    scratch: str
    share: float = 0.25
    tokens: int = 32
    prompt: int = 128
    threads: int = 1


def main() -> int:
    plan = Plan(**json.loads(sys.argv[1]))
    print(json.dumps(measured(plan)))
    return 0


def measured(plan: Plan) -> dict[str, Any]:
    torch.set_num_threads(plan.threads)
    folder = Path(plan.store if plan.rival == "engine" else plan.checkpoint)
    files = weight_files(folder)
    drop_cached(files)
    with Peaks() as peaks:
        began = perf_counter()
        model, close = _opened(plan)
        load_s = perf_counter() - began
        token_s = _worked(plan, model, files) if model is not None else 0.0
        close()
    size = sum(path.stat().st_size for path in files) / 2**20
    return {
        "load_s": load_s,
        "token_s": token_s,
        "peak_mib": peaks.mib,
        "cached_mib": cached_mib(files),
        "files_mib": size,
    }


def _opened(plan: Plan) -> tuple[Any, Any]:
    if plan.rival == "engine":
        engine = Engine.open(plan.store, budget=f"{100 * plan.share}%", threads=plan.threads)
        return engine.model, engine.close
    if plan.rival == "nothing":
        return None, lambda: None
    options: dict[str, Any] = {"dtype": "auto", "experts_implementation": "eager"}
    if plan.rival == "accelerate":
        options |= {"device_map": _device_map(plan), "offload_folder": plan.scratch}
    return AutoModelForCausalLM.from_pretrained(plan.checkpoint, **options).eval(), lambda: None


def _device_map(plan: Plan) -> dict[str, str]:
    """The share of the layers in memory, the others on disk: whole layers, as accelerate offloads."""
    layers = json.loads((Path(plan.checkpoint) / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    kept = max(1, round(plan.share * layers))
    placed = {f"model.layers.{layer}": "cpu" if layer < kept else "disk" for layer in range(layers)}
    return {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu", **placed}


def _worked(plan: Plan, model: Any, files: list[Path]) -> float:
    """Seconds a token. Accelerate maps its files, and the page cache would hold them all: their pages are dropped
    before each token, which is what a limit of the engine's size does to it."""
    vocabulary = int(model.config.vocab_size)
    decoder = Decoder(model, text_tokens(4_000, vocabulary))
    if plan.rival != "accelerate":
        prefill_seconds(model, text_tokens(plan.prompt, vocabulary))
        decoder.seconds(plan.tokens)
        return decoder.seconds(plan.tokens) / plan.tokens
    files = files + weight_files(Path(plan.scratch))
    total = 0.0
    for _ in range(3):
        drop_cached(files)
        total += decoder.seconds(1)
    return total / 3


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
