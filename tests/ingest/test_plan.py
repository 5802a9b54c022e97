"""Which files a job reads, in which order, under which names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphmem.errors import InputError
from graphmem.ingest import estimate
from graphmem.ingest.plan import absolute, expand
from tests.ingest.files import jsonl, sample, written


def keys(*paths: Path) -> list[str]:
    return [entry.key for entry in expand(absolute(paths))]


def test_files_of_a_folder_come_in_name_order_under_its_name(tmp_path: Path) -> None:
    for name in ("papers/b.md", "papers/a/z.txt", "papers/a.txt", "papers/c/deep/er.html"):
        written(tmp_path, name, "<p>Words")
    expected = ["papers/a/z.txt", "papers/a.txt", "papers/b.md", "papers/c/deep/er.html"]
    assert keys(tmp_path / "papers") == expected
    assert keys(tmp_path / "papers" / "c" / "..") == expected


def test_a_file_that_is_named_goes_by_its_own_name(tmp_path: Path) -> None:
    assert keys(written(tmp_path, "x/chat.jsonl", jsonl({"text": "a"}))) == ["chat.jsonl"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("in/.hidden.md", "in/.git/config.txt", "in/seen.md"):
        written(tmp_path, name, "Words")
    assert keys(tmp_path / "in") == ["in/seen.md"]


def test_a_link_back_into_a_folder_is_not_followed(tmp_path: Path) -> None:
    written(tmp_path, "in/seen.md", "Words")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "again.md").symlink_to(tmp_path / "in" / "seen.md")
    assert keys(tmp_path / "in") == ["in/again.md"]


def test_a_file_is_read_once_however_often_it_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "in/seen.md", "Words")
    assert keys(path, tmp_path / "in", path) == ["seen.md"]


def test_two_files_with_one_name_are_an_error(tmp_path: Path) -> None:
    first, second = written(tmp_path, "a/x.md", "Words"), written(tmp_path, "b/x.md", "Words")
    with pytest.raises(InputError, match=r"'x\.md'") as caught:
        keys(first, second)
    assert "folder above both" in caught.value.hint


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        absolute([tmp_path / "gone"])
    assert caught.value.source == str(tmp_path / "gone")


def test_a_folder_with_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to read") as caught:
        keys(tmp_path)
    assert "Markdown" in caught.value.hint


def test_in_a_folder_empty_and_unsupported_files_are_skipped_with_the_reason(tmp_path: Path) -> None:
    written(tmp_path, "in/empty.md", b"")
    written(tmp_path, "in/paper.pdf", b"%PDF-1.7")
    skipped = {entry.key: entry.skip for entry in expand(absolute([tmp_path / "in"]))}
    assert "is empty" in skipped["in/empty.md"]
    assert "a PDF" in skipped["in/paper.pdf"]
    assert "supported: JSON Lines (.jsonl" in skipped["in/paper.pdf"]


def test_the_same_files_named_themselves_are_errors(tmp_path: Path) -> None:
    paths = [written(tmp_path, "empty.md", b""), written(tmp_path, "paper.pdf", b"%PDF-1.7")]
    assert [entry.fault is not None for entry in expand(absolute(paths))] == [True, True]


def test_what_is_no_file_is_skipped(tmp_path: Path) -> None:
    written(tmp_path, "in/a.md", "Words")
    os.mkfifo(tmp_path / "in" / "pipe")
    assert [entry.skip for entry in expand(absolute([tmp_path / "in"]))][1].startswith("is not a regular file")


def test_each_sample_is_an_item(tmp_path: Path) -> None:
    path = written(tmp_path, "talks.json", [sample("a"), {"conversation": {}}, sample("b")])
    assert keys(path) == ["talks.json#a", "talks.json#2", "talks.json#b"]


def test_a_conversation_in_two_files_is_an_error_for_the_second(tmp_path: Path) -> None:
    for name in ("in/a.json", "in/b.json"):
        written(tmp_path, name, [sample("same")])
    first, second = expand(absolute([tmp_path / "in"]))
    assert first.fault is None
    assert "is in in/a.json too" in str(second.fault)


def test_the_estimate_counts_files_bytes_and_passages(tmp_path: Path) -> None:
    path = written(tmp_path, "in/chat.jsonl", jsonl(*[{"text": "Hello"}] * 80))
    written(tmp_path, "in/empty.md", b"")
    found = estimate([tmp_path / "in"])
    assert (found.files, found.bytes, found.passages, found.skipped) == (1, path.stat().st_size, 80, 1)
    assert found.counted
    assert found.seconds > 0


def test_the_estimate_goes_by_bytes_where_counting_would_take_long(tmp_path: Path) -> None:
    written(tmp_path, "in/chat.jsonl", jsonl({"text": "Words of a message. " * 10}) * 50_000)
    found = estimate([tmp_path / "in"])
    assert not found.counted
    assert 25_000 < found.passages < 100_000
