"""models: what can be fetched by name, and what is there."""

from __future__ import annotations

from typing import Annotated

import typer

from graphmem.api.commands.options import Format, Output
from graphmem.api.models import MODELS, Model, fetched, model_file, model_named
from graphmem.api.terminal import print_json, say

models = typer.Typer(help="Models that graphmem knows.", no_args_is_help=True)


@models.command()
def fetch(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    output: Format = Output.TEXT,
) -> None:
    """Fetch a model by name: pinned, its hash checked. The only command that ever downloads anything."""
    model = model_named(name)
    if model.weights is None:
        path = None
        told = f"{name}: {model.about}; there is nothing to fetch"
    else:
        path = fetched(name)
        told = f"{name} is at {path} ({path.stat().st_size / 1e6:.0f} MB, hash checked)"
    if output is Output.JSON:
        print_json({**model_json(model), "path": str(path) if path else None})
    else:
        say(told)


@models.command("list")
def list_models(output: Format = Output.TEXT) -> None:
    """All models, and which are there."""
    if output is Output.JSON:
        print_json({"models": [model_json(model) for model in MODELS]})
        return
    for model in MODELS:
        say(f"{model.name:<10} {state(model):<32} {model.licence:<12} {model.about}")


def model_json(model: Model) -> dict[str, object]:
    path = model_file(model.name)
    return {
        "name": model.name,
        "about": model.about,
        "licence": model.licence,
        "bundled": model.weights is None,
        "size_bytes": model.weights.size_bytes if model.weights else None,
        "path": str(path) if path else None,
    }


def state(model: Model) -> str:
    if model.weights is None:
        return "there, with the install"
    if model_file(model.name) is not None:
        return "there"
    return f"graphmem models fetch {model.name}"
