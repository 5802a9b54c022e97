"""Large files: read in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from graphmem.ingest.readers import read_path
from tests.ingest.files import jsonl


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("chat.jsonl", jsonl({"text": "A few words that somebody said on some day. " * 3, "speaker": "Ines"})),
        ("book.txt", "A sentence of a book. " * 20 + "\n\n"),
    ],
)
def test_a_file_of_lines_is_streamed_in_bounded_memory(tmp_path: Path, name: str, line: str) -> None:
    path, size = tmp_path / name, 0
    with path.open("w") as file:
        while size < 4_000_000:
            size += file.write(line * 1000)
    tracemalloc.start()
    try:
        passages = sum(1 for _, found in read_path(path) for _ in found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert passages > 4_000
    assert peak < 1_500_000


def test_passages_are_made_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(jsonl({"text": "Hello"}) + "broken")
    ((_, found),) = read_path(path)
    assert next(found).text == "Hello"
