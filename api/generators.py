"""Which generator writes answers: none (extractive) unless GRAPHMEM_LLM or --llm names a chat model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphmem.answer import Generator


def generator_of(llm: str) -> Generator | None:
    """The generator for a chat model's name; None for "". Loads LangChain only when a model is named."""
    if not llm:
        return None
    from graphmem.answer import chat_model

    return chat_model(llm)
