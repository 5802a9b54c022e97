"""LoCoMo's own JSON (Maharana et al., 2024): a sample is a conversation of two speakers in dated sessions.

Only the conversation is memory: questions, summaries, observations and event lists of a sample are left out, and so are
the search words of its photos, for they are annotations. A photo's caption stands for what the photo shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping

from graphmem.errors import InputError
from graphmem.ingest import times
from graphmem.ingest.encoding import File
from graphmem.ingest.readers import chat
from graphmem.ingest.readers.base import Reading
from graphmem.schema import PassageDraft, SourceDraft, clean

HINT = 'a sample is {"sample_id": …, "conversation": {"session_1": [turns], "session_1_date_time": "…", …}}'
_SESSION = re.compile(r"session_(\d{1,6})", re.ASCII)
_TURN_FIELDS = {"dia_id": "ref", "speaker": "speaker", "text": "text", "blip_caption": "caption", "img_url": "img_url"}


def is_samples(value: object) -> bool:
    """Whether a JSON value is a sample or a list that begins with one."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and isinstance(first.get("conversation"), dict)


def names(file: File, value: object) -> list[str]:
    """The samples' outside ids. Raises InputError when two are the same."""
    samples = value if isinstance(value, list) else [value]
    found: dict[str, int] = {}
    for number, sample in enumerate(samples, 1):
        name = _name(file, sample, number)
        if name in found:
            hint = "a sample_id stands for one conversation"
            raise file.fault(
                f"sample_id {name!r} is that of sample {found[name]} too", hint=hint, position=f"sample {number}"
            )
        found[name] = number
    return list(found)


def read(file: File, value: object) -> Iterator[Reading]:
    """One source a sample, by its sample_id; without one, by the file's name and its number in it."""
    for number in range(len(value) if isinstance(value, list) else 1):
        yield read_one(file, value, number)


def read_one(file: File, value: object, number: int) -> Reading:
    """The sample at `number`, from 0."""
    samples = value if isinstance(value, list) else [value]
    if number >= len(samples):
        raise file.fault("changed while it was read", hint="ingest it again once nothing writes to it")
    sample, place = samples[number], f"sample {number + 1}"
    conversation = sample.get("conversation") if isinstance(sample, dict) else None
    if not isinstance(sample, dict) or not isinstance(conversation, dict):
        raise file.fault('has no "conversation" object', hint=HINT, position=place)
    return _source(file, sample, conversation, number + 1), _drafts(file, conversation, place)


def _source(file: File, sample: Mapping[str, object], conversation: Mapping[str, object], number: int) -> SourceDraft:
    speakers = [str(conversation[key]) for key in ("speaker_a", "speaker_b") if conversation.get(key)]
    canonical = json.dumps(conversation, sort_keys=True, separators=(",", ":")).encode()
    return SourceDraft(
        "conversation",
        _name(file, sample, number),
        title=clean(" and ".join(speakers))[0][:200],
        digest=hashlib.sha256(canonical).hexdigest(),
        meta={"file": file.name},
    )


def _name(file: File, sample: object, number: int) -> str:
    given = sample.get("sample_id") if isinstance(sample, dict) else None
    return f"{file.name}#{number}" if given in (None, "") else clean(str(given))[0][:200]


def _drafts(file: File, conversation: Mapping[str, object], place: str) -> Iterator[PassageDraft]:
    return chat.drafts(file, _rows(file, conversation, place))


def _rows(file: File, conversation: Mapping[str, object], place: str) -> Iterator[chat.Row]:
    for session in sorted(filter(_SESSION.fullmatch, conversation), key=lambda name: int(name[8:])):
        turns = conversation[session]
        if not isinstance(turns, list):
            raise file.fault(f"{session} is not a list of turns", hint=HINT, position=place)
        when = _when(file, conversation, session, place)
        for number, turn in enumerate(turns, 1):
            if not isinstance(turn, dict):
                raise file.fault("a turn is not an object", hint=HINT, position=f"{place}, {session}, turn {number}")
            fields = {ours: turn[theirs] for theirs, ours in _TURN_FIELDS.items() if theirs in turn}
            yield chat.Row(f"{place}, {session}, turn {number}", {**fields, **when}, session)


def _when(file: File, conversation: Mapping[str, object], session: str, place: str) -> dict[str, object]:
    """The session's time for each of its turns, checked once, where it stands; nothing when it has none."""
    written = conversation.get(f"{session}_date_time")
    if written in (None, ""):
        return {}
    try:
        times.moment(written)
    except ValueError as error:
        position = f"{place}, {session}_date_time"
        raise InputError(str(error), hint=times.HINT, source=file.name, position=position) from error
    return {"at": written}
