"""ingest and jobs: bring folders of documents and years of dialogue in, look at it, take it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.commands.options import (
    CALLS,
    SECONDS,
    SPACE,
    STORE,
    TOKENS,
    Format,
    Llm,
    MaxCalls,
    MaxSeconds,
    MaxTokens,
    Output,
    Propose,
    Space,
    Store,
    Yes,
    confirm,
    open_memory,
)
from graphmem.api.generators import manner_of, proposing, stays_here
from graphmem.api.progress import Draw, drawn, duration
from graphmem.api.terminal import console, note, one_line, print_json, say
from graphmem.api.wire import iso, item_json, job_json, report_json
from graphmem.errors import JobError
from graphmem.schema import Item, ItemState, Report

if TYPE_CHECKING:
    from graphmem.construct import Caps
    from graphmem.ingest.plan import Estimate
    from graphmem.memory import Memory

#: Failed items written out; `jobs show` and `-o json` have all.
FAILED_SHOWN = 20

jobs = typer.Typer(help="Look at jobs, resume them, take them back.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(help="The job's id, or a unique beginning of it.")]


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    *,
    into: Annotated[
        str, typer.Option("--into", "--store", envvar=["GRAPHMEM_STORE", "NEO4J_URI"], help="Path or URL of the store.")
    ] = STORE,
    propose: Propose = False,
    llm: Llm = "",
    max_calls: MaxCalls = CALLS,
    max_tokens: MaxTokens = TOKENS,
    max_seconds: MaxSeconds = SECONDS,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what it would take, and stop.")] = False,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Bring in files and folders (JSONL, JSON, Markdown, HTML, text): a job, to be resumed or undone."""
    from graphmem.construct import Caps
    from graphmem.ingest import estimate
    from graphmem.ingest import ingest as run

    caps = Caps(max_calls, max_tokens, max_seconds)
    cost = estimate(paths, manner=manner_of(llm) if propose else None)
    note(
        f"{cost.files:,} files, about {cost.passages:,} passages, {duration(cost.seconds)}; {told_of(cost, llm, caps)}"
    )
    if dry_run:
        if output is Output.JSON:
            print_json(asdict(cost))
        return
    if propose and not yes:
        agree(llm)
    with (
        proposing(llm, wanted=propose, caps=caps) as proposer,
        open_memory(into, space, existing=False, proposer=proposer) as memory,
    ):
        finish(memory, lambda progress: run(memory, paths, progress=progress), output)


def agree(llm: str) -> None:
    """Asks whether the model may be asked: a bulk job costs many calls."""
    confirm(f"Ask {llm}?", needs="asking a model about every passage")


def told_of(cost: Estimate, llm: str, caps: Caps) -> str:
    """Which model would be asked and what that would take; that none is, when none is."""
    asking = cost.asking
    if not asking.calls:
        return "no model is called, nothing leaves this machine"
    where = "nothing leaves this machine" if stays_here(llm) else "the text of the passages is sent to it"
    return (
        f"besides, {llm} is asked in at most {asking.calls:,} calls, about {asking.prompt_tokens:,} tokens in all and "
        f"{asking.answer_tokens:,} in answer; caps are {caps.calls:,} calls, {caps.tokens:,} tokens, "
        f"{duration(caps.seconds)}; {where}"
    )


def finish(memory: Memory, run: Callable[[Draw], Report], output: Output) -> None:
    """Runs a job with its progress drawn, then tells what it did. Raises JobError when items failed."""
    with drawn(console(stderr=True)) as progress:
        report = run(progress)
    items = memory.items(report.job) if report.job else []
    failed = [item for item in items if item.state is ItemState.FAILED]
    if output is Output.JSON:
        print_json({**report_json(report), "failed_items": [item_json(item) for item in failed]})
    else:
        show_report(report, len(items))
    show_failed(failed)
    if failed:
        raise JobError(
            f"{len(failed)} of {len(items)} inputs failed; the others are in",
            hint=f"mend them, then `graphmem jobs resume {report.job}`",
        )


