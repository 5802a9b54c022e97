"""Items of a job: many wait, each moves on by itself, those of a job come in order of their keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphmem.schema import Item, ItemState, JobState, Space
from graphmem.stores.base import Store
from tests.stores.test_contract import sound, write_turns


def test_items_wait_move_on_and_wait_again(store: Store, space: Space) -> None:
    job = store.open_job(space, {})
    waiting = [Item(job.id, key, ItemState.PENDING) for key in ("b", "a", "ä", "a#2")]
    store.put_items(space, waiting)
    store.put_items(space, waiting[:2])
    done = replace(waiting[1], state=ItemState.DONE, cursor=3)
    failed = replace(waiting[2], state=ItemState.FAILED, error="bad", position="line 2")
    store.put_items(space, [done, failed, Item(job.id, "c", ItemState.SKIPPED)])
    with store.reader(space) as reader:
        wanted = [done, waiting[3], waiting[0], Item(job.id, "c", ItemState.SKIPPED), failed]
        assert reader.items(job.id) == wanted
    store.put_items(space, [waiting[2], replace(waiting[0], cursor=1)])
    store.close_job(space, job.id, JobState.FAILED)
    with store.reader(space) as reader:
        assert reader.items(job.id) == [done, waiting[3], replace(waiting[0], cursor=1), wanted[3], waiting[2]]


def test_items_of_a_job_that_is_done_are_all_there(store: Store, space: Space) -> None:
    job = store.open_job(space, {})
    keys = [f"file {n:04}" for n in range(300)]
    store.put_items(space, [Item(job.id, key, ItemState.PENDING) for key in keys])
    with store.reader(space) as reader:
        assert [item.key for item in reader.items(job.id)] == keys
    store.put_items(space, [Item(job.id, key, ItemState.DONE, 1) for key in keys])
    store.close_job(space, job.id, JobState.DONE)
    with store.reader(space) as reader:
        assert {item.state for item in reader.items(job.id)} == {ItemState.DONE}
        assert len(reader.items(job.id)) == 300


def test_an_item_may_come_before_its_job(store: Store, space: Space) -> None:
    item = Item("a" * 32, "x", ItemState.PENDING)
    store.put_items(space, [item])
    with store.reader(space) as reader:
        assert reader.items("a" * 32) == [item]


@pytest.mark.parametrize("state", [ItemState.PENDING, ItemState.DONE])
def test_an_item_that_names_an_erased_source_names_it_no_more(store: Store, space: Space, state: ItemState) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.", name="secret-diary")
    job = store.open_job(space, {})
    store.put_items(space, [Item(job.id, key, ItemState.PENDING) for key in ("secret-diary.txt", "other.txt")])
    store.put_items(space, [Item(job.id, "secret-diary.txt", state)])
    store.forget(space, [turn.passage.source])
    with store.reader(space) as reader:
        keys = [item.key for item in reader.items(job.id)]
    assert "other.txt" in keys and len(keys) == 2
    assert not any("secret" in key for key in keys)
    assert sound(store, space)
