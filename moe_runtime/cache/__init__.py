"""Which experts are in memory: the decisions (policy, slots) in plain Python, and the threads that read."""
