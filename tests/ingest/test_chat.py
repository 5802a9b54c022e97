"""Chats as JSON Lines and JSON lists: names, times, sessions, long turns, OpenAI-style messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphmem.ingest.readers.chat import FIELDS
from tests.ingest.files import drafts, fault, jsonl, sources, written


def one(folder: Path, **row: object):  # type: ignore[no-untyped-def]
    return drafts(written(folder, "chat.jsonl", jsonl(row)))[0]


def test_a_message_keeps_its_ref_speaker_time_and_session(tmp_path: Path) -> None:
    turn = one(tmp_path, text="Hello", speaker="Ines", at="2026-05-12T09:30+02:00", session="monday", id=7)
    assert (turn.text, turn.speaker, turn.section, turn.ref) == ("Hello", "Ines", "monday", "7")
    assert (turn.at_us, turn.tz_min) == (1_778_571_000_000_000, 120)


@pytest.mark.parametrize("name", FIELDS["text"])
def test_every_name_for_the_words_is_accepted(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, **{name: "Hello"}).text == "Hello"


@pytest.mark.parametrize("name", FIELDS["speaker"])
def test_every_name_for_the_speaker_is_accepted(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, text="Hello", **{name: "Ines"}).speaker == "Ines"


@pytest.mark.parametrize("name", FIELDS["at"])
def test_every_name_for_the_time_is_accepted(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, text="Hello", **{name: 1_700_000_000}).at_us == 1_700_000_000_000_000


@pytest.mark.parametrize("name", FIELDS["session"])
def test_every_name_for_the_session_is_accepted(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, text="Hello", **{name: "s"}).section == "s"


@pytest.mark.parametrize("name", FIELDS["ref"])
def test_every_name_for_the_ref_is_accepted(tmp_path: Path, name: str) -> None:
    assert one(tmp_path, text="Hello", **{name: "r"}).ref == "r"


def test_unknown_fields_and_names_that_did_not_count_go_to_meta(tmp_path: Path) -> None:
    turn = one(tmp_path, text="Hello", name="Ines", role="user", mood={"joy": [1, None]})
    assert (turn.speaker, turn.meta) == ("Ines", {"role": "user", "mood": {"joy": [1, None]}})


def test_an_author_may_be_an_object(tmp_path: Path) -> None:
    assert one(tmp_path, text="Hello", author={"id": 4, "name": "Ines"}).speaker == "Ines"


def test_a_message_may_be_an_object(tmp_path: Path) -> None:
    turn = one(tmp_path, message={"role": "user", "content": "Hello"}, timestamp=1_700_000_000_000)
    assert (turn.text, turn.speaker, turn.at_us) == ("Hello", "user", 1_700_000_000_000_000)


def test_openai_lists_are_sessions_of_their_own(tmp_path: Path) -> None:
    said = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None}]}
    parts = {
        "id": "c2",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image"}]}],
    }
    turns = drafts(written(tmp_path, "chat.jsonl", jsonl(said, parts)))
    assert [(turn.text, turn.speaker, turn.section) for turn in turns] == [
        ("Hi", "user", "line 1"),
        ("Look", "user", "c2"),
    ]


def test_a_json_list_of_messages_is_read_as_its_lines_would_be(tmp_path: Path) -> None:
    rows = [{"text": "Hello", "speaker": "Ines"}, {"text": "Hi", "speaker": "Otto"}]
    as_list = drafts(written(tmp_path, "chat.json", rows))
    assert as_list == drafts(written(tmp_path, "chat.jsonl", jsonl(*rows)))


def test_a_caption_is_appended_and_kept(tmp_path: Path) -> None:
    turn = one(tmp_path, text="Look", caption="a red kite")
    assert (turn.text, turn.meta) == ("Look [shares a photo: a red kite]", {"caption": "a red kite"})
    assert one(tmp_path, text="", caption="a red kite").text == "[shares a photo: a red kite]"


def test_a_message_without_words_is_left_out(tmp_path: Path) -> None:
    turns = drafts(written(tmp_path, "chat.jsonl", jsonl({"text": "  "}, {"text": "Hello"}, {"text": None})))
    assert [turn.text for turn in turns] == ["Hello"]


def test_nul_and_lone_surrogates_are_replaced_and_noted(tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", '{"text": "a\\u0000b\\ud800c \\ud83d\\ude00", "speaker": "I\\u0000"}\n')
    turn = drafts(path)[0]
    assert (turn.text, turn.speaker, turn.meta) == ("a\ufffdb\ufffdc 😀", "I\ufffd", {"replaced": 2})


def test_a_long_turn_is_split_into_numbered_pieces_that_hold_all_of_its_words(tmp_path: Path) -> None:
    text = " ".join(f"Sentence number {number} stands here." for number in range(1000))
    turns = drafts(written(tmp_path, "chat.jsonl", jsonl({"text": text, "id": "m1", "speaker": "Ines", "x": 1})))
    assert [turn.ref for turn in turns] == ["m1"] + [f"m1/{number}" for number in range(2, len(turns) + 1)]
    assert all(len(turn.text) <= 4000 and text[turn.start : turn.end] == turn.text for turn in turns)
    assert all(turn.text.endswith(".") for turn in turns)
    assert " ".join(turn.text for turn in turns) == text
    assert [turn.meta.get("x") for turn in turns[:2]] == [1, None]


def test_a_ten_megabyte_turn_is_split(tmp_path: Path) -> None:
    turns = drafts(written(tmp_path, "chat.jsonl", jsonl({"text": "word " * 2_000_000, "id": "m"})))
    assert sum(turn.text.count("word") for turn in turns) == 2_000_000
    assert max(len(turn.text) for turn in turns) <= 4000


def test_the_source_is_the_file_by_its_name_and_digest(tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", jsonl({"text": "Hello"}))
    (source,) = sources(path)
    assert (source.kind, source.outside_id, len(source.digest)) == ("conversation", "chat.jsonl", 64)


def test_a_broken_line_is_named_with_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", jsonl(*[{"text": "Hello"}] * 16) + '{"text": "broken\n')
    error = fault(path)
    assert error.position.startswith("line 17 column")
    assert error.message.startswith("is not valid JSON")


def test_a_date_that_does_not_exist_is_an_error_with_its_line(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "chat.jsonl", jsonl({"text": "Hello"}, {"text": "Hi", "at": "2023-02-30"})))
    assert error.position == "line 2"
    assert error.message == "'at': '2023-02-30' is not a date that exists"
    assert "ISO 8601" in error.hint


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"speaker": "Ines"}, "has no text"),
        ({"text": 5}, "is a number, not text"),
        ([1], "is not one object"),
        (3, "holds a number where a message should be"),
        ({"messages": ["hello"]}, "holds a text where a message should be"),
        ({"text": "a", "speaker": "x" * 1001}, "1,001 characters"),
        ({"text": "a", "at": True}, "is not a time"),
    ],
)
def test_a_line_that_is_no_message_is_an_error_with_its_line(tmp_path: Path, row: object, words: str) -> None:
    error = fault(written(tmp_path, "chat.jsonl", json.dumps(row) if row != [1] else "[[1]]"))
    assert words in str(error)
    assert error.position.startswith("line 1")


def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path) -> None:
    for number in ("NaN", "1e999", "-Infinity"):
        fault(written(tmp_path, "chat.jsonl", f'{{"text": "a", "x": {number}}}'))


def test_a_file_without_a_message_is_an_error(tmp_path: Path) -> None:
    assert "no message" in fault(written(tmp_path, "chat.jsonl", "\n\n")).message


def test_json_of_another_shape_says_what_is_accepted(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "data.json", {"rows": 1}))
    assert "neither LoCoMo samples nor a chat" in error.message
    assert "LoCoMo" in error.hint


def test_nesting_without_end_is_an_error(tmp_path: Path) -> None:
    assert "nested too deeply" in fault(written(tmp_path, "deep.json", "[" * 100_000)).message


def test_the_same_ref_and_words_in_one_session_are_one_message(tmp_path: Path) -> None:
    row = {"text": "I saw a kite.", "id": "m1", "session": "monday"}
    changed = {**row, "text": "I saw two."}
    assert len(drafts(written(tmp_path, "chat.jsonl", jsonl(row, {"text": "a"}, {"text": "a"}, row, changed)))) == 4


def test_the_same_ref_and_words_in_another_session_are_another_message(tmp_path: Path) -> None:
    rows = [{"text": "Thanks!", "id": 1, "session": day} for day in ("monday", "tuesday", "monday", "tuesday")]
    assert [turn.ref for turn in drafts(written(tmp_path, "chat.jsonl", jsonl(*rows)))] == ["1", "1 (tuesday)"]


def test_an_edited_long_message_keeps_the_pieces_that_changed(tmp_path: Path) -> None:
    text = "Words of a message. " * 500
    turns = drafts(written(tmp_path, "chat.jsonl", jsonl({"text": text, "id": 1}, {"text": text + "Edited.", "id": 1})))
    assert [turn.ref for turn in turns] == ["1", "1/2", "1/3", "1/3"]
