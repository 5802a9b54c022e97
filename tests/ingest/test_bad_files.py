"""Files that are not what they say: one clear error each, with source, position and hint."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphmem.errors import InputError
from graphmem.ingest.encoding import File
from graphmem.ingest.readers import format_of, read_path
from graphmem.ingest.readers.base import Format
from tests.ingest.files import drafts, fault, jsonl, written

SUFFIXES = [".jsonl", ".json", ".md", ".html", ".txt", ".unknown"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_an_error(tmp_path: Path, suffix: str) -> None:
    assert "is empty" in fault(written(tmp_path, f"x{suffix}", b"")).message


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_file_of_white_space_is_an_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    fault(written(tmp_path, f"x{suffix}", content))


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".md", ".txt"])
def test_invalid_utf8_is_an_error_with_its_byte(tmp_path: Path, suffix: str) -> None:
    content = b'{"text": "good"}\n{"text": "caf\xe9"}\n'
    error = fault(written(tmp_path, f"x{suffix}", content))
    assert error.message == "is not valid UTF-8"
    assert error.position == "line 2, byte 30"
    assert content[30:31] == b"\xe9"
    assert "UTF-8" in error.hint


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (bytes(range(256)) * 8, "binary data"),
        ("Hello there".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    ],
)
def test_a_binary_file_is_an_error_that_names_it(tmp_path: Path, suffix: str, content: bytes, what: str) -> None:
    error = fault(written(tmp_path, f"x{suffix}", content))
    assert error.message.startswith("is not text: it is " + what)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_that_is_html_is_an_error_that_says_so(tmp_path: Path, suffix: str) -> None:
    error = fault(written(tmp_path, f"x{suffix}", "<!doctype html><p>Not found"))
    assert "looks like HTML" in error.message
    assert error.position == "line 1"


def test_html_that_is_json_is_an_error_that_says_so(tmp_path: Path) -> None:
    assert "is not HTML" in fault(written(tmp_path, "x.html", '{"text": "Hello"}')).message


def test_json_lines_that_are_one_document_say_how_to_name_it(tmp_path: Path) -> None:
    for content in ('[{"text": "a"}]', '{\n "text": "a"\n}', '[\n{"text": "a"}\n]'):
        assert ".json" in fault(written(tmp_path, "x.jsonl", content)).hint


def test_broken_json_is_an_error_with_line_and_column(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "x.json", '[\n  {"text": "a"},\n  {"text" "b"}\n]'))
    assert error.position == "line 3 column 11"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "No such file" in fault(tmp_path / "gone.txt").message
    assert "No such file" in fault(tmp_path / "gone.json").message


def test_utf16_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        chat = mark + jsonl({"text": "Grüße"}, {"text": "zwei"}).encode(encoding)
        assert [draft.text for draft in drafts(written(tmp_path, "x.jsonl", chat))] == ["Grüße", "zwei"]
        page = mark + "<p>Grüße</p>".encode(encoding)
        assert drafts(written(tmp_path, "x.html", page))[0].text == "Grüße"
        assert drafts(written(tmp_path, "x.txt", mark + "Grüße".encode(encoding)))[0].text == "Grüße"


def test_broken_utf16_is_an_error(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".txt", ".md"):
        assert "UTF-16" in fault(written(tmp_path, f"x{suffix}", "ab".encode("utf-16") + b"c")).message


def test_nul_and_lone_surrogates_in_a_document_are_replaced_and_noted(tmp_path: Path) -> None:
    text = "Some words with a \x00 in them. " + "And more of them here. " * 10
    (draft,) = drafts(written(tmp_path, "x.txt", text))
    assert draft.text == text.replace("\x00", "\ufffd").strip()
    assert draft.meta["replaced"] == 1
    lone = "\ufeffa \ud800 b".encode("utf-16-le", "surrogatepass")
    assert drafts(written(tmp_path, "y.txt", lone))[0].text == "a \ufffd b"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', "JSON Lines"),
        ('{"messages": [{"text": "a"}]}', "JSON"),
        ('[\n{"text": "a"}]', "JSON"),
        ("  <!DOCTYPE html><p>x", "HTML"),
        ("# Words", "text"),
    ],
)
def test_an_unknown_suffix_is_told_by_content(tmp_path: Path, content: str, name: str) -> None:
    found: Format = format_of(File(written(tmp_path, "x.unknown", content), "x.unknown"))
    assert found.name == name
    assert drafts(tmp_path / "x.unknown")


JSON_BITS = [b'{"text":', b'"a"', b"}", b"[", b"]", b"{", b",", b"1e9", b"null", b'"at":', b'"id":', b"\\u0000"]
NAMES = [b'"conversation":', b'"session_1":', b'"messages":', b"title: x\n", b"---\n", b"\n"]
PAGE_BITS = [b"<p>", b"<h1>", b"<table><tr><td>", b"</", b"<!--", b"# ", b"```\n", b"| a |\n|-|\n"]
BYTES = [b"\xff", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe"]
BITS = st.sampled_from(JSON_BITS + NAMES + PAGE_BITS + BYTES)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.binary(max_size=200) | st.lists(BITS, max_size=40).map(b"".join))
@example(content=b'{"conversation": {"session_1": null}}')
@example(content=b'{"conversation": {"session_1_date_time": {}, "session_1": [{"text": "a"}]}}')
@example(content=b'{"text": "a", "at": 1e30}')
@example(content=b'{"text": "a", "at": ' + b"9" * 5000 + b"}")
@example(content=b'{"text": "\\ud800"}')
@settings(deadline=None, max_examples=150)
def test_any_bytes_give_passages_or_an_input_error(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), f"x{suffix}", content)
        try:
            for source, found in read_path(path):
                assert source.outside_id
                for draft in found:
                    assert draft.text.strip()
                    draft.text.encode("utf-8")
                    assert "\x00" not in draft.text
        except InputError as error:
            assert error.source
            assert error.hint
