"""An MoE engine whose experts live on disk. Knows nothing of memory."""
