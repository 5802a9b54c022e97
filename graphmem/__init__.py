"""graphmem: a memory for language-model applications, kept as a graph that people can see and trust."""

__version__ = "0.1.0"
