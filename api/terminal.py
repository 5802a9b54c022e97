"""What the command line writes: answers to stdout, everything else to stderr, errors as one clear line."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphmem.errors import GraphmemError
from graphmem.moe_runtime.errors import MoeError

if TYPE_CHECKING:
    from rich.console import Console

#: Width of output that is not a terminal: wide, so that a pipe sees whole lines.
PIPE_WIDTH = 200

CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {0x09, 0x0A}
HARMLESS = dict.fromkeys(CONTROLS, "\ufffd")


def console(*, stderr: bool = False) -> Console:
    """Honours NO_COLOR and a stream that is no terminal. Memory text goes in as `rich.text.Text`, never as markup."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def say(line: str = "") -> None:
    """A plain line to stdout, at once: who reads a pipe (a script that waits for the server's address) must see it."""
    print(printable(line), flush=True)


def note(line: str) -> None:
    """A line for people to stderr, out of the way of what a program reads."""
    print(printable(line), file=sys.stderr)


def print_json(value: Mapping[str, object]) -> None:
    """The only thing on stdout with `-o json`: one object, indented, UTF-8."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def printable(text: str) -> str:
    """Remembered text must not drive the terminal: control characters and overrides of the writing direction are
    shown as U+FFFD. Tabs, newlines and joiners stay."""
    return text if text.isprintable() else text.translate(HARMLESS)


def one_line(text: str, width: int = 100) -> str:
    """Text on one line, cut with an ellipsis."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def fail(error: BaseException) -> int:
    """Says what went wrong, where, and what to do; returns the exit code. GRAPHMEM_DEBUG=1 adds the traceback."""
    if debugging():
        traceback.print_exception(error)
    if isinstance(error, GraphmemError | MoeError):  # the engine's tree has the shape of the library's
        note(f"graphmem: {error}" + (f". {sentence(error.hint)}" if error.hint else ""))
        return error.exit_code
    note(f"graphmem: unexpected {type(error).__name__}: {error}. GRAPHMEM_DEBUG=1 shows where; please report it.")
    return GraphmemError.exit_code


def sentence(hint: str) -> str:
    return hint[:1].upper() + hint[1:]


def debugging() -> bool:
    return os.environ.get("GRAPHMEM_DEBUG", "").lower() in ("1", "true", "yes", "on")
