"""From a question to evidence, with the paths it was found by."""

from graphmem.recall.plan import BALANCED, Plan
from graphmem.recall.recall import recall

__all__ = ["BALANCED", "Plan", "recall"]
