"""Prometheus' text format: what the server did, what waits, and every number that the engine counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from graphmem.moe_runtime.serve.scheduler import Scheduler

#: Numbers of the engine that go up and down; all others only grow.
GAUGES = frozenset(
    "budget_bytes expert_bytes experts record_bytes slots arena_bytes experts_resident expert_bytes_resident hit_share "
    "wasted_share prefetch_threshold prefetch_off".split()
)


def exposition(scheduler: Scheduler) -> str:
    lines: list[str] = []
    for name, value in asdict(scheduler.counts).items():
        lines += metric(f"server_{name}_total", "counter", value)
    for name, value in scheduler.load().items():
        lines += metric(f"server_{name}", "gauge", value)
    for name, value in asdict(scheduler.limits).items():
        lines += metric(f"server_limit_{name}", "gauge", value)
    for name, value in numbers(scheduler.engine.stats()):
        lines += metric(f"engine_{name}" if name in GAUGES else f"engine_{name}_total", kind_of(name), value)
    return "\n".join(lines) + "\n"


def kind_of(name: str) -> str:
    return "gauge" if name in GAUGES else "counter"


def numbers(stats: Any) -> Iterator[tuple[str, float]]:
    for name, value in dict(stats).items():
        if isinstance(value, int | float):
            yield name, value


def metric(name: str, kind: str, value: float) -> list[str]:
    return [f"# TYPE graphmem_moe_{name} {kind}", f"graphmem_moe_{name} {float(value):.10g}"]
