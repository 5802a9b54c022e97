"""Options that several commands share, and how they open a memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.environment import DEFAULTS
from graphmem.errors import InputError, NotFound

if TYPE_CHECKING:
    from graphmem.answer import Generator
    from graphmem.construct import Proposer
    from graphmem.memory import Memory
    from graphmem.schema import Id, Node

STORE = DEFAULTS["GRAPHMEM_STORE"]
SPACE = DEFAULTS["GRAPHMEM_SPACE"]
CALLS, TOKENS = int(DEFAULTS["GRAPHMEM_CAPS__CALLS"]), int(DEFAULTS["GRAPHMEM_CAPS__TOKENS"])
SECONDS = float(DEFAULTS["GRAPHMEM_CAPS__SECONDS"])
SQLITE_URL = "sqlite:///"


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


Store = Annotated[
    str, typer.Option("--store", envvar=["GRAPHMEM_STORE", "NEO4J_URI"], help="Path or URL of the store.")
]
Space = Annotated[str, typer.Option("--space", envvar="GRAPHMEM_SPACE", help="The space: a user, an agent, a team.")]
Llm = Annotated[
    str,
    typer.Option(
        "--llm",
        "--generator",
        envvar="GRAPHMEM_LLM",
        help="Chat model that writes, as LangChain names it, or moe:STORE.",
    ),
]
Propose = Annotated[
    bool,
    typer.Option(
        "--propose/--no-propose", envvar="GRAPHMEM_PROPOSE", help="Ask the --llm for notes and links beside the rules'."
    ),
]
MaxCalls = Annotated[int, typer.Option(min=0, envvar="GRAPHMEM_CAPS__CALLS", help="Calls it may take at most.")]
MaxTokens = Annotated[int, typer.Option(min=0, envvar="GRAPHMEM_CAPS__TOKENS", help="Tokens it may take at most.")]
MaxSeconds = Annotated[
    float, typer.Option(min=0, envvar="GRAPHMEM_CAPS__SECONDS", help="Seconds it may be waited for at most.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs.")]


def open_memory(
    store: str,
    space: str,
    *,
    existing: bool = True,
    read_only: bool = False,
    generator: Generator | None = None,
    proposer: Proposer | None = None,
) -> Memory:
    """The memory at `store`; `generator` and `proposer` stay the caller's. With `existing`, NotFound rather than a
    new empty file, which would look like an empty result."""
    path = file_of(store)
    if existing and path is not None and not path.exists():
        raise NotFound(
            f"no store at {store}", hint="`graphmem remember` and `graphmem ingest` make one; --store names another"
        )
    import graphmem

    return graphmem.open(store, space=space, read_only=read_only, generator=generator, proposer=proposer)


def confirm(question: str, *, needs: str) -> None:
    """Asks on a terminal. InputError when there is nobody to ask; exit code 1 for a no."""
    if not sys.stdin.isatty():
        raise InputError(f"{needs} needs a yes and there is no terminal to ask", hint="add --yes")
    typer.confirm(question, abort=True, err=True)


def file_of(store: str) -> Path | None:
    """The file of an embedded store; None for a server's URL."""
    if store.startswith(SQLITE_URL):
        return Path(store.removeprefix(SQLITE_URL))
    return None if "://" in store else Path(store)


def nodes_of(memory: Memory, ids: Iterable[Id]) -> dict[Id, Node]:
    """What these ids stand for, in one read."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    with memory.reader() as reader:
        return reader.get(wanted)


def from_stdin(argument: str) -> str:
    """The argument, or all of standard input for `-`. Raises InputError when that is not UTF-8."""
    if argument != "-":
        return argument
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            "standard input is not UTF-8", hint="convert it first", source="-", position=f"byte {error.start}"
        ) from error
