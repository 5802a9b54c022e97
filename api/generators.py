"""Which generator writes answers: none (extractive) unless GRAPHMEM_LLM, --llm or --generator names one.

"moe:STORE" is an engine of this process over a packed store, "moe:smollm2" that over the converted SmolLM2,
"moe:http://…" an engine's server; anything else is a chat model as LangChain names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphmem.answer import Generator

MOE = "moe:"


def generator_of(name: str) -> Generator | None:
    """The generator of that name; None for "". Loads what it takes only when one is named."""
    if not name:
        return None
    if name.startswith(MOE):
        from graphmem.api.engines import engine_generator

        return engine_generator(name.removeprefix(MOE))
    from graphmem.answer import chat_model

    return chat_model(name)


@contextmanager
def generating(name: str) -> Iterator[Generator | None]:
    """The generator of that name for the time of a block; an engine of this process ends with it."""
    generator = generator_of(name)
    try:
        yield generator
    finally:
        close(generator)


def warm(generator: object, texts: Iterable[str]) -> None:
    """Lets an engine read what is likely to be asked about next; nothing is waited for."""
    begin = getattr(generator, "warm", None)
    if begin is not None:
        begin(list(texts))


def close(generator: object) -> None:
    """Ends what a generator keeps running, if it does."""
    end = getattr(generator, "close", None)
    if end is not None:
        end()
