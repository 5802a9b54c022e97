"""Chats: one message an object, as JSON Lines (streamed) or in a JSON list; OpenAI-style {"messages": [...]} too.

The first field of a row of `FIELDS` that is there counts; the names that do not count, and all unknown ones, go to the
passage's `meta`. A file is one source; its sessions are its sections. A message without words is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graphmem.errors import InputError
from graphmem.ingest import segment, times
from graphmem.ingest.encoding import File, digest, lines
from graphmem.ingest.readers.base import Reading, json_fault, parse_json
from graphmem.ingest.readers.repeats import without_repeats
from graphmem.schema import PassageDraft, SourceDraft, clean

FIELDS = {
    "text": ("text", "content", "message", "body"),
    "speaker": ("speaker", "name", "author", "sender", "from", "user", "role"),
    "at": ("at", "timestamp", "time", "date", "created_at", "ts"),
    "session": ("session", "session_id", "conversation", "conversation_id", "thread", "thread_id"),
    "ref": ("ref", "id", "message_id"),
    "caption": ("caption", "blip_caption"),
}
HINT = 'one object a line, such as {"text": "…", "speaker": "…", "at": "2026-05-12T09:30", "session": "…", "id": "…"}'
MAX_NAME_CHARS = 1000
#: Values that say nothing: the next name in the row is looked at.
NOTHING: tuple[object, ...] = (None, "", [])
_FIELD_OF = {name: field for field, row in FIELDS.items() for name in row}


class Row(NamedTuple):
    """One message and where it stands. `session` is that of the list it came in, when it names none itself."""

    position: str
    fields: Mapping[str, object]
    session: str | None = None


def read_lines(file: File) -> Iterator[Reading]:
    """A .jsonl file: one source, whatever its size in bounded memory."""
    yield source(file), drafts(file, _line_rows(file))


def source(file: File) -> SourceDraft:
    return SourceDraft("conversation", file.name, title=file.path.stem, digest=digest(file))


def rows(position: str, value: object, file: File, session: str | None = None) -> Iterator[Row]:
    """The messages of one JSON value: itself, or the list under "messages" in it."""
    if not isinstance(value, dict):
        raise file.fault(f"holds {_kind(value)} where a message should be", hint=HINT, position=position)
    messages = value.get("messages")
    if not isinstance(messages, list):
        yield Row(position, value, session)
        return
    names = _names(value)
    labels = (_label(file, value, names.get(field), position) for field in ("session", "ref"))
    named = next((label for label in labels if label), session)
    for number, message in enumerate(messages, 1):
        place = f"{position}, message {number}"
        if not isinstance(message, dict):
            raise file.fault(f"holds {_kind(message)} where a message should be", hint=HINT, position=place)
        yield Row(place, message, named)


def drafts(file: File, messages: Iterable[Row]) -> Iterator[PassageDraft]:
    """Passages of messages, long ones in pieces with refs REF, REF/2, REF/3 …"""
    empty = True
    for draft in without_repeats(piece for row in messages for piece in _split(_draft(file, row))):
        empty = False
        yield draft
    if empty:
        raise file.nothing("holds no message with words in it")


def _line_rows(file: File) -> Iterator[Row]:
    """A list of messages on a line is a session of its own, named by its line when nothing else names it."""
    for number, text in lines(file):
        if text.isspace():
            continue
        if number == 1:
            _refuse_other_formats(file, text)
        try:
            value = parse_json(text.rstrip("\r\n"))
        except ValueError as error:
            raise json_fault(file, error, line=number, hint=HINT) from error
        yield from rows(f"line {number}", value, file, session=_line_session(value, number))


def _line_session(value: object, number: int) -> str | None:
    return f"line {number}" if isinstance(value, dict) and isinstance(value.get("messages"), list) else None


def _refuse_other_formats(file: File, text: str) -> None:
    start = text.lstrip()
    if start.startswith("<"):
        raise file.fault("is not JSON Lines: it looks like HTML", hint="rename it to .html", position="line 1")
    if start.strip() in {"{", "["} or (start.startswith("[") and start[1:].lstrip().startswith(("{", "["))):
        hint = "a JSON document over several lines, or a list, is a .json file: rename it"
        raise file.fault("is not JSON Lines: line 1 is not one object", hint=hint, position="line 1")


def _draft(file: File, row: Row) -> PassageDraft:
    fields, position = _flat(row.fields), row.position
    names = _names(fields)
    text = _text(file, fields, names.get("text"), position)
    caption = _label(file, fields, names.get("caption"), position, cap=None)
    if caption:
        text = f"{text} [shares a photo: {caption}]".lstrip()
    text, replaced = clean(text)
    at_us, tz_min = _moment(file, fields, names.get("at"), position)
    used = names.values()
    meta = {
        clean(name)[0]: _clean_value(value)
        for name, value in fields.items()
        if name not in used and not (name in _FIELD_OF and value in NOTHING)
    }
    if caption:
        meta["caption"] = caption
    if replaced:
        meta["replaced"] = replaced
    return PassageDraft(
        text=text,
        ref=_label(file, fields, names.get("ref"), position),
        speaker=_label(file, fields, names.get("speaker"), position),
        at_us=at_us,
        tz_min=tz_min,
        section=_label(file, fields, names.get("session"), position) or row.session,
        meta=meta,
    )


def _split(draft: PassageDraft) -> Iterator[PassageDraft]:
    """A turn of usual length as it is; a long one in pieces, the first of which keeps the meta."""
    if not draft.text.strip():
        return
    if len(draft.text) <= segment.TURN_CHARS:
        yield draft
        return
    kept = {key: value for key, value in draft.meta.items() if key == "title"}
    for number, (start, end) in enumerate(segment.pieces(draft.text), 1):
        yield PassageDraft(
            text=draft.text[start:end],
            ref=draft.ref if number == 1 or draft.ref is None else f"{draft.ref}/{number}",
            speaker=draft.speaker,
            at_us=draft.at_us,
            tz_min=draft.tz_min,
            section=draft.section,
            start=start,
            end=end,
            meta=draft.meta if number == 1 else {**kept, "piece": number},
        )


def _flat(fields: Mapping[str, object]) -> Mapping[str, object]:
    """{"message": {"role": …, "content": …}, …} with the inner message's fields beside the outer ones."""
    inner = fields.get("message")
    if not isinstance(inner, dict):
        return fields
    return {**inner, **{key: value for key, value in fields.items() if key != "message"}}


