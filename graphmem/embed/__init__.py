"""Text into vectors: the bundled MiniLM, any sentence-transformers model, a hash embedder for tests."""

from functools import cache

from graphmem.embed.ahead import Ahead
from graphmem.embed.base import Embedder, QueryVectors, TextVectors
from graphmem.embed.bulk import SentenceTransformerEmbedder
from graphmem.embed.hashing import HashEmbedder
from graphmem.embed.minilm import MiniLmEmbedder
from graphmem.embed.weights import minilm_folder


@cache
def default_embedder() -> Embedder:
    """The bundled all-MiniLM-L6-v2: one for the process. Costs nothing before its first use."""
    return MiniLmEmbedder()


__all__ = [
    "Ahead",
    "Embedder",
    "HashEmbedder",
    "MiniLmEmbedder",
    "QueryVectors",
    "SentenceTransformerEmbedder",
    "TextVectors",
    "default_embedder",
    "minilm_folder",
]
