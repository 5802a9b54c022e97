"""Undo of a job of which something was erased since: the rest is undone, what is erased stays erased."""

from __future__ import annotations

from dataclasses import replace

from graphmem.schema import Batch, Space
from graphmem.stores.base import Store
from tests.stores.test_contract import sound, write_turns


def test_a_job_is_undone_although_what_it_deleted_was_erased(store: Store, space: Space) -> None:
    first, second = write_turns(store, space, "The gate is blue.", "The door is red.")
    job = store.open_job(space, {})
    store.write(space, Batch(job=job.id, nodes=(replace(second.note, context="seen twice", version=1),)))
    store.write(space, Batch(job=job.id, delete=((first.note.id, 1),)))
    store.forget(space, [first.note.id])
    store.undo(space, job.id)
    with store.reader(space) as reader:
        assert list(reader.get([first.note.id, second.note.id])) == [second.note.id]
        assert reader.get([second.note.id])[second.note.id].version == 3
    assert sound(store, space)


def test_a_job_is_undone_although_what_it_retired_was_erased(store: Store, space: Space) -> None:
    first, second = write_turns(store, space, "The gate is blue.", "The door is red.")
    job = store.open_job(space, {})
    store.write(space, Batch(job=job.id, retire=(first.passage.id, first.note.id, second.passage.id, second.note.id)))
    store.forget(space, [first.passage.id])
    store.undo(space, job.id)
    with store.reader(space) as reader:
        assert list(reader.get([first.passage.id, second.passage.id])) == [second.passage.id]
        assert (reader.counts()["passage"], reader.counts()["retired"]) == (1, 0)
    assert sound(store, space)
