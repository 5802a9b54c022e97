"""serve, models: what runs beside the memory."""

from __future__ import annotations

from typing import Annotated

import typer

from graphmem.api.environment import DEFAULTS
from graphmem.api.terminal import note, say
from graphmem.errors import NotFound

#: Models by the name that `models fetch` takes, and what there is to say of each.
MODELS = {
    "minilm": "minilm (sentence-transformers/all-MiniLM-L6-v2) comes with the install: there is nothing to fetch",
}


def serve(
    *,
    host: Annotated[str | None, typer.Option(help=f"Address, GRAPHMEM_HOST or {DEFAULTS['GRAPHMEM_HOST']}.")] = None,
    port: Annotated[
        int | None, typer.Option(help=f"Port, GRAPHMEM_PORT or {DEFAULTS['GRAPHMEM_PORT']}; 0: a free one.")
    ] = None,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines in.")] = False,
    store: Annotated[str | None, typer.Option(help="Path or URL of the store, or GRAPHMEM_STORE.")] = None,
    space: Annotated[str | None, typer.Option(help="The space, or GRAPHMEM_SPACE.")] = None,
    llm: Annotated[str | None, typer.Option(help="Chat model that writes, or GRAPHMEM_LLM.")] = None,
) -> None:
    """Serve GraphQL, the answer stream and a start page, to this machine only."""
    from graphmem.api.app import opened
    from graphmem.api.server import listen, run
    from graphmem.api.settings import read_settings

    settings = read_settings(host=host, port=port, allow_remote=allow_remote or None, store=store, space=space, llm=llm)
    with listen(settings) as (socket, url), opened(settings) as memory:
        say(f"graphmem serves {settings.store} (space {settings.space}) at {url}")
        say(f"GraphQL with example queries: {url}/graphql   stop: Ctrl-C")
        if settings.allow_remote:
            note("warning: other machines may reach it and there is no login: whoever does, reads and writes")
        run(settings, memory, socket)


models = typer.Typer(help="Models that graphmem knows.", no_args_is_help=True)


@models.callback()
def about_models() -> None:
    """Models that graphmem knows."""


@models.command()
def fetch(name: Annotated[str, typer.Argument(help="The model's name.")]) -> None:
    """Fetch a model by name: pinned, its hash checked. The only command that ever downloads anything."""
    if name not in MODELS:
        raise NotFound(f"no model is called {name!r}", hint=f"there is {', '.join(MODELS)}")
    say(MODELS[name])
