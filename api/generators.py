"""Which generator writes answers: none (extractive) unless GRAPHMEM_LLM, --llm or --generator names one.

"moe:STORE" is an engine of this process over a packed store, "moe:smollm2" that over the converted SmolLM2,
"moe:http://…" an engine's server; anything else is a chat model as LangChain names it. The same model proposes notes
and links for what is written, when --propose or GRAPHMEM_PROPOSE asks for it: never by being named alone, since that
costs calls for every few passages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphmem.errors import SettingError

if TYPE_CHECKING:
    from graphmem.answer import Generator
    from graphmem.construct import Caps, Manner, Proposer

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


def proposer_of(generator: Generator, caps: Caps | None = None) -> Proposer:
    """What asks the generator that writes answers for proposals too; an engine, being small, a passage at a time."""
    from graphmem.construct import BRIEF, FULL, Caps, Proposer

    unbriefed = getattr(generator, "unbriefed", None)
    if unbriefed is None:
        return Proposer(generator, caps or Caps(), FULL)
    return Proposer(unbriefed(), caps or Caps(), BRIEF)


def manner_of(name: str) -> Manner:
    """How the model of that name would be asked, told without loading it. Raises SettingError for no name."""
    from graphmem.construct import BRIEF, FULL

    if not name:
        raise nobody()
    return BRIEF if name.startswith(MOE) else FULL


def nobody() -> SettingError:
    return SettingError(
        "no model is named that could propose", hint="--llm or GRAPHMEM_LLM names one as LangChain does, or moe:STORE"
    )


def stays_here(name: str) -> bool:
    """Whether what the model of that name reads stays in this process."""
    return name.startswith(MOE) and not name.removeprefix(MOE).startswith(("http://", "https://"))


@contextmanager
def proposing(name: str, *, wanted: bool, caps: Caps | None = None) -> Iterator[Proposer | None]:
    """A proposer for the time of a block, when one is wanted. Raises SettingError when no model is named then."""
    if wanted:
        manner_of(name)
    with generating(name if wanted else "") as generator:
        yield proposer_of(generator, caps) if generator is not None else None


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
