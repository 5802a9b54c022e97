"""Writing that may have to be done again, and one batch as a job of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from graphmem.errors import Conflict
from graphmem.schema import Batch, Commit, Id, Item, ItemState, JobState, Space
from graphmem.stores.base import Store

T = TypeVar("T")

MAX_ATTEMPTS = 5


def until_no_conflict(write: Callable[[], T]) -> T:
    """Computes and writes again when another writer came between, at most MAX_ATTEMPTS times."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return write()
        except Conflict:
            continue
    return write()


def write_as_job(
    store: Store, space: Space, spec: Mapping[str, Any], batch: Batch, *, item: str = ""
) -> tuple[Id, Commit | None]:
    """One batch as one job, so that it can be undone by the job's id; an `item` counts its nodes. A job whose batch is
    refused is closed as failed."""
    job = store.open_job(space, dict(spec))
    items = (Item(job.id, item, ItemState.DONE, len(batch.nodes)),) if item else ()
    state = JobState.FAILED
    try:
        commit = store.write(space, replace(batch, job=job.id, items=items))
        state = JobState.DONE
    finally:
        store.close_job(space, job.id, state)
    return job.id, commit
