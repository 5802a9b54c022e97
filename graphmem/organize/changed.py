"""What has changed since an earlier run: which passages and notes are new or retired, and whether anything went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphmem.schema import Op
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


def changed(reader: Reader, since: int) -> Changed:
    """Walks the journal behind `since`, one commit at a time. What organising itself wrote is left out: it is made
    from evidence, and only evidence counts here."""
    none = np.zeros(0, np.int64)
    if not since:
        return Changed(True, none)
    found = [none]
    while commits := reader.commits(after=since, limit=COMMITS_A_PAGE):
        for commit in commits:
            if commit.cause.startswith(ORGANIZED):
                continue
            if commit.cause == "forget":
                return Changed(True, none)
            told = [change for change in reader.changes(commit.seq) if ":" not in change.id]
            if any(change.op is Op.DELETE for change in told):
                return Changed(True, none)
            numbers = reader.numbers([change.id for change in told if change.op in (Op.INSERT, Op.RETIRE)])
            found.append(numbers[numbers >= 0])
        since = commits[-1].seq
    return Changed(False, np.unique(np.concatenate(found)))
