"""Files made for a test, read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphmem.errors import InputError
from graphmem.ingest.readers import read_path
from graphmem.schema import PassageDraft, SourceDraft


def written(folder: Path, name: str, content: str | bytes | object) -> Path:
    """A file with these bytes, this text as UTF-8, or this value as JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def drafts(path: Path) -> list[PassageDraft]:
    return [draft for _, found in read_path(path) for draft in found]


def sources(path: Path) -> list[SourceDraft]:
    return [source for source, _ in read_path(path)]


def fault(path: Path) -> InputError:
    """The one error that reading the file gives: with its source and a hint."""
    with pytest.raises(InputError) as caught:
        drafts(path)
    assert caught.value.source == path.name
    assert caught.value.hint
    return caught.value


def sample(name: str = "talk-1", **more: object) -> dict[str, object]:
    """A LoCoMo sample as its repository has it."""
    return {
        "sample_id": name,
        "qa": [{"question": "What colour is the boat?", "answer": "teal"}],
        "event_summary": {"events_session_1": {"Ines": ["bought a boat"]}},
        "observation": {"session_1_observation": {"Ines": [["Ines has a boat", "D1:1"]]}},
        "session_summary": {"session_1_summary": "They spoke about a boat."},
        "conversation": {
            "speaker_a": "Ines",
            "speaker_b": "Otto",
            "session_10_date_time": "9:05 am on 1 July, 2024",
            "session_10": [{"speaker": "Otto", "dia_id": "D10:1", "text": "Ten sessions already."}],
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ines", "dia_id": "D1:1", "text": "I bought a boat."},
                {
                    "speaker": "Otto",
                    "dia_id": "D1:2",
                    "text": "Show me!",
                    "img_url": ["https://example.org/1.jpg"],
                    "blip_caption": "a photo of a teal boat",
                    "query": "teal boat",
                },
            ],
            "session_2_date_time": "12:01 am on 9 May, 2023",
            "session_2": [{"speaker": "Ines", "dia_id": "D2:1", "text": "It floats."}],
            "session_3_date_time": "2:00 pm on 10 May, 2023",
            **more,
        },
    }
