"""Trajectories of agents as JSON Lines, one run a line (graphmem.trajectories has the format). Each is a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from graphmem import trajectories
from graphmem.ingest import times
from graphmem.ingest.encoding import File, lines
from graphmem.ingest.readers.base import Reading, json_fault, parse_json

#: Fields that a line of a chat never has together.
MARKS = {"task", "steps"}


def is_trajectories(file: File) -> bool:
    """Whether the first line that is not blank is a run. Lines that are no JSON are for the chat's reader to refuse."""
    for _, text in lines(file):
        if not text.isspace():
            try:
                value = parse_json(text.rstrip("\r\n"))
            except ValueError:
                return False
            return isinstance(value, dict) and set(value) >= MARKS
    return False


def names(file: File) -> list[str]:
    """The outside ids of the runs. Raises InputError when two are the same."""
    found: dict[str, int] = {}
    for number, (line, run) in enumerate(_runs(file), 1):
        name = run.id or f"{file.name}#{number}"
        if name in found:
            raise file.fault(
                f"id {name!r} is that of line {found[name]} too",
                hint="give each run an id of its own, or none",
                position=f"line {line}",
            )
        found[name] = line
    return list(found)


def read(file: File) -> Iterator[Reading]:
    for number in range(len(_lines(file))):
        yield read_one(file, number)


def read_one(file: File, number: int) -> Reading:
    """The run at `number`, from 0."""
    rows = _lines(file)
    if number >= len(rows):
        raise file.fault("changed while it was read", hint="ingest it again once nothing writes to it")
    line, value = rows[number]
    run = trajectories.read(value, source=file.name, position=f"line {line}")
    at_us, tz_min = _moment(file, value, line)
    source = trajectories.source_of(run, at_us, run.id or f"{file.name}#{number + 1}")
    return source, trajectories.drafts_of(run, at_us, tz_min)


def _moment(file: File, value: Mapping[str, object], line: int) -> tuple[int | None, int | None]:
    written = value.get("at")
    if written in (None, ""):
        return None, None
    try:
        return times.moment(written)
    except ValueError as error:
        raise file.fault(str(error), hint=times.HINT, position=f"line {line}") from error


def _runs(file: File) -> Iterator[tuple[int, trajectories.Trajectory]]:
    for line, value in _lines(file):
        yield line, trajectories.read(value, source=file.name, position=f"line {line}")


def _lines(file: File) -> list[tuple[int, Mapping[str, object]]]:
    """The file's runs with their lines; those of the last file are kept, for they are asked for one by one."""
    status = file.path.stat()
    return _parsed(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _parsed(file: File, size_bytes: int, changed_ns: int) -> list[tuple[int, Mapping[str, object]]]:
    del size_bytes, changed_ns  # they make the key of the cache
    found: list[tuple[int, Mapping[str, object]]] = []
    for number, text in lines(file):
        if text.isspace():
            continue
        try:
            value = parse_json(text.rstrip("\r\n"))
        except ValueError as error:
            raise json_fault(file, error, line=number, hint=trajectories.HINT) from error
        if not isinstance(value, dict):
            raise file.fault("holds no trajectory", hint=trajectories.HINT, position=f"line {number}")
        found.append((number, value))
    return found
