"""A job's progress, drawn on stderr when that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphmem.api.terminal import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from graphmem.ingest import Progress

Draw = Callable[["Progress"], None]


@contextmanager
def drawn(console: Console) -> Iterator[Draw]:
    """Gives what draws where a job stands: bar, inputs, rate, time left, the input it is at."""
    with counted(console, "ingest") as draw:
        yield lambda now: draw(now.bytes_done, now.bytes_total, words(now))


@contextmanager
def counted(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives what draws a bar: how much is done, of how much, and words beside it."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[told]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=1, told="starting")

        def draw(done: int, total: int, told: str) -> None:
            bar.update(task, total=max(1, total), completed=done, told=told)

        yield draw


@contextmanager
def ticking(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Gives what draws where a long piece of work stands: called with a step's name and the share of it that is done.
    Without a terminal each step is one line when it begins."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:<8}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Bar(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def tick(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1)
                if not console.is_terminal:
                    console.print(f"{step} …")
            bar.update(tasks[step], completed=share)

        yield tick


def words(now: Progress) -> str:
    left = "" if now.seconds_left is None else f" · {duration(now.seconds_left)} left"
    rate = f"{now.passages:,} passages, {now.passages_per_s:.0f}/s"
    return f"{now.items_done}/{now.items_total} inputs · {rate}{left} · {one_line(now.item, 40)}"


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 8 s, 2 min 05 s, 1 h 03 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
