"""The engine against what its parts allow, and against its rivals; the shape and the floors are those of the issue.

quick: a small random model, in CI: that it runs, reads what it must and keeps its budget; its speeds say nothing.
full: the 1.35-billion-parameter shape (2.6 GB in build/, made once), with its floors."""

from __future__ import annotations

from graphmem.moe_runtime.bench.compare import Figure, compare
from graphmem.moe_runtime.bench.shapes import make_checkpoint
from graphmem.moe_runtime.store.pack import pack
from tests.bench import data
from tests.bench.table import Row

SHAPES = {"quick": "tiny", "full": "large", "million": "large"}
ALWAYS = {
    "arena of budget": (1.0, True),
    "wasted": (0.10, True),
    "prefill 128 once": (1.0, True),
    "prefill 512 once": (1.0, True),
}
FULL = {
    "store cached": (0.05, True),
    "decode of bound": (0.85, False),
    "decode over on demand": (1.3, False),
    "decode over layer": (1.0, False),
    "over accelerate": (10.0, False),
    "prefill 512 of memory": (0.75, False),
    "prefill 128 of bound": (0.90, False),
    "all of memory": (0.95, False),
    "load faster": (3.0, False),
}


def run(size: str) -> list[Row]:
    folder = data.BUILD / f"moe-{SHAPES[size]}"
    checkpoint = make_checkpoint(SHAPES[size], folder / "checkpoint")
    store = folder / "store"
    pack(checkpoint, store)
    quick = size == "quick"
    figures = compare(checkpoint, store, pairs=4 if quick else 20, prefills=2 if quick else 5)
    floors = ALWAYS if quick else {**ALWAYS, **FULL}
    return [_row(figure, floors) for figure in figures]


def _row(figure: Figure, floors: dict[str, tuple[float, bool]]) -> Row:
    floor, at_most = floors.get(figure.key, (None, False))
    return Row(f"moe: {figure.name}", figure.value, figure.unit, floor, at_most, figure.skipped)
