"""Side by side on one machine: all in memory, disk offload by accelerate, and this engine."""
