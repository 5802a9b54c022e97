"""What every store remembers of its changes: commits in order, history, undo, digests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.analysis import terms
from graphmem.errors import Conflict, NotFound
from graphmem.schema import (
    Alias,
    Batch,
    Edge,
    EdgeType,
    Item,
    ItemState,
    JobState,
    NodeKind,
    Op,
    Refusal,
    Space,
)
from graphmem.stores.base import NO_TIME, Store
from tests.stores.building import Chat, Turn, sentences, vector
from tests.stores.test_contract import counts, digest, sound, write_turns


def test_commits_count_from_one_and_a_chain_ties_them(store: Store, space: Space) -> None:
    write_turns(store, space, "The gate is blue.")
    write_turns(store, space, "The door is red.", name="second")
    with store.reader(space) as reader:
        first, second = reader.commits()
        assert (first.seq, second.seq, reader.seq) == (1, 2, 2)
        assert first.chain != second.chain
        assert reader.commits(after=1) == [second]
        assert len(reader.changes(1)) == first.changes
        with pytest.raises(NotFound):
            reader.changes(3)


def test_a_commit_names_every_object_that_it_touched(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    with store.reader(space) as reader:
        ids = {change.id for change in reader.changes(1)}
    assert {node.id for node in turn.nodes} <= ids
    assert f"{turn.passage.id}:SPEAKER:{turn.entities[0].id}" in ids
    assert f"{turn.note.id}:FROM:{turn.passage.id}:0" in ids


def test_history_tells_each_change_with_the_image_before_it(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    for version, context in ((1, "first"), (2, "second")):
        store.write(space, Batch(cause="evolve", nodes=(replace(turn.note, context=context, version=version),)))
    store.write(space, Batch(delete=((turn.note.id, 3),)))
    with store.reader(space) as reader:
        told = reader.history(turn.note.id)
        assert [change.op for _, change in told] == [Op.INSERT, Op.UPDATE, Op.UPDATE, Op.DELETE]
        befores = [change.before for _, change in told]
        assert befores[0] is None
        assert [before["context"] for before in befores[1:] if before] == ["", "first", "second"]
        assert all(before["text"] == turn.note.text for before in befores[1:] if before)
        assert [commit.cause for commit, _ in told] == ["remember", "evolve", "evolve", "remember"]
        assert reader.changes(2)[0].before == befores[1]
        assert reader.history("f" * 32) == []


def test_a_job_is_undone_as_if_it_had_never_run(store: Store, space: Space) -> None:
    turns = write_turns(store, space, "The gate is blue.", "The door is red.")
    before, there = digest(store, space), counts(store, space)
    job = store.open_job(space, {"kind": "test"})
    chat = Chat(space)
    more = chat.turn(2, "The roof is grey.", "Ben", "Lake", "Roof")
    store.write(space, chat.batch(more, before=turns[1], job=job.id))
    link = Edge(turns[0].note.id, EdgeType.SIMILAR, turns[1].note.id, 99, "both are painted")
    store.write(space, Batch(job=job.id, nodes=(replace(turns[0].note, context="new", version=1),), edges=(link,)))
    store.write(space, Batch(job=job.id, edges=(replace(link, weight_q8=120),)))
    store.write(space, Batch(job=job.id, retire=(turns[1].passage.id, turns[1].note.id)))
    commit = store.undo(space, job.id)
    assert commit is not None and commit.seq == 6
    after = counts(store, space)
    assert digest(store, space) == before
    assert after == {**there, "commits": 6}
    with store.reader(space) as reader:
        assert reader.jobs()[0].state == JobState.UNDONE
        assert reader.entities(["ben", "roof"]).number.tolist() == []
        kinds = [NodeKind.NOTE]
        found = reader.dense(vector(turns[1].note.text).astype(np.float32), 1, kinds)
        assert found.numbers.tolist() == reader.numbers([turns[1].note.id]).tolist()
        assert len(reader.text(terms("door"), None).numbers) == 1
    assert sound(store, space)
    assert store.undo(space, job.id) is None


def test_a_name_that_a_job_brought_stays_when_later_turns_spell_it_too(store: Store, space: Space) -> None:
    (first,) = write_turns(store, space, "The gate is blue.")
    ada, chat, job = first.entities[0], Chat(space), store.open_job(space, {})

    def nicknamed(ordinal: int, text: str, nick: str) -> Turn:
        turn = chat.turn(ordinal, text, "Ada")
        edge = Edge(turn.passage.id, EdgeType.MENTIONS, ada.id)
        return replace(turn, edges=(*turn.edges, edge), aliases=(Alias(nick, ada.id, turn.passage.id),))

    ours, only = nicknamed(1, "Adele came.", "adele"), nicknamed(2, "Addie left.", "addie")
    store.write(space, chat.batch(ours, only, job=job.id))
    store.write(space, chat.batch(nicknamed(3, "Adele waved.", "adele")))
    store.undo(space, job.id)
    with store.reader(space) as reader:
        assert reader.aliases_of([ada.id]) == {ada.id: ("ada", "adele")}
        assert reader.digest()
    assert sound(store, space)


def test_a_job_that_deleted_nodes_is_undone(store: Store, space: Space) -> None:
    a, b = write_turns(store, space, "The gate is blue.", "The door is red.")
    store.write(space, Batch(edges=(Edge(a.note.id, EdgeType.CAUSES, b.note.id, 7, "paint"),)))
    before = digest(store, space)
    job = store.open_job(space, {})
    lake = a.entities[1]
    store.write(space, Batch(job=job.id, delete=((a.note.id, 1),)))
    store.write(space, Batch(job=job.id, delete=((lake.id, 1), (a.relation.id, 1), (b.relation.id, 1))))  # type: ignore[union-attr]
    assert digest(store, space) != before
    store.undo(space, job.id)
    assert digest(store, space) == before
    assert sound(store, space)
    with store.reader(space) as reader:
        assert reader.entities(["lake"]).number.tolist() == reader.numbers([lake.id]).tolist()


@pytest.mark.parametrize("later", ["update", "edge", "delete", "turn", "weight"])
def test_undo_refuses_when_something_later_builds_on_the_job(store: Store, space: Space, later: str) -> None:
    (first,) = write_turns(store, space, "The gate is blue.")
    job = store.open_job(space, {})
    chat = Chat(space)
    turn = chat.turn(1, "The roof is grey.", "Ben", "Roof")
    link = Edge(first.note.id, EdgeType.SIMILAR, turn.note.id, 10, "paint")
    store.write(space, replace(chat.batch(turn, job=job.id), edges=(*turn.edges, link)))
    batch = {
        "update": Batch(nodes=(replace(turn.note, context="later", version=1),)),
        "edge": Batch(edges=(Edge(turn.note.id, EdgeType.ELABORATES, first.note.id, 1, "x"),)),
        "delete": Batch(delete=((turn.note.id, 1),)),
        "turn": chat.batch(chat.turn(2, "Grey, you say.", "Ada"), before=turn),
        "weight": Batch(edges=(replace(link, weight_q8=200),)),
    }[later]
    store.write(space, batch)
    before = digest(store, space)
    with pytest.raises(Conflict, match="cannot be undone"):
        store.undo(space, job.id)
    assert digest(store, space) == before
    assert sound(store, space)


def test_a_job_that_is_not_there_cannot_be_undone(store: Store, space: Space) -> None:
    with pytest.raises(NotFound):
        store.undo(space, "f" * 32)
    assert store.undo(space, store.open_job(space, {}).id) is None


def test_items_and_refusals_are_written_with_their_batch(store: Store, space: Space) -> None:
    job = store.open_job(space, {"paths": ["a.md"]})
    chat = Chat(space)
    turn = chat.turn(0, "The gate is blue.")
    item = Item(job.id, "a.md", ItemState.PENDING, 0)
    refusal = Refusal("construct", turn.passage.id, "no such span", "p" * 5_000)
    store.write(space, chat.batch(turn, job=job.id, items=(item,), refusals=(refusal,)))
    store.put_items(space, [replace(item, state=ItemState.FAILED, cursor=3, error="bad line", position="line 4")])
    store.close_job(space, job.id, JobState.FAILED)
    with store.reader(space) as reader:
        assert reader.items(job.id) == [Item(job.id, "a.md", ItemState.FAILED, 3, "bad line", "line 4")]
        (told,) = reader.refusals(job.id)
        assert (told.reason, len(told.proposal)) == ("no such span", 2_000)
        assert reader.refusals("f" * 32) == []
        closed = reader.jobs()[0]
        assert (closed.state, closed.spec) == (JobState.FAILED, {"paths": ["a.md"]})
        assert closed.closed_us is not None and closed.closed_us >= closed.opened_us
    with pytest.raises(NotFound):
        store.close_job(space, "f" * 32, JobState.DONE)


def test_an_item_is_kept_though_its_batch_changes_nothing(store: Store, space: Space) -> None:
    chat = Chat(space)
    batch = chat.batch(chat.turn(0, "The gate is blue."))
    store.write(space, batch)
    job = store.open_job(space, {})
    assert store.write(space, replace(batch, items=(Item(job.id, "a", ItemState.DONE, 1),))) is None
    with store.reader(space) as reader:
        assert reader.items(job.id)[0].cursor == 1


def test_the_evidence_digest_does_not_depend_on_order_or_on_batches(store: Store) -> None:
    one, two = store.space("one", key=b"k" * 16), store.space("two", key=b"k" * 16)
    digests = []
    for space, order, size in ((one, 1, 3), (two, -1, 4)):
        chat = Chat(space)
        turns = [chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(sentences(12))][::order]
        for start in range(0, 12, size):
            store.write(space, chat.batch(*turns[start : start + size]))
        with store.reader(space) as reader:
            digests.append((reader.evidence_digest(), reader.digest()))
    assert digests[0][0] == digests[1][0]
    assert digests[0][1] != digests[1][1]  # NEXT edges differ


def test_use_counts_are_outside_the_journal_and_the_digest(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    before = digest(store, space), counts(store, space)
    store.used(space, [turn.note.id, "f" * 32], 5)
    store.used(space, [turn.note.id], 6)
    assert (digest(store, space), counts(store, space)) == before


def test_usage_tells_count_and_last_use_of_each_number_in_the_order_asked(store: Store, space: Space) -> None:
    gate, lamp, oak = write_turns(store, space, "The gate is blue.", "The lamp is lit.", "The oak is old.")
    store.used(space, [gate.note.id, lamp.passage.id], 5)
    store.used(space, [gate.note.id], 3)
    store.used(space, [gate.note.id, lamp.passage.id], 9, useful=False)
    store.used(space, [oak.note.id], 7, useful=False)
    with store.reader(space) as reader:
        asked = reader.numbers([lamp.passage.id, oak.note.id, gate.note.id, oak.passage.id, gate.note.id])
        told = reader.usage(asked)
        assert told.count.tolist() == [0, -1, 1, 0, 1]
        assert told.last_us.tolist() == [5, NO_TIME, 5, NO_TIME, 5]
        assert reader.usage(asked[:0]).count.tolist() == []
    store.forget(space, [gate.passage.id])
    other = store.space("other")
    (turn,) = write_turns(store, other, "The gate is green.")
    store.used(other, [gate.note.id, turn.note.id], 4)
    with store.reader(other) as reader:
        assert reader.usage(reader.numbers([turn.note.id])).count.tolist() == [1]
    with store.reader(space) as reader:
        assert reader.usage(asked).count.tolist() == [0, -1, 0, 0, 0]


def test_rebuilt_derived_rows_give_the_same_answers(store: Store, space: Space) -> None:
    chat = Chat(space)
    turns = [chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(sentences(40))]
    store.write(space, chat.batch(*turns))
    store.write(space, Batch(retire=(turns[0].passage.id, turns[0].note.id)))

    def answers() -> list[object]:
        with store.reader(space) as reader:
            found = reader.text(terms("gate lamp"), None)
            near = reader.dense(vector("x").astype(np.float32), 10, [NodeKind.NOTE])
            hub = reader.neighbours(reader.numbers([turns[1].entities[0].id]), [])
            return [x.tolist() for x in (found.numbers, found.scores, near.numbers, near.scores, hub.degree)]

    before = answers()
    store.rebuild(space)
    assert answers() == before
    assert sound(store, space)
