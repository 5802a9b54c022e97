"""What a store offers to one that repeats another's commits: keys, jobs, times, sequence numbers, names, vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.errors import Conflict
from graphmem.schema import Alias, Batch, Commit, Job, JobState, Space, fold
from graphmem.stores.base import Store
from tests.stores.building import Chat, codes, vector
from tests.stores.test_contract import write_turns

THEIRS = Commit("default", 1, "a" * 32, "ada", 1_000_000, "ingest", 12)


def test_a_new_space_takes_a_given_key_and_keeps_it(store: Store) -> None:
    made = store.space("copied", key=b"k" * 16)
    assert made.key == b"k" * 16
    assert store.space("copied", key=b"other" + b"k" * 11).key == b"k" * 16


def test_a_repeated_commit_keeps_its_number_time_job_and_actor(store: Store, space: Space) -> None:
    chat = Chat(space)
    batch = chat.batch(chat.turn(0, "The gate is blue."), job=THEIRS.job, actor="ada", cause="ingest", replays=THEIRS)
    store.write(space, batch)
    with store.reader(space) as reader:
        (told,) = reader.commits()
    assert (told.seq, told.job, told.actor, told.at_us, told.cause) == (1, "a" * 32, "ada", 1_000_000, "ingest")


def test_a_repeated_commit_is_written_even_when_it_changes_nothing(store: Store, space: Space) -> None:
    assert store.write(space, Batch()) is None
    told = store.write(space, Batch(replays=THEIRS))
    assert told is not None
    assert (told.seq, told.changes, told.at_us) == (1, 0, 1_000_000)


def test_a_commit_is_repeated_only_just_after_the_one_before_it(store: Store, space: Space) -> None:
    with pytest.raises(Conflict):
        store.write(space, Batch(replays=replace(THEIRS, seq=2)))
    store.write(space, Batch(replays=THEIRS))
    with pytest.raises(Conflict):
        store.write(space, Batch(replays=THEIRS))
    with store.reader(space) as reader:
        assert reader.seq == 1


def test_jobs_of_another_store_stay_as_they_are_and_are_brought_up_to_date(store: Store, space: Space) -> None:
    job = Job("b" * 32, JobState.OPEN, {"kind": "ingest", "paths": ["a"]}, 5)
    store.put_jobs(space, [job])
    done = replace(job, state=JobState.DONE, closed_us=9)
    store.put_jobs(space, [done])
    with store.reader(space) as reader:
        assert reader.jobs() == [done]


def test_names_come_with_the_passage_they_were_first_seen_in(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    said = turn.entities[0]
    store.write(space, Batch(aliases=(Alias("the poet", said.id),)))
    with store.reader(space) as reader:
        seen = Alias(fold(said.name), said.id, turn.passage.id)
        assert reader.aliases([said.id]) == [seen, Alias("the poet", said.id)]
        assert reader.aliases([]) == []


def test_what_is_retired_still_has_its_vectors_and_token_codes(store: Store, space: Space) -> None:
    gone, stays = write_turns(store, space, "The gate is blue.", "The door is red.")
    store.write(space, Batch(retire=(gone.passage.id, gone.note.id)))
    with store.reader(space) as reader:
        numbers = reader.numbers([gone.passage.id, stays.passage.id, gone.note.id])
        texts = (gone.passage.text, stays.passage.text, gone.note.text)
        assert np.array_equal(reader.vectors(numbers), np.stack([vector(text) for text in texts]).astype(np.float32))
        offsets, rows = reader.tokens(numbers)
        assert np.diff(offsets).tolist() == [4, 4, 0]
        assert np.array_equal(rows[:4], codes(gone.passage.text))
