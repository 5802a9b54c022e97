"""history, forget, stats, check, rebuild: look after a memory."""

from __future__ import annotations

from typing import Annotated

import typer

from graphmem.api.commands.options import SPACE, STORE, Format, Output, Space, Store, Yes, confirm, open_memory
from graphmem.api.terminal import console, note, print_json, say
from graphmem.api.wire import change_json, forget_json, iso
from graphmem.errors import NotFound, StoreCorrupt

#: Problems that `check` writes out before it only counts them.
PROBLEMS_SHOWN = 20


def history(
    id: Annotated[str, typer.Argument(help="The id of a note, passage, entity, …")],
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """All that happened to one object, oldest first."""
    with open_memory(store, space, read_only=True) as memory:
        told = memory.history(id)
    if not told:
        raise NotFound(f"nothing ever happened to {id!r}", hint="`graphmem recall --explain` shows ids")
    if output is Output.JSON:
        print_json({"id": id, "changes": [change_json(commit, change) for commit, change in told]})
        return
    for commit, change in told:
        job = f" by job {commit.job}" if commit.job else ""
        say(f"{commit.seq:>6}  {(iso(commit.at_us) or '')[:19]}  {change.op}  {commit.cause} by {commit.actor}{job}")


def forget(
    ids: Annotated[list[str], typer.Argument(help="Passages, sources, notes or entities to erase.")],
    yes: Yes = False,
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Erase objects and all that is derived from them, from every file of the store. Cannot be undone."""
    with open_memory(store, space) as memory:
        for id in ids:
            memory.get(id)
        if not yes:
            confirm(
                f"Erase {len(ids)} object{'s' if len(ids) > 1 else ''} and what is derived from them for good?",
                needs="erasing",
            )
        done = memory.forget(*ids)
    if output is Output.JSON:
        print_json(forget_json(done))
        return
    say("erased " + ", ".join(f"{count} {kind}" for kind, count in done.counts.items()))
    say(f"certificate {done.tombstone}")
    for remark in done.remarks:
        say(remark)


def stats(store: Store = STORE, space: Space = SPACE, output: Format = Output.TEXT) -> None:
    """What the memory holds."""
    with open_memory(store, space, read_only=True) as memory:
        counts = memory.counts()
    if output is Output.JSON:
        print_json({"store": store, "space": space, "counts": counts})
        return
    from rich.table import Table

    say(f"{store}, space {space}")
    table = Table(show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    console().print(table)


def check(store: Store = STORE, space: Space = SPACE) -> None:
    """Compare everything derived with the truth. Exit code 4 when they disagree."""
    with open_memory(store, space, read_only=True) as memory:
        problems = memory.check()
    for problem in problems[:PROBLEMS_SHOWN]:
        note(problem)
    if problems:
        raise StoreCorrupt(
            f"{len(problems)} derived rows disagree with the truth", hint="run `graphmem rebuild`", source=store
        )
    say("sound")


def rebuild(store: Store = STORE, space: Space = SPACE) -> None:
    """Make everything derived anew from the truth."""
    with open_memory(store, space) as memory:
        memory.rebuild()
    say("rebuilt")
