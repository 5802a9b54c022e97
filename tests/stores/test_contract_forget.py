"""What every store does to forget: what is named and all that stems from it is gone, and the rest is whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.analysis import terms
from graphmem.errors import NotFound
from graphmem.schema import Batch, Edge, EdgeType, NodeKind, Note, NoteKind, Source, Space, note_id
from graphmem.stores.base import Store
from tests.stores.building import Chat, sentences, vector
from tests.stores.test_contract import counts, digest, sound, write_turns


def test_a_forgotten_passage_takes_along_what_is_derived_from_it(store: Store, space: Space) -> None:
    chat = Chat(space)
    kept, gone = chat.turn(0, "The gate is blue.", "Ada", "Lake"), chat.turn(1, "Ben hid a key.", "Ben", "Key")
    store.write(space, chat.batch(kept, gone))
    summary = Note(
        note_id(space.key, "summary", [], "x"), NoteKind.SUMMARY, "A key is hidden.", parents=(gone.note.id,)
    )
    store.write(space, Batch(nodes=(summary,)))
    report = store.forget(space, [gone.passage.id])
    assert report.counts["note"] == 2 and report.counts["entity"] == 2 and report.counts["hyperedge"] == 1
    with store.reader(space) as reader:
        ids = [*(node.id for node in gone.nodes), summary.id]
        assert set(reader.get(ids)) == set()
        assert reader.history(gone.note.id) == []
        assert reader.entities(["ben", "key", "ada"]).name.tolist() == [2]
        assert set(reader.get([node.id for node in kept.nodes])) == {node.id for node in kept.nodes}
        assert len(reader.text(terms("key"), None).numbers) == 0
    assert sound(store, space)


def test_what_others_still_name_stays(store: Store, space: Space) -> None:
    a, b = write_turns(store, space, "The gate is blue.", "The door is red.")
    store.forget(space, [a.passage.id])
    with store.reader(space) as reader:
        assert set(reader.get([entity.id for entity in b.entities])) == {entity.id for entity in b.entities}
        assert reader.entities(["ada"]).number.tolist() == reader.numbers([b.entities[0].id]).tolist()
    assert sound(store, space)


def test_forgetting_a_note_leaves_its_passage(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.forget(space, [turn.note.id])
    with store.reader(space) as reader:
        assert set(reader.get([turn.note.id, turn.passage.id])) == {turn.passage.id}
    assert sound(store, space)


def test_forgetting_an_entity_takes_its_names_and_relations(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.forget(space, [turn.entities[1].id])
    with store.reader(space) as reader:
        assert reader.entities(["lake"]).number.tolist() == []
        assert reader.counts()["hyperedge"] == 0
        assert reader.counts()["passage"] == 1
    assert sound(store, space)


def test_a_source_is_forgotten_with_its_earlier_revisions(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "The gate is blue.")
    store.write(space, chat.batch(turn))
    newer = Source("e" * 32, "conversation", chat.name, revision=1, supersedes=chat.source.id)
    store.write(space, Batch(nodes=(newer,), retire=(turn.passage.id, turn.note.id)))
    store.forget(space, [newer.id])
    after = counts(store, space)
    assert [after[kind] for kind in ("source", "section", "passage", "note", "retired", "entity")] == [0] * 6
    assert sound(store, space)


def test_a_retired_copy_of_what_is_forgotten_goes_too(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn, kept = chat.turn(0, "The gate is blue."), chat.turn(1, "The door is red.")
    store.write(space, chat.batch(turn, kept))
    newer = Source("e" * 32, "conversation", chat.name, revision=1, supersedes=chat.source.id)
    copies = [replace(old.passage, id=f"{n:032x}", source=newer.id, section=None) for n, old in enumerate((turn, kept))]
    retire = (turn.passage.id, turn.note.id, kept.passage.id, kept.note.id)
    store.write(space, Batch(nodes=(newer, *copies), retire=retire))
    store.forget(space, [copies[0].id])
    with store.reader(space) as reader:
        found = reader.get([*retire, *(copy.id for copy in copies)])
    assert set(found) == {kept.passage.id, kept.note.id, copies[1].id}
    assert sound(store, space)


def test_what_is_not_there_cannot_be_forgotten_and_nothing_else_is(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    before = digest(store, space)
    with pytest.raises(NotFound):
        store.forget(space, [turn.note.id, "f" * 32])
    assert digest(store, space) == before


def test_the_journal_still_verifies_after_an_erasure(store: Store, space: Space) -> None:
    turns = write_turns(store, space, *sentences(6))
    store.write(space, Batch(nodes=(replace(turns[0].note, context="x", version=1),)))
    store.forget(space, [turns[0].passage.id])
    with store.reader(space) as reader:
        commits = reader.commits()
        assert [commit.seq for commit in commits] == [1, 2, 3]
        assert commits[-1].cause == "forget"
        told = {change.id for commit in commits for change in reader.changes(commit.seq)}
        assert turns[0].note.id not in told and turns[1].note.id in told
    assert sound(store, space)


def test_an_erased_turn_can_be_said_again(store: Store, space: Space) -> None:
    chat = Chat(space)
    batch = chat.batch(chat.turn(0, "The gate is blue.", "Ada", "Lake"))
    store.write(space, batch)
    before = digest(store, space)
    store.forget(space, [batch.nodes[2].id])
    store.write(space, batch)
    assert digest(store, space) == before
    assert sound(store, space)


def test_a_job_can_be_undone_though_part_of_it_is_erased(store: Store, space: Space) -> None:
    job = store.open_job(space, {})
    chat = Chat(space)
    a, b = chat.turn(0, "The gate is blue."), chat.turn(1, "The door is red.")
    store.write(space, chat.batch(a, b, job=job.id))
    store.forget(space, [a.passage.id])
    store.undo(space, job.id)
    assert counts(store, space)["passage"] == 0
    assert sound(store, space)


def test_an_erased_space_is_gone(store: Store, space: Space) -> None:
    write_turns(store, space, "The gate is blue.")
    other = store.space("other")
    write_turns(store, other, "The door is red.")
    before = digest(store, other)
    report = store.forget_space(space)
    assert report.counts["passage"] == 1
    assert [each.name for each in store.spaces()] == ["other"]
    with pytest.raises(NotFound), store.reader(space):
        pass
    assert digest(store, other) == before
    again = store.space("default")
    assert (again.key == space.key, again.number == space.number) == (False, False)
    assert counts(store, again)["passage"] == 0
    assert sound(store, other)


# -- isolation


def test_another_space_changes_no_score_and_no_order(store: Store, space: Space) -> None:
    """Exact floats: the statistics are the space's own."""
    chat = Chat(space)
    store.write(space, chat.batch(*(chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(sentences(30)))))
    query = vector("anything").astype(np.float32)

    def everything() -> list[object]:
        with store.reader(space) as reader:
            text, near = reader.text(terms("gate river lamp"), None), reader.dense(query, 60, list(NodeKind))
            times = reader.times(0, 1 << 40, 50)
            hub = reader.neighbours(reader.entities(["ada"]).number, [])
            arrays = (text.numbers, text.scores, near.numbers, near.scores, times.numbers, hub.number, hub.degree)
            return [array.tolist() for array in arrays] + [reader.digest(), reader.counts()]

    everything()  # the first question after a write may round its cosines another way than the next ones
    before = everything()
    for n in range(3):
        other = store.space(f"other {n}")
        chat = Chat(other)
        store.write(other, chat.batch(*(chat.turn(i, t, "Ada", "Gate") for i, t in enumerate(sentences(50, seed=n)))))
    assert everything() == before
    store.forget_space(store.space("other 1"))
    assert everything() == before
    with store.reader(store.space("other 0")) as reader:
        ids = [node.id for node in reader.page(NodeKind.PASSAGE)]
    with store.reader(space) as reader:
        assert set(reader.numbers(ids).tolist()) == {-1}


def test_an_edge_never_crosses_spaces(store: Store, space: Space) -> None:
    from graphmem.errors import InputError

    (mine,) = write_turns(store, space, "The gate is blue.")
    other = store.space("other")
    (theirs,) = write_turns(store, other, "The door is red.")
    with pytest.raises(InputError):
        store.write(space, Batch(edges=(Edge(mine.note.id, EdgeType.SIMILAR, theirs.note.id, 1, "x"),)))