def show_report(report: Report, inputs: int) -> None:
    from rich.table import Table

    say(f"Job {report.job}")
    table = Table(show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    rows = {
        "inputs": inputs,
        "passages": report.passages,
        "notes": report.notes,
        "names": report.entities,
        "hyperedges": report.hyperedges,
        "edges": report.edges,
        "skipped (there already)": report.skipped,
        "failed": report.failed,
    }
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    if report.calls or report.accepted or report.refusals:
        asked = {
            "calls to the model": report.calls,
            "characters sent": report.prompt_chars,
            "characters received": report.answer_chars,
            "proposals accepted": report.accepted,
            "proposals refused": report.refusals,
        }
        for name, count in asked.items():
            table.add_row(name, f"{count:,}")
    table.add_row("seconds", f"{report.seconds:.1f}")
    console().print(table)


def show_failed(failed: Sequence[Item]) -> None:
    for item in failed[:FAILED_SHOWN]:
        where = ", ".join(part for part in (item.key, item.position) if part)
        note(f"failed  {where}: {item.error}")
    if len(failed) > FAILED_SHOWN:
        note(f"failed  … and {len(failed) - FAILED_SHOWN} more")


@jobs.command("list")
def list_jobs(store: Store = STORE, space: Space = SPACE, output: Format = Output.TEXT) -> None:
    """All jobs, oldest first."""
    with open_memory(store, space, read_only=True) as memory:
        found = memory.jobs()
    if output is Output.JSON:
        print_json({"jobs": [job_json(job) for job in found]})
        return
    for job in found:
        say(f"{job.id}  {job.state:<7}  {(iso(job.opened_us) or '')[:19]}  {one_line(str(dict(job.spec)), 80)}")
    if not found:
        say("no jobs")


@jobs.command()
def show(id: JobId, store: Store = STORE, space: Space = SPACE, output: Format = Output.TEXT) -> None:
    """One job and what became of each input."""
    with open_memory(store, space, read_only=True) as memory:
        job = memory.job(id)
        items = memory.items(job.id)
    if output is Output.JSON:
        print_json(job_json(job, items))
        return
    say(f"{job.id}  {job.state}  opened {(iso(job.opened_us) or '')[:19]}")
    for item in items:
        error = f"  {item.position}: {item.error}" if item.error else ""
        say(f"  {item.state:<8} {item.cursor:>7} passages  {item.key}{error}")


@jobs.command()
def resume(
    id: JobId,
    *,
    store: Store = STORE,
    propose: Propose = False,
    llm: Llm = "",
    max_calls: MaxCalls = CALLS,
    max_tokens: MaxTokens = TOKENS,
    max_seconds: MaxSeconds = SECONDS,
    yes: Yes = False,
    space: Space = SPACE,
    output: Format = Output.TEXT,
) -> None:
    """Go on with a job that was cut short or had failed inputs; nothing is done twice. Caps count anew."""
    from graphmem.api.commands import organize
    from graphmem.construct import Caps
    from graphmem.ingest import ingest as run

    caps = Caps(max_calls, max_tokens, max_seconds)
    with open_memory(store, space, read_only=True) as memory:
        spec = memory.job(id).spec
    if propose:
        foretell(spec, llm, caps)
    elif "proposer" in spec:
        note(f"this job was begun with proposals of {spec['proposer']}; it goes on without: --propose asks again")
    if propose and not yes:
        agree(llm)
    with (
        proposing(llm, wanted=propose, caps=caps) as proposer,
        open_memory(store, space, proposer=proposer) as memory,
    ):
        job = memory.job(id)
        if job.spec.get("kind") == "organize":
            organize.tell(organize.run(memory, job=job.id), output)
            return
        finish(memory, lambda progress: run(memory, [], progress=progress, resume=job.id), output)


def foretell(spec: Mapping[str, object], llm: str, caps: Caps) -> None:
    """What asking about a job's inputs would take, those that are done counted as well."""
    from graphmem.ingest import estimate

    paths = spec.get("paths")
    found = [str(path) for path in paths if Path(str(path)).exists()] if isinstance(paths, list | tuple) else []
    if found:
        note(told_of(estimate(found, manner=manner_of(llm)), llm, caps))


@jobs.command()
def undo(id: JobId, store: Store = STORE, space: Space = SPACE) -> None:
    """Take back all that a job wrote. Refused when something later builds on it."""
    with open_memory(store, space) as memory:
        job = memory.job(id)
        commit = memory.undo(job.id)
    say(f"undone: {commit.changes} objects" if commit else "nothing to undo")
