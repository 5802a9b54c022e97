"""An MoE engine whose experts live on disk. Knows nothing of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphmem.moe_runtime.engine.engine import Engine
    from graphmem.moe_runtime.engine.generate import Generation

__all__ = ["Engine", "Generation"]


def __getattr__(name: str) -> Any:
    """torch and transformers are loaded when the engine is asked for, not when this package is imported."""
    if name == "Engine":
        from graphmem.moe_runtime.engine.engine import Engine

        return Engine
    if name == "Generation":
        from graphmem.moe_runtime.engine.generate import Generation

        return Generation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
