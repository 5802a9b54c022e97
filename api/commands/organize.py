"""organize: link, sum up and settle what is remembered, as one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.commands.ask import Now
from graphmem.api.commands.options import SPACE, STORE, Format, Output, Space, Store, open_memory
from graphmem.api.progress import ticking
from graphmem.api.terminal import console, note, one_line, print_json, say
from graphmem.api.wire import organized_json

if TYPE_CHECKING:
    from graphmem.memory import Memory
    from graphmem.organize import Organized


def organize(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would change.")] = False,
    leave_out: Annotated[list[str] | None, typer.Option("--without", help="A step to leave out.")] = None,
    now: Now = None,
    store: Store = STORE,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Link notes, sum them up, settle what holds now: a job that can be resumed and undone. Twice changes nothing."""
    with open_memory(store, space) as memory:
        done = run(memory, dry_run=dry_run, leave_out=leave_out or [], now=now)
    tell(done, output)


def run(
    memory: Memory, *, dry_run: bool = False, leave_out: list[str] | None = None, now: str | None = None, job: str = ""
) -> Organized:
    """Organises with progress drawn; goes on with `job` when one is named."""
    from graphmem.organize import STANDARD, without

    organizer = without(STANDARD, *leave_out) if leave_out else STANDARD
    begun: list[str] = []
    with ticking(console(stderr=True)) as tick:

        def progress(step: str, pieces: int) -> None:
            if step not in begun:
                begun.append(step)
                for earlier in begun[:-1]:
                    tick(earlier, 1.0)
            tick(step, pieces / (pieces + 1))  # how many pieces there will be is known at the end alone

        done = memory.organize(organizer=organizer, dry_run=dry_run, resume=job or None, now=now, progress=progress)
        for step in begun:
            tick(step, 1.0)
    return done


def tell(done: Organized, output: Output) -> None:
    if output is Output.JSON:
        print_json(organized_json(done))
    else:
        show(done)


def show(done: Organized) -> None:
    from rich.table import Table

    say(f"Job {done.job}" if done.job else "Dry run: nothing was written. Each step was run on the memory as it is.")
    table = Table("step", "notes", "changed", "gone", "hyperedges", "links", "refused", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, step in done.steps.items():
        counts = (step.notes, step.changed, step.deleted, step.hyperedges, step.links, step.refusals)
        table.add_row(name, *(f"{count:,}" for count in counts))
    console().print(table)
    for name, step in done.steps.items():
        for line in step.told:
            say(f"  {name}: {one_line(line, 160)}")
    if not done.changes:
        say("nothing to change: the memory is in order")
    elif done.job:
        note(f"`graphmem jobs undo {done.job}` takes it back")
