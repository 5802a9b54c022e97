"""An OpenAI-compatible server over an engine: bounded in queue, in texts at once and in keys and values."""

from graphmem.moe_runtime.serve.app import create_app
from graphmem.moe_runtime.serve.scheduler import Limits, QueueFull, Scheduler

__all__ = ["Limits", "QueueFull", "Scheduler", "create_app"]
