"""What every store does with batches: all or nothing, once, checked against the evidence, found by the next read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.analysis import terms
from graphmem.errors import Conflict, InputError
from graphmem.schema import Alias, Batch, Edge, EdgeType, NodeKind, Note, NoteKind, Op, Passage, Space, Span, note_id
from graphmem.schema.nodes import Source
from graphmem.stores.base import NO_TIME, Store
from tests.stores.building import Chat, Turn, sentences, vector


def write_turns(store: Store, space: Space, *texts: str, name: str = "chat") -> list[Turn]:
    chat = Chat(space, name)
    turns = [chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(texts)]
    store.write(space, chat.batch(*turns))
    return turns


def digest(store: Store, space: Space) -> str:
    with store.reader(space) as reader:
        return reader.digest()


def counts(store: Store, space: Space) -> dict[str, int]:
    with store.reader(space) as reader:
        return reader.counts()


def sound(store: Store, space: Space) -> bool:
    with store.reader(space) as reader:
        assert reader.check() == []
    return True


# -- writing


def test_what_is_written_is_read_back_as_it_was(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(3, "The gate is blue, says Ada.", "Ada", "Lake", at_us=-5, valid=(0, 7), caption="a gate")
    store.write(space, chat.batch(turn))
    nodes = (chat.source, chat.section(), *turn.nodes)
    with store.reader(space) as reader:
        found = reader.get([node.id for node in nodes])
        assert found == {node.id: replace(node, version=1) for node in nodes}
        numbers = reader.numbers([node.id for node in nodes])
        assert reader.nodes(numbers[::-1]) == list(found.values())[::-1]
    assert sound(store, space)


def test_zero_is_a_value_and_not_unset(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "It began at midnight.", "Ada", "Lake", at_us=0, valid=(0, 1))
    turn = replace(turn, passage=replace(turn.passage, tz_min=0), note=replace(turn.note, confidence_q8=0))
    light = Edge(turn.passage.id, EdgeType.MENTIONS, turn.entities[0].id, weight_q8=0)
    store.write(space, chat.batch(turn, edges=(*turn.edges, light)))
    with store.reader(space) as reader:
        found = reader.get([turn.passage.id, turn.note.id])
        passage, note = found[turn.passage.id], found[turn.note.id]
        assert isinstance(passage, Passage) and isinstance(note, Note)
        assert (passage.ordinal, passage.at_us, passage.tz_min, passage.start) == (0, 0, 0, 0)
        assert (note.valid_from_us, note.confidence_q8, note.spans[0].start) == (0, 0, 0)
        assert light in reader.edges([turn.passage.id], [EdgeType.MENTIONS])
        span = reader.edges([turn.note.id], [EdgeType.FROM])[0]
        assert (span.start, span.end) == (0, len(turn.passage.text))
        heads = reader.heads(reader.numbers([turn.passage.id]))
        assert (heads.at_us[0], heads.ordinal[0]) == (0, 0)
        assert reader.times(0, 1, 10).numbers.tolist() == sorted(reader.numbers([note.id, passage.id]).tolist())[::-1]
        near = reader.neighbours(reader.numbers([turn.passage.id]), [EdgeType.MENTIONS])
        assert sorted(near.weight.tolist()) == [0.0, 1.0]
    assert sound(store, space)


def test_a_time_that_is_not_known_is_no_time(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "Nobody knows when.")
    turn = replace(turn, passage=replace(turn.passage, at_us=None))
    store.write(space, chat.batch(turn))
    with store.reader(space) as reader:
        assert reader.heads(reader.numbers([turn.passage.id])).at_us[0] == NO_TIME
        assert len(reader.times(-(1 << 62), 1 << 62, 10).numbers) == 0


def test_writing_the_same_again_changes_nothing_and_makes_no_commit(store: Store, space: Space) -> None:
    chat = Chat(space)
    batch = chat.batch(*(chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(sentences(5))))
    assert store.write(space, batch) is not None
    before = digest(store, space), counts(store, space)
    assert store.write(space, batch) is None
    assert (digest(store, space), counts(store, space)) == before


def test_a_batch_that_names_a_thing_twice_writes_it_once(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "The gate is blue.", "Ada", "Lake")
    batch = chat.batch(turn)
    store.write(space, replace(batch, nodes=batch.nodes * 2, edges=batch.edges * 2, aliases=batch.aliases * 2))
    once = counts(store, space)
    assert (once["passage"], once["note"]) == (1, 1)
    with store.reader(space) as reader:
        degree = reader.neighbours(reader.numbers([turn.passage.id]), []).degree[0]
        assert degree[EdgeType.SPEAKER] == 1
    assert sound(store, space)


def test_the_same_link_twice_is_one_link_and_the_higher_weight_stays(store: Store, space: Space) -> None:
    a, b = write_turns(store, space, "The gate is blue.", "The door is red.")
    links = [Edge(a.note.id, EdgeType.SIMILAR, b.note.id, weight, f"weight {weight}") for weight in (100, 40, 200)]
    for link in links:
        store.write(space, Batch(edges=(link,)))
    with store.reader(space) as reader:
        assert reader.edges([a.note.id], [EdgeType.SIMILAR]) == [links[2]]
        near = reader.neighbours(reader.numbers([a.note.id]), [EdgeType.SIMILAR])
        assert (near.weight.tolist(), near.degree[0, EdgeType.SIMILAR]) == ([200 / 256], 1)
    assert sound(store, space)


def test_two_spans_of_one_passage_are_two_edges_and_one_neighbour(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "The gate is blue.")
    spans = (Span(turn.passage.id, 4, 8, "gate"), Span(turn.passage.id, 12, 16, "blue"))
    id = note_id(space.key, "fact", [(span.passage, span.start, span.end) for span in spans])
    note = Note(id, NoteKind.FACT, "gate blue", spans)
    store.write(space, chat.batch(turn))
    store.write(space, Batch(nodes=(note,)))
    with store.reader(space) as reader:
        assert [edge.start for edge in reader.edges([note.id], [EdgeType.FROM])] == [4, 12]
        assert reader.neighbours(reader.numbers([note.id]), [EdgeType.FROM]).degree[0, EdgeType.FROM] == 1
        assert reader.get([note.id])[note.id] == replace(note, version=1)
    assert sound(store, space)


def test_an_update_names_its_version_and_gets_the_next(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    better = replace(turn.note, context="of the garden", version=1)
    commit = store.write(space, Batch(nodes=(better,)))
    assert commit is not None and commit.changes == 1
    with store.reader(space) as reader:
        assert reader.get([better.id])[better.id] == replace(better, version=2)
    assert sound(store, space)


def test_a_stale_update_is_a_conflict_and_nothing_of_its_batch_is_written(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.write(space, Batch(nodes=(replace(turn.note, context="first", version=1),)))
    before = digest(store, space)
    chat = Chat(space, "other")
    other = chat.turn(0, "Not to be seen.")
    batch = chat.batch(other)
    stale = replace(turn.note, context="second", version=1)
    with pytest.raises(Conflict) as caught:
        store.write(space, replace(batch, nodes=(*batch.nodes, stale)))
    assert caught.value.retryable
    assert digest(store, space) == before
    assert sound(store, space)


def test_an_update_of_what_is_gone_is_a_conflict(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.write(space, Batch(delete=((turn.note.id, 1),)))
    with pytest.raises(Conflict):
        store.write(space, Batch(nodes=(replace(turn.note, context="late", version=1),)))


def test_a_delete_with_a_stale_version_is_a_conflict(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.write(space, Batch(nodes=(replace(turn.note, context="newer", version=1),)))
    with pytest.raises(Conflict):
        store.write(space, Batch(delete=((turn.note.id, 1),)))


def test_what_is_deleted_takes_its_edges_along(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    store.write(space, Batch(delete=((turn.note.id, 1),)))
    with store.reader(space) as reader:
        assert reader.get([turn.note.id]) == {}
        assert reader.edges([turn.note.id]) == []
        assert reader.edges([turn.passage.id], [EdgeType.FROM])[0].src == turn.relation.id  # type: ignore[union-attr]
        assert reader.dense(vector("The gate is blue.").astype(np.float32), 5, [NodeKind.NOTE]).numbers.tolist() == []
    assert sound(store, space)


@pytest.mark.parametrize("change", ["speaker", "ordinal", "meta"])
def test_a_passage_never_changes(store: Store, space: Space, change: str) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    value = {"speaker": "Ben", "ordinal": 7, "meta": {"page": 1}}[change]
    with pytest.raises(InputError, match="passage"):
        store.write(space, Batch(nodes=(replace(turn.passage, **{change: value}, version=1),)))  # type: ignore[arg-type]


def test_a_source_never_changes(store: Store, space: Space) -> None:
    write_turns(store, space, "The gate is blue.")
    source = Chat(space).source
    with pytest.raises(InputError, match="source"):
        store.write(space, Batch(nodes=(Source(source.id, source.kind, source.outside_id, "another title"),)))


def test_a_derived_note_may_change_its_parents(store: Store, space: Space) -> None:
    gate, lamp = write_turns(store, space, "The gate is blue.", "The lamp is lit.")
    note = Note(note_id(space.key, "summary", [], "x"), NoteKind.SUMMARY, "All.", parents=(gate.note.id,))
    store.write(space, Batch(nodes=(note,)))
    store.write(space, Batch(nodes=(replace(note, parents=(lamp.note.id,), version=1),)))
    with store.reader(space) as reader:
        (stored,) = reader.get([note.id]).values()
        assert isinstance(stored, Note)
        assert stored.parents == (lamp.note.id,)
        assert [edge.dst for edge in reader.edges([note.id], [EdgeType.DERIVED])] == [lamp.note.id]
        assert reader.check() == []


def test_a_quote_that_is_not_the_passages_text_is_refused(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    span = Span(turn.passage.id, 4, 8, "door")
    note = Note(note_id(space.key, "fact", [(turn.passage.id, 4, 8)]), NoteKind.FACT, "door", (span,))
    with pytest.raises(InputError, match="gate"):
        store.write(space, Batch(nodes=(note,)))


def test_spans_count_code_points(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "\U0001f33b\u00e4 \u4f60\u597d gate", "Ada")
    span = Span(turn.passage.id, 3, 5, "\u4f60\u597d")
    note = Note(note_id(space.key, "fact", [(turn.passage.id, 3, 5)]), NoteKind.FACT, "hello", (span,))
    batch = chat.batch(turn)
    store.write(space, replace(batch, nodes=(*batch.nodes, note)))
    with store.reader(space) as reader:
        assert reader.get([note.id])[note.id] == replace(note, version=1)


@pytest.mark.parametrize("field", ["edges", "aliases", "retire", "vectors", "spans"])
def test_what_names_a_node_that_is_not_there_is_refused_whole(store: Store, space: Space, field: str) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    before, nowhere = digest(store, space), "0123456789abcdef" * 2
    batch = {
        "edges": Batch(edges=(Edge(turn.passage.id, EdgeType.NEXT, nowhere),)),
        "aliases": Batch(aliases=(Alias("nobody", nowhere),)),
        "retire": Batch(retire=(nowhere,)),
        "vectors": Batch(vector_ids=(nowhere,), vectors=np.ones((1, 384), np.float16)),
        "spans": Batch(nodes=(Note("f" * 32, NoteKind.FACT, "x", (Span(nowhere, 0, 1, "x"),)),)),
    }[field]
    with pytest.raises(InputError, match=nowhere):
        store.write(space, batch)
    assert digest(store, space) == before


def test_vectors_of_another_dimension_are_refused(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    with pytest.raises(InputError, match="384"):
        store.write(space, Batch(vector_ids=(turn.note.id,), vectors=np.ones((1, 12), np.float16)))


def test_another_vector_replaces_the_old_one_for_every_reader(store: Store, space: Space) -> None:
    a, b = write_turns(store, space, "The gate is blue.", "The door is red.")
    query = vector("something else").astype(np.float32)
    with store.reader(space) as reader:
        assert reader.dense(query, 1, [NodeKind.NOTE]).scores[0] < 0.5
    assert store.write(space, Batch(vector_ids=(b.note.id,), vectors=query.astype(np.float16)[None])) is not None
    with store.reader(space) as reader:
        found = reader.dense(query, 1, [NodeKind.NOTE])
        assert found.numbers.tolist() == reader.numbers([b.note.id]).tolist()
        assert found.scores[0] > 0.99
    assert sound(store, space)
    assert a.note.id != b.note.id


def test_what_is_retired_is_kept_and_no_longer_found(store: Store, space: Space) -> None:
    old, new = write_turns(store, space, "The gate is blue.", "The gate is green.")
    store.write(space, Batch(retire=(old.passage.id, old.note.id)))
    with store.reader(space) as reader:
        gone = reader.numbers([old.passage.id, old.note.id]).tolist()
        assert set(reader.get([old.passage.id, old.note.id])) == {old.passage.id, old.note.id}
        assert reader.text(terms("gate"), None).numbers.tolist() == reader.numbers([new.passage.id]).tolist()
        kinds = [NodeKind.NOTE, NodeKind.PASSAGE]
        assert not set(reader.dense(vector("The gate is blue.").astype(np.float32), 9, kinds).numbers) & set(gone)
        assert reader.heads(np.array(gone)).kind.tolist() == [0, 0]
        assert reader.counts()["retired"] == 2
        assert reader.history(old.note.id)[-1][1].op == Op.RETIRE
        assert old.note.id not in [node.id for node in reader.page(NodeKind.NOTE)]
    assert sound(store, space)


def test_evidence_is_never_deleted_by_a_batch(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    for id in (turn.passage.id, Chat(space).source.id, Chat(space).section().id):
        with pytest.raises(InputError, match="never deleted"):
            store.write(space, Batch(delete=((id, 1),)))
    assert sound(store, space)


def test_what_others_are_made_from_is_deleted_with_them_or_not_at_all(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    summary = Note(note_id(space.key, "summary", [], "x"), NoteKind.SUMMARY, "A gate.", parents=(turn.note.id,))
    store.write(space, Batch(nodes=(summary,)))
    with pytest.raises(InputError, match=turn.note.id):
        store.write(space, Batch(delete=((turn.note.id, 1),)))
    store.write(space, Batch(delete=((summary.id, 1), (turn.note.id, 1))))
    assert sound(store, space)


@pytest.mark.parametrize("wrong", ["time", "ordinal", "surrogate", "id"])
def test_a_value_that_no_store_can_hold_is_one_clear_error(store: Store, space: Space, wrong: str) -> None:
    chat = Chat(space)
    passage = chat.turn(0, "The gate is blue.").passage
    passage = {
        "time": replace(passage, at_us=1 << 70),
        "ordinal": replace(passage, ordinal=1 << 40),
        "surrogate": replace(passage, text="The gate is \ud800 blue."),
        "id": replace(passage, id="X" * 32),
    }[wrong]
    with pytest.raises(InputError) as caught:
        store.write(space, Batch(nodes=(chat.source, chat.section(), passage)))
    assert caught.value.hint
    assert counts(store, space)["source"] == 0
