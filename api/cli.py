"""The command line. Exit codes are those of `graphmem.errors`, plus 0 for done and 128 + signal when stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import graphmem
from graphmem.api.commands import ask, bulk, care, explore, models, moe, organize, serve, transfer
from graphmem.api.environment import check_names
from graphmem.api.terminal import fail, say

EPILOG = (
    "Exit codes: 0 done (also when nothing is found), 1 unexpected or refused, 2 bad input or setting, 3 not found, "
    "4 the store, 5 a model, 6 a job with failed items, 130 or 143 stopped."
)

app = typer.Typer(
    name="graphmem",
    help="A memory for language-model applications, kept as a graph that people can see and trust.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    ask.remember,
    bulk.ingest,
    ask.recall,
    ask.reflect,
    ask.answer,
    organize.organize,
    ask.feedback,
    care.history,
    care.forget,
    care.stats,
    care.check,
    care.rebuild,
    transfer.copy,
    explore.browser,
    serve.serve,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(bulk.jobs, name="jobs")
app.add_typer(models.models, name="models")
app.add_typer(moe.moe, name="moe")


def show_version(wanted: bool) -> None:
    if wanted:
        say(f"graphmem {graphmem.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A memory for language-model applications, kept as a graph that people can see and trust."""


def main() -> None:
    """Runs the command line and exits with its code. No error leaves as a traceback unless GRAPHMEM_DEBUG asks."""
    # Before numpy is loaded: a question is too small for a second BLAS thread, which waits by spinning. Embedding one
    # on two busy cores took 0.11 s with one thread, 0.95 s with two.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        check_names(os.environ)
        app()
    except Exception as error:
        sys.exit(fail(error))


if __name__ == "__main__":
    main()
