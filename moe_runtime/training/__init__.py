"""A small MoE language model, trained on the spot: real routing for tests and benchmarks, no weights in git."""

from graphmem.moe_runtime.training.tiny import TINY, Recipe, train_tiny

__all__ = ["TINY", "Recipe", "train_tiny"]
