"""graphmem: a memory for language-model applications, kept as a graph that people can see and trust.

    import graphmem

    with graphmem.open("notes.db") as memory:
        memory.remember("I moved to Zurich in May.", speaker="Ada", at="2026-05-12")
        print(memory.answer("Where does Ada live?").text)

Names are loaded when first used, so that `import graphmem` and `graphmem --help` cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphmem.errors import GraphmemError
    from graphmem.memory import Memory, open

__all__ = ["GraphmemError", "Memory", "__version__", "open"]
__version__ = "0.1.0"

_HOME = {"GraphmemError": "graphmem.errors", "Memory": "graphmem.memory", "open": "graphmem.memory"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'graphmem' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
