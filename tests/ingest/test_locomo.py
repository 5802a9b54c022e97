"""LoCoMo's own JSON, as its repository has it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from tests.ingest.files import drafts, fault, sample, sources, written


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=timezone.utc).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


def test_turns_keep_ref_speaker_time_and_session(tmp_path: Path) -> None:
    turns = drafts(written(tmp_path, "talks.json", [sample()]))
    first = turns[0]
    assert (first.text, first.ref, first.speaker, first.section) == ("I bought a boat.", "D1:1", "Ines", "session_1")
    assert (first.at_us, first.tz_min) == (us(2023, 5, 8, 13, 56), None)


def test_sessions_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    refs = [turn.ref for turn in drafts(written(tmp_path, "talks.json", [sample()]))]
    assert refs == ["D1:1", "D1:2", "D2:1", "D10:1"]


def test_a_caption_is_appended_and_kept_while_search_words_are_left_out(tmp_path: Path) -> None:
    turn = drafts(written(tmp_path, "talks.json", [sample()]))[1]
    assert turn.text == "Show me! [shares a photo: a photo of a teal boat]"
    assert turn.meta == {"caption": "a photo of a teal boat", "img_url": ["https://example.org/1.jpg"]}


def test_questions_summaries_and_observations_are_not_memory(tmp_path: Path) -> None:
    words = " ".join(turn.text for turn in drafts(written(tmp_path, "talks.json", [sample()])))
    assert "They spoke" not in words
    assert "What colour" not in words
    assert "Ines has a boat" not in words


def test_each_sample_of_a_list_is_a_source_by_its_sample_id(tmp_path: Path) -> None:
    path = written(tmp_path, "talks.json", [sample("a"), sample("b")])
    found = sources(path)
    assert [(source.kind, source.outside_id, source.title) for source in found] == [
        ("conversation", "a", "Ines and Otto"),
        ("conversation", "b", "Ines and Otto"),
    ]


def test_a_single_sample_object_is_read_too(tmp_path: Path) -> None:
    assert [source.outside_id for source in sources(written(tmp_path, "one.json", sample("solo")))] == ["solo"]


def test_the_digest_follows_the_conversation_and_not_its_annotations(tmp_path: Path) -> None:
    plain, asked, said = sample(), {**sample(), "qa": []}, sample(session_4=[{"speaker": "Otto", "text": "More."}])
    digests = [sources(written(tmp_path, "talk.json", value))[0].digest for value in (plain, asked, said)]
    assert digests[0] == digests[1] != digests[2]


def test_a_sample_without_an_id_is_named_by_its_file_and_number(tmp_path: Path) -> None:
    unnamed = {"conversation": sample()["conversation"]}
    assert [s.outside_id for s in sources(written(tmp_path, "talks.json", [sample(), unnamed]))] == [
        "talk-1",
        "talks.json#2",
    ]


def test_a_session_date_that_does_not_exist_is_an_error_with_its_place(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "talks.json", [sample(session_2_date_time="1:56 pm on 31 June, 2023")]))
    assert "31 June, 2023" in error.message
    assert error.position == "sample 1, session_2_date_time"


def test_a_session_without_a_date_has_turns_without_a_time(tmp_path: Path) -> None:
    turns = drafts(written(tmp_path, "talks.json", [sample(session_1_date_time="")]))
    assert turns[0].at_us is None


def test_a_sample_without_a_conversation_is_an_error_with_its_place(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "talks.json", [sample(), {"sample_id": "b", "qa": []}]))
    assert (error.message, error.position) == ('has no "conversation" object', "sample 2")
