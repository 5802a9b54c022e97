"""A .jsonl file: a chat, one message a line, or trajectories of agents, one run a line. Its first line tells which."""

from __future__ import annotations

from collections.abc import Iterator

from graphmem.ingest.encoding import File
from graphmem.ingest.readers import chat, trajectory
from graphmem.ingest.readers.base import Reading


def read(file: File) -> Iterator[Reading]:
    if trajectory.is_trajectories(file):
        yield from trajectory.read(file)
    else:
        yield from chat.read_lines(file)


def parts(file: File) -> list[str]:
    """The outside ids of trajectories; none for a chat."""
    return trajectory.names(file) if trajectory.is_trajectories(file) else []


def read_part(file: File, number: int) -> Reading:
    return trajectory.read_one(file, number)
