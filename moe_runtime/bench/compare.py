"""`graphmem moe bench`: the engine beside transformers in memory, accelerate with a disk folder, and llama.cpp.

Figures are compared as ratios within one run. `bound` is what disk and processor allow, from what was measured in the
same run: a token needs the longer of its compute time (all experts in place) and the time in which the disk brings the
experts that a cache with plain LRU would not hold; a prompt the same, with the experts that it did not find in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from graphmem.moe_runtime.bench.llama import speeds as llama_speeds
from graphmem.moe_runtime.errors import MoeError
from graphmem.moe_runtime.store.format import read_manifest

_LIMIT_S = 1_800
LLAMA_TOKENS = 64  # decoded by llama.cpp, which starts from nothing each time


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `key` is stable, `name` is for people."""

    key: str
    name: str
    value: float | None
    unit: str = ""
    skipped: str = ""


def compare(
    checkpoint: Path,
    store: Path,
    *,
    budget: str = "25%",
    pairs: int = 20,
    prefills: int = 5,
    prompts: tuple[int, ...] = (128, 512),
    tokens: int = 12,
    threads: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Figure]:
    """Runs each rival in processes of its own and returns the figures. Needs memory for the whole model."""
    read_manifest(store)  # a wrong folder is said here, not by a measuring process
    progress("speed: everybody in turn")
    plan = {"checkpoint": str(checkpoint), "store": str(store), "budget": budget, "pairs": pairs, "prefills": prefills}
    speeds = _child("speeds", {**plan, "prompts": prompts, "tokens": tokens, "threads": threads})
    held = {}
    with tempfile.TemporaryDirectory(dir=store.parent, prefix="accelerate-") as scratch:
        for rival in ("nothing", "engine", "transformers", "accelerate"):
            progress(f"memory: {rival}")
            folders = {"checkpoint": str(checkpoint), "store": str(store), "scratch": scratch}
            held[rival] = _held(rival, speeds, {**folders, "threads": threads})
        progress("speed: llama.cpp")
        llama = llama_speeds(checkpoint, Path(scratch), prompts=prompts, tokens=LLAMA_TOKENS, threads=threads)
    return [*figures_of(speeds, tokens, held), *llama_figures(speeds, tokens, llama)]


def figures_of(speeds: dict[str, Any], tokens: int, held: dict[str, dict[str, Any]]) -> list[Figure]:
    """From what the measuring processes printed."""
    return [
        *decode_figures(speeds, tokens),
        *prefill_figures(speeds),
        *load_figures(speeds),
        *memory_figures(speeds, held),
        *rival_figures(speeds, tokens, held),
    ]


def decode_figures(speeds: dict[str, Any], tokens: int) -> list[Figure]:
    turns, bandwidth = speeds["decode"], speeds["bandwidth"]
    engine = turns["engine"]
    compute = [seconds / tokens for seconds in turns["engine, all experts"]["seconds"]]
    needed = sum(turns["engine, on demand LRU"]["needed_bytes"]) / (tokens * len(compute))
    per_token = [seconds / tokens for seconds in engine["seconds"]]
    bounds = [max(own, needed / bandwidth) for own in compute]
    counted = _summed(engine["counters"])
    read = counted["read_bytes"] or 1
    return [
        Figure("bandwidth", "O_DIRECT bandwidth", bandwidth / 2**30, "GiB/s"),
        *(
            Figure(f"decode {name}", f"decode, {name}", tokens / median(turn["seconds"]), "tokens/s")
            for name, turn in turns.items()
        ),
        Figure("decode needed", "experts a token needs from the disk (LRU)", needed / 2**20, "MiB"),
        Figure("decode hit", "experts found in memory", counted["hit"] / _wanted(counted)),
        Figure("decode of bound", "decode, share of the bound", _ratio(bounds, per_token)),
        Figure(
            "decode over on demand", "decode, times on demand LRU", _faster(turns, "engine", "engine, on demand LRU")
        ),
        Figure(
            "decode over layer", "decode, next-layer prefetch times without", _faster(turns, "engine", "engine, layer")
        ),
        Figure("decode of memory", "decode, share of all in memory", _faster(turns, "engine", "transformers")),
        Figure("all of memory", "decode, budget of all experts", _faster(turns, "engine, all experts", "transformers")),
        Figure("wasted", "bytes read ahead and not used, of all read", counted["wasted_bytes"] / read),
        Figure(
            "recall",
            "wanted experts that the next gate named",
            counted["predicted_right"] / (counted["predicted"] or 1),
        ),
    ]


