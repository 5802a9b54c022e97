"""serve: the memory over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from graphmem.api.environment import DEFAULTS
from graphmem.api.terminal import note, say


def serve(
    *,
    host: Annotated[str | None, typer.Option(help=f"Address, GRAPHMEM_HOST or {DEFAULTS['GRAPHMEM_HOST']}.")] = None,
    port: Annotated[
        int | None, typer.Option(help=f"Port, GRAPHMEM_PORT or {DEFAULTS['GRAPHMEM_PORT']}; 0: a free one.")
    ] = None,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines in.")] = False,
    store: Annotated[str | None, typer.Option(help="Path or URL of the store, or GRAPHMEM_STORE.")] = None,
    space: Annotated[str | None, typer.Option(help="The space, or GRAPHMEM_SPACE.")] = None,
    llm: Annotated[
        str | None,
        typer.Option("--llm", "--generator", help="Chat model that writes, or moe:STORE; or GRAPHMEM_LLM."),
    ] = None,
    propose: Annotated[
        bool | None,
        typer.Option("--propose/--no-propose", help="Let it propose for what is written, or GRAPHMEM_PROPOSE."),
    ] = None,
) -> None:
    """Serve GraphQL, the answer stream and a start page, to this machine only."""
    from graphmem.api.app import opened
    from graphmem.api.generators import generating
    from graphmem.api.server import listen, run
    from graphmem.api.settings import read_settings

    given = {"host": host, "port": port, "store": store, "space": space, "llm": llm, "propose": propose}
    settings = read_settings(**given, allow_remote=allow_remote or None)
    with (
        listen(settings) as (socket, url),
        generating(settings.llm) as generator,
        opened(settings, generator) as memory,
    ):
        say(f"graphmem serves {settings.store} (space {settings.space}) at {url}")
        say(f"GraphQL with example queries: {url}/graphql   stop: Ctrl-C")
        if settings.allow_remote:
            note("warning: other machines may reach it and there is no login: whoever does, reads and writes")
        run(settings, memory, socket)
