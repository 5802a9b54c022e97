"""What every store answers: rows, heads, pages, neighbours, snapshots, deadlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.analysis import terms
from graphmem.errors import DeadlineExceeded, NotFound
from graphmem.schema import Batch, Edge, EdgeType, NodeKind, Source, Space
from graphmem.stores.base import NO_TIME, Store
from tests.stores.building import HOUR_US, Chat, sentences
from tests.stores.test_contract import counts, sound, write_turns


def test_heads_say_where_a_note_stands(store: Store, space: Space) -> None:
    first, second = write_turns(store, space, "The gate is blue.", "The door is red.")
    chat = Chat(space)
    with store.reader(space) as reader:
        names = [chat.source.id, chat.section().id, first.entities[0].id, second.passage.id, second.note.id]
        source, section, speaker, passage, note = reader.numbers(names).tolist()
        heads = reader.heads(np.array([note, 999_999, passage, speaker, note]))
        assert heads.kind.tolist() == [NodeKind.NOTE, 0, NodeKind.PASSAGE, NodeKind.ENTITY, NodeKind.NOTE]
        assert heads.owner.tolist() == [passage, 0, passage, 0, passage]
        assert heads.source.tolist() == [source, 0, source, 0, source]
        assert heads.section.tolist() == [section, 0, section, 0, section]
        assert heads.speaker.tolist() == [speaker, 0, speaker, 0, speaker]
        assert heads.ordinal.tolist() == [1, 0, 1, 0, 1]
        assert heads.at_us.tolist() == [HOUR_US, NO_TIME, HOUR_US, NO_TIME, HOUR_US]


def test_a_speaker_who_becomes_known_later_stands_in_the_heads(store: Store, space: Space) -> None:
    chat = Chat(space)
    turn = chat.turn(0, "The gate is blue.")
    store.write(space, replace(chat.batch(turn), edges=()))
    store.write(space, Batch(edges=(Edge(turn.passage.id, EdgeType.SPEAKER, turn.entities[0].id),)))
    with store.reader(space) as reader:
        numbers = reader.numbers([turn.passage.id, turn.note.id, turn.entities[0].id])
        assert reader.heads(numbers[:2]).speaker.tolist() == [numbers[2]] * 2
    assert sound(store, space)


def test_unknown_ids_and_numbers_are_told(store: Store, space: Space) -> None:
    with store.reader(space) as reader:
        assert reader.numbers(["f" * 32, "no id", "", "\u4f60" * 32]).tolist() == [-1] * 4
        assert reader.get(["f" * 32, "no id"]) == {}
        with pytest.raises(NotFound):
            reader.nodes(np.array([12]))


def test_names_find_their_entities_by_position(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    with store.reader(space) as reader:
        found = reader.entities(["nobody", "lake", "ada", "lake"])
        ada, lake = reader.numbers([entity.id for entity in turn.entities]).tolist()
        assert list(zip(found.name.tolist(), found.number.tolist(), strict=True)) == [(1, lake), (2, ada), (3, lake)]
        assert reader.aliases_of([turn.entities[0].id]) == {turn.entities[0].id: ("ada",)}


def test_notes_of_passages_come_by_row(store: Store, space: Space) -> None:
    a, b = write_turns(store, space, "The gate is blue.", "The door is red.")
    with store.reader(space) as reader:
        rows, notes = reader.notes_of(reader.numbers([b.passage.id, a.passage.id, b.passage.id]))
        assert rows.tolist() == [0, 1, 2]
        assert notes.tolist() == reader.numbers([b.note.id, a.note.id, b.note.id]).tolist()


def test_pages_come_in_id_order_and_go_on_after_the_last(store: Store, space: Space) -> None:
    turns = write_turns(store, space, *sentences(7))
    with store.reader(space) as reader:
        first = reader.page(NodeKind.PASSAGE, limit=4)
        rest = reader.page(NodeKind.PASSAGE, after=first[-1].id, limit=4)
    ids = [node.id for node in first + rest]
    assert ids == sorted(turn.passage.id for turn in turns)


def test_the_tail_of_a_source_is_where_it_goes_on(store: Store, space: Space) -> None:
    turns = write_turns(store, space, *sentences(3))
    chat = Chat(space)
    with store.reader(space) as reader:
        tail = reader.tail(chat.source.id, chat.section().id)
        assert (tail.next_ordinal, tail.last_passage, tail.last_section, tail.sections) == (
            3,
            turns[2].passage.id,
            chat.section().id,
            1,
        )
        assert reader.tail(chat.source.id, None).last_passage is None
        assert reader.tail("f" * 32, None).next_ordinal == 0
        assert reader.passages_of(chat.source.id) == [turn.passage.id for turn in turns]


def test_the_newest_revision_of_a_source_is_found(store: Store, space: Space) -> None:
    sources = [Source(f"{n:032x}", "document", "a.md", revision=n) for n in (1, 0, 2)]
    store.write(space, Batch(nodes=tuple(sources)))
    with store.reader(space) as reader:
        newest = reader.find_source("document", "a.md")
        assert newest is not None and newest.revision == 2
        assert reader.find_source("document", "b.md") is None


def test_a_hub_keeps_every_edge_and_tells_that_not_all_were_read(store: Store, space: Space) -> None:
    """More than two chunks of 512 edges at one node."""
    chat = Chat(space)
    turns = [chat.turn(n, text) for n, text in enumerate(sentences(1_300))]
    for start in range(0, 1_300, 260):
        store.write(space, chat.batch(*turns[start : start + 260], before=turns[start - 1] if start else None))
    hub = turns[0].entities[0]
    with store.reader(space) as reader:
        near = reader.neighbours(reader.numbers([hub.id]), [EdgeType.SPEAKER])
        assert near.degree[0, EdgeType.SPEAKER] == 1_300
        assert near.cut and 256 <= len(near.number) <= 512
        assert len(reader.edges([hub.id], [EdgeType.SPEAKER], limit=5_000)) == 1_300
    assert sound(store, space)


def test_a_reader_sees_one_snapshot(store: Store, space: Space) -> None:
    write_turns(store, space, "The gate is blue.")
    with store.reader(space) as reader:
        before = reader.counts()
        write_turns(store, space, "The door is red.", name="later")
        assert reader.counts() == before
        assert len(reader.text(terms("door"), None).numbers) == 0
    assert counts(store, space)["passage"] == 2


def test_a_read_past_its_deadline_stops(store: Store, space: Space) -> None:
    write_turns(store, space, *sentences(300))
    with store.reader(space, deadline_s=-1.0) as reader, pytest.raises(DeadlineExceeded) as caught:
        reader.counts()
    assert caught.value.retryable
    assert counts(store, space)["passage"] == 300


def test_spaces_are_found_by_name_or_not_at_all(store: Store, space: Space) -> None:
    assert store.space("default") == space
    other = store.space("other")
    assert [each.name for each in store.spaces()] == ["default", "other"]
    assert other.key != space.key
    with pytest.raises(NotFound):
        store.space("third", create=False)


def test_empty_questions_have_empty_answers(store: Store, space: Space) -> None:
    none, query = np.empty(0, np.int64), np.ones(384, np.float32)

    def ask() -> None:
        with store.reader(space) as reader:
            assert (reader.get([]), reader.nodes(none), reader.edges([])) == ({}, [], [])
            assert len(reader.numbers([])) == len(reader.heads(none).kind) == len(reader.cosine(query, none)) == 0
            assert reader.vectors(none).shape == (0, 384)
            assert (reader.said(none)[0], reader.said(none)[1].shape) == ([], (0, 384))
            offsets, codes = reader.tokens(none)
            assert (offsets.tolist(), codes.shape) == ([0], (0, 48))
            assert len(reader.text([], 5).numbers) == len(reader.text(["nowhere"], None).numbers) == 0
            assert len(reader.dense(query, 5, []).numbers) == len(reader.entities([]).number) == 0
            near = reader.neighbours(none, [EdgeType.NEXT])
            assert (near.degree.shape, len(near.number), near.cut) == ((0, 64), 0, False)
            assert [part.tolist() for part in reader.notes_of(none)] == [[], []]
            assert reader.aliases_of([]) == {}

    ask()
    write_turns(store, space, "The gate is blue.")
    ask()


def test_a_node_without_a_vector_has_no_cosine(store: Store, space: Space) -> None:
    (turn,) = write_turns(store, space, "The gate is blue.")
    with store.reader(space) as reader:
        numbers = reader.numbers([turn.entities[0].id, turn.note.id])
        assert np.isnan(reader.cosine(np.ones(384, np.float32), numbers)).tolist() == [True, False]
        assert not reader.vectors(numbers)[0].any()
        assert [
            len(part) for part in np.split(reader.tokens(reader.numbers([turn.passage.id, turn.note.id]))[1], [4])
        ] == [4, 0]


def test_what_was_said_comes_with_its_vectors(store: Store, space: Space) -> None:
    first, second = write_turns(store, space, "The gate is blue.", "The door is red.")
    with store.reader(space) as reader:
        numbers = reader.numbers([second.passage.id, first.entities[0].id, first.passage.id, second.passage.id])
        texts, vectors = reader.said(numbers)
        assert texts == ["The door is red.", "", "The gate is blue.", "The door is red."]
        assert np.array_equal(vectors, reader.vectors(numbers))
        assert vectors[0].any() and not vectors[1].any()


def test_times_rank_notes_by_how_well_their_interval_fits(store: Store, space: Space) -> None:
    chat = Chat(space)
    days = [(0, 10), (4, 6), (5, 15), (20, 30)]
    turns = [chat.turn(n, f"Turn {n}.", at_us=1_000 + n, valid=valid) for n, valid in enumerate(days)]
    store.write(space, chat.batch(*turns))
    with store.reader(space) as reader:
        found = reader.times(4, 8, 10)
        notes = reader.numbers([turn.note.id for turn in turns]).tolist()
        assert found.numbers.tolist() == [notes[1], notes[0], notes[2]]
        assert found.scores.tolist() == pytest.approx([0.5, 0.4, 3 / 11])
        assert reader.times(4, 8, 1).numbers.tolist() == notes[1:2]
        said = reader.times(1_001, 1_003, 10).numbers.tolist()
        assert said == reader.numbers([turn.passage.id for turn in turns[1:3]]).tolist()