def _text(file: File, fields: Mapping[str, object], name: str | None, position: str) -> str:
    if name is None:
        if any(key in fields for key in (*FIELDS["text"], *FIELDS["caption"])):
            return ""
        hint = f"give the words as one of: {', '.join(FIELDS['text'])}"
        raise file.fault("a message has no text", hint=hint, position=position)
    value = fields[name]
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(words for words in map(_part, value) if words)
    raise file.fault(f"{name!r} is {_kind(value)}, not text", hint=HINT, position=position)


def _part(part: object) -> str:
    """One part of an OpenAI-style content list; images and the like have no words."""
    if isinstance(part, dict):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def _moment(file: File, fields: Mapping[str, object], name: str | None, position: str) -> tuple[int | None, int | None]:
    if name is None:
        return None, None
    try:
        return times.moment(fields[name])
    except ValueError as error:
        raise InputError(f"{name!r}: {error}", hint=times.HINT, source=file.name, position=position) from error


def _label(
    file: File, fields: Mapping[str, object], name: str | None, position: str, cap: int | None = MAX_NAME_CHARS
) -> str | None:
    """A name, session, ref or caption as clean text; None when it is not there, blank or no text."""
    value = fields[name] if name is not None else None
    if isinstance(value, dict):  # {"author": {"name": …, "role": …}}
        value = next((value[key] for key in ("name", "username", "id", "role") if value.get(key)), None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    if cap is not None and len(value) > cap:
        message = f"{name!r} is {len(value):,} characters long"
        raise file.fault(message, hint=f"names and ids have at most {cap} characters", position=position)
    return clean(value)[0].strip() or None


def _names(fields: Mapping[str, object]) -> dict[str, str]:
    """The name under which each field is given: the first in its row of FIELDS whose value says something."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        field = _FIELD_OF.get(name)
        if field is None or value in NOTHING:
            continue
        other = found.get(field)
        if other is None or FIELDS[field].index(name) < FIELDS[field].index(other):
            found[field] = name
    return found


def _clean_value(value: object) -> object:
    if isinstance(value, str):
        return clean(value)[0]
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean(key)[0]: _clean_value(item) for key, item in value.items()}
    return value


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
