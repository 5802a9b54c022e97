"""What has changed since an earlier run: which passages and notes are new or retired, and whether anything went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphmem.schema import Change, Commit, Op
from graphmem.stores.base import Numbers, Reader

COMMITS_A_PAGE = 100
#: What the causes of organising's own commits begin with.
ORGANIZED = "organize:"


@dataclass(frozen=True, slots=True)
class Changed:
    """`everything`: there was no earlier run, or something was erased or undone and nothing tells what it touched.
    Else `numbers`, ascending: the nodes that came or were retired since."""

    everything: bool
    numbers: Numbers


def journal(reader: Reader, since: int) -> Iterator[tuple[Commit, list[Change]]]:
    """The commits behind `since` in their order, each with what it did to nodes; one commit in memory."""
    while commits := reader.commits(after=since, limit=COMMITS_A_PAGE):
        for commit in commits:
            yield commit, [change for change in reader.changes(commit.seq) if ":" not in change.id]
        since = commits[-1].seq


def is_organizing(commit: Commit) -> bool:
    return commit.cause.startswith(ORGANIZED)


def erases(commit: Commit, changes: Sequence[Change]) -> bool:
    """Whether it erased or undid something: nothing tells what that touched. What organising takes back is its own."""
    taken = any(change.op is Op.DELETE for change in changes)
    return commit.cause == "forget" or (taken and not is_organizing(commit))


def changed(reader: Reader, since: int) -> Changed:
    """What organising itself wrote is left out: it is made from evidence, and only evidence counts here."""
    none = np.zeros(0, np.int64)
    if not since:
        return Changed(True, none)
    found = [none]
    for commit, changes in journal(reader, since):
        if erases(commit, changes):
            return Changed(True, none)
        if not is_organizing(commit):
            numbers = reader.numbers([change.id for change in changes if change.op in (Op.INSERT, Op.RETIRE)])
            found.append(numbers[numbers >= 0])
    return Changed(False, np.unique(np.concatenate(found)))
