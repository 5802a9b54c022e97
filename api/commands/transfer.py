"""copy: a memory moves from store to store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.commands.options import Format, Output, file_of
from graphmem.api.progress import counted, duration
from graphmem.api.terminal import console, print_json, say
from graphmem.errors import InputError, NotFound

if TYPE_CHECKING:
    from graphmem.govern.copying import Copied


def copy(
    source: Annotated[str, typer.Argument(help="Path or URL of the store to copy; it is only read.")],
    target: Annotated[str, typer.Argument(help="Path or URL of the store to copy into; a path is made.")],
    *,
    space: Annotated[list[str] | None, typer.Option("--space", help="A space to copy; all when not given.")] = None,
    output: Format = Output.TEXT,
) -> None:
    """Copy a memory into another store: same ids, history and digest. Killed, or made again, it goes on where the copy
    stands."""
    from graphmem.govern.copying import copy as run
    from graphmem.stores import open_store

    path = file_of(source)
    if path is not None and not path.exists():
        raise NotFound(f"no store at {source}", hint="`graphmem copy FROM TO` reads FROM and writes TO")
    if source == target or (path is not None and (into := file_of(target)) and path.resolve() == into.resolve()):
        raise InputError("source and target are the same store", hint="name another target")
    began = time.monotonic()
    theirs = open_store(source, read_only=True)
    try:
        ours = open_store(target)
        try:
            with counted(console(stderr=True), "copy") as draw:
                done = run(
                    theirs,
                    ours,
                    space or (),
                    progress=lambda now: draw(
                        now.done, now.total, f"{now.space} · {now.done}/{now.total} commits · {now.nodes:,} nodes"
                    ),
                )
        finally:
            ours.close()
    finally:
        theirs.close()
    show(done, time.monotonic() - began, output)


def show(done: list[Copied], seconds: float, output: Output) -> None:
    if output is Output.JSON:
        fields = ("space", "commits", "nodes", "seq", "digest", "same")
        print_json({"spaces": [{name: getattr(one, name) for name in fields} for one in done]})
        return
    for one in done:
        stands = "same digest" if one.same else "the source was written to meanwhile; copy again"
        say(f"{one.space}: {one.commits:,} commits, {one.nodes:,} nodes, now at commit {one.seq:,} ({stands})")
    say(f"copied {len(done)} space{'' if len(done) == 1 else 's'} in {duration(seconds)}" if done else "no space there")
