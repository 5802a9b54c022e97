"""`make bench`: prints one table and writes build/bench.json. SIZE=quick (CI), full, million. SECTION=name runs one."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

from tests.bench.data import BUILD
from tests.bench.table import Row, save, text_table

SECTIONS = (
    "retrieval",
    "crossval",
    "reflect",
    "updates",
    "organize",
    "scenes",
    "strategies",
    "answers",
    "pipeline",
    "store",
    "dense",
    "neo4j",
    "moe",
    "refactored",
)


def main() -> int:
    size = os.environ.get("SIZE", "quick")
    if size not in ("quick", "full", "million"):
        print(f"SIZE={size} is not known; use quick, full or million", file=sys.stderr)
        return 2
    chosen = os.environ.get("SECTION", "").split(",") if os.environ.get("SECTION") else SECTIONS
    rows: list[Row] = []
    for section in chosen:
        began = time.perf_counter()
        print(f"{section} ...", file=sys.stderr, flush=True)
        rows += import_module(f"tests.bench.{section}").run(size)
        print(f"{section}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(text_table(rows))
    save(rows, BUILD / "bench.json")
    missed = [row.name for row in rows if row.holds is False]
    print(f"\n{len(rows)} rows, {len(missed)} below their floor" + "".join(f"\n  {name}" for name in missed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