def prefill_figures(speeds: dict[str, Any]) -> list[Figure]:
    found, bandwidth = [], speeds["bandwidth"]
    for length, turns in speeds["prefill"].items():
        engine, compute = turns["engine"], turns["engine, all experts"]["seconds"]
        bounds = [max(own, need / bandwidth) for own, need in zip(compute, engine["needed_bytes"], strict=True)]
        once = max(counted["read_bytes"] for counted in engine["counters"]) / speeds["expert_bytes"]
        found += [
            Figure(
                f"prefill {length} {name}",
                f"prefill {length}, {name}",
                int(length) / median(turn["seconds"]),
                "tokens/s",
            )
            for name, turn in turns.items()
        ]
        found += [
            Figure(
                f"prefill {length} of bound", f"prefill {length}, share of the bound", _ratio(bounds, engine["seconds"])
            ),
            Figure(
                f"prefill {length} of memory",
                f"prefill {length}, share of all in memory",
                _faster(turns, "engine", "transformers"),
            ),
            Figure(f"prefill {length} once", f"prefill {length}, experts read of all, at most", once),
        ]
    return found


def load_figures(speeds: dict[str, Any]) -> list[Figure]:
    loads = speeds["load_s"]
    shares = [Figure(f"load {name}", f"load, {name}", seconds, "s") for name, seconds in loads.items()]
    return [
        *shares,
        Figure(
            "load faster",
            "load, budget of all experts, times transformers",
            loads["transformers"] / loads["engine, all experts"],
        ),
    ]


def memory_figures(speeds: dict[str, Any], held: dict[str, dict[str, Any]]) -> list[Figure]:
    stats = speeds["stats"]["engine"]
    found = [
        Figure("arena of budget", "expert bytes held, of the budget", stats["arena_bytes"] / stats["budget_bytes"]),
        Figure(
            "store cached",
            "store in the page cache after a run",
            held["engine"]["cached_mib"] / held["engine"]["files_mib"],
        ),
    ]
    for rival, facts in held.items():
        if "peak_mib" in facts:
            for part in ("RssAnon", "RssShmem", "RssFile"):
                found.append(Figure(f"{rival} {part}", f"peak {part}, {rival}", facts["peak_mib"][part], "MiB"))
    return found


def rival_figures(speeds: dict[str, Any], tokens: int, held: dict[str, dict[str, Any]]) -> list[Figure]:
    own = median(speeds["decode"]["engine"]["seconds"]) / tokens
    token_s, why = held["accelerate"].get("token_s"), held["accelerate"].get("skipped", "")
    return [
        Figure(
            "accelerate", "decode, accelerate under the same limit", 1 / token_s if token_s else None, "tokens/s", why
        ),
        Figure("over accelerate", "decode, times accelerate", token_s / own if token_s else None, "", why),
    ]


def llama_figures(speeds: dict[str, Any], tokens: int, llama: dict[str, float] | str) -> list[Figure]:
    """Its speeds with all in memory, and the engine's as a share of them; `llama` may say why there are none."""
    if isinstance(llama, str):
        return [Figure("llama.cpp", "decode, llama.cpp", None, "tokens/s", llama)]
    own = {"decode": tokens / median(speeds["decode"]["engine"]["seconds"])}
    for length, turns in speeds["prefill"].items():
        own[f"prefill {length}"] = int(length) / median(turns["engine"]["seconds"])
    found = []
    for key, speed in llama.items():
        found.append(Figure(f"llama.cpp {key}", f"{key}, llama.cpp with all in memory", speed, "tokens/s"))
        found.append(Figure(f"{key} of llama.cpp", f"{key}, share of llama.cpp with all in memory", own[key] / speed))
    return found


def _held(rival: str, speeds: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """A rival in a process of its own, allowed the share of the experts that the engine had."""
    stats = speeds["stats"]["engine"]
    if rival == "accelerate" and find_spec("accelerate") is None:
        return {"skipped": "accelerate is not installed"}
    return _child("holding", {**plan, "rival": rival, "share": stats["budget_bytes"] / stats["expert_bytes"]})


def _child(module: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Runs a measuring module in a fresh process. Raises MoeError with the end of what it said when it fails."""
    command = [sys.executable, "-m", f"graphmem.moe_runtime.bench.{module}", json.dumps(plan)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, env=environment, check=False)
    if done.returncode != 0:
        raise MoeError(f"measuring failed: {done.stderr.strip()[-800:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _summed(counters: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(one[name] for one in counters) for name in counters[0]}


def _wanted(counted: dict[str, Any]) -> int:
    return int(counted["hit"] + counted["late"] + counted["miss"]) or 1


def _faster(turns: dict[str, Any], name: str, rival: str) -> float:
    """Median over the rounds of rival's time by the other's: each pair was measured one after the other."""
    return _ratio(turns[rival]["seconds"], turns[name]["seconds"])


def _ratio(above: list[float], below: list[float]) -> float:
    return median(one / other for one, other in zip(above, below, strict=True))
