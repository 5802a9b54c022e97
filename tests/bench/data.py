"""Where the benchmark data and its scorer are: GRAPHMEM_BENCH_DATA, else a folder `shared` beside the project.

They are not part of the project (one set is non-commercial): what needs them skips with a reason when they are absent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("GRAPHMEM_BENCH_DATA", PROJECT.parent / "shared"))
DATA = HOME / "data"
ABSENT = f"no benchmark data in {HOME.name}/ beside the project (set GRAPHMEM_BENCH_DATA)"
BUILD = PROJECT / "build"


def present() -> bool:
    return (DATA / "locomo-dev").is_dir() and (HOME / "bench" / "recallbench").is_dir()


def use_scorer() -> None:
    """Makes `import recallbench` find the scorer."""
    path = str(HOME / "bench")
    if path not in sys.path:
        sys.path.insert(0, path)
