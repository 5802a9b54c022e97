"""Bytes to text: UTF-8 (its byte order mark removed), UTF-16 with one; anything else is one clear `InputError`.

NUL and lone surrogates, which no store can keep, become U+FFFD one for one (`schema.clean`), so that offsets stay.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from graphmem.errors import InputError

#: A line longer than this is an error, so that a file without line ends cannot fill the memory.
MAX_LINE_BYTES = 64 << 20
#: Formats that are parsed as a whole (JSON, Markdown, HTML) take at most this; lines are streamed without limit.
MAX_WHOLE_BYTES = 256 << 20
HEAD_BYTES = 8192

NOT_TEXT = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (.docx, .xlsx and .epub are)"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "gzip data"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROL = bytes(sorted(set(range(32)) - set(b"\t\n\r\f\b\x1b")))


class NothingToRead(InputError):
    """A file without a word in it: an error when it was named itself, skipped in a folder."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to read. `name` is what it is called outside: its path from the root that was named; errors show it."""

    path: Path
    name: str

    def fault(self, message: str, *, hint: str, position: str = "") -> InputError:
        """What is wrong with the file, to be raised."""
        return InputError(message, hint=hint, source=self.name, position=position)

    def nothing(self, message: str) -> NothingToRead:
        return NothingToRead(message, hint="there is nothing to remember in it; leave it out", source=self.name)


@contextmanager
def opened(file: File) -> Iterator[BinaryIO]:
    """The file's bytes; what the system refuses is an InputError."""
    try:
        with file.path.open("rb") as stream:
            yield stream
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be read: {reason}", hint="check the path and its rights", source=file.name) from error


def digest(file: File) -> str:
    """The sha-256 of the file's bytes."""
    with opened(file) as stream:
        hashed = hashlib.sha256()
        while block := stream.read(1 << 18):
            hashed.update(block)
        return hashed.hexdigest()


def head(file: File) -> bytes:
    with opened(file) as stream:
        return stream.read(HEAD_BYTES)


def what_instead_of_text(start: bytes) -> str:
    """What the beginning of a file is when it is not text ("a PDF"); "" when it may be text."""
    for magic, what in NOT_TEXT:
        if start.startswith(magic):
            return what
    if any(start.startswith(mark) for mark, _ in _MARKS[1:]):
        return ""
    control = len(start) - len(start.translate(None, _CONTROL))
    if control * 50 <= len(start):
        return ""
    zeros = start.count(0)
    return "UTF-16 without a byte order mark, or binary data" if zeros * 3 > len(start) else "binary data"


def require_text(file: File) -> tuple[str, int]:
    """The encoding's name and the length of its byte order mark. Raises InputError for an empty or binary file."""
    start = head(file)
    if not start:
        raise file.nothing("is empty")
    if what := what_instead_of_text(start):
        raise file.fault(f"is not text: it is {what}", hint="convert it to UTF-8 text first", position="byte 0")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def whole(file: File, *, declared: str | None = None) -> str:
    """The whole text of a file of at most MAX_WHOLE_BYTES. `declared`: the encoding that its content names, used when
    the bytes are not UTF-8."""
    encoding, skip = require_text(file)
    with opened(file) as stream:
        raw = stream.read(MAX_WHOLE_BYTES + 1)
    if len(raw) > MAX_WHOLE_BYTES:
        hint = "split it; dialogue as JSON Lines (.jsonl) is read line by line, however long it is"
        raise file.fault(f"is larger than {MAX_WHOLE_BYTES >> 20} MB", hint=hint)
    try:
        return raw[skip:].decode(encoding, _handler(encoding))
    except UnicodeDecodeError as error:
        if declared is not None and encoding == "utf-8":
            try:
                return raw.decode(declared)
            except (UnicodeDecodeError, LookupError):
                pass  # reported below, as what it would be without the declaration
        at = skip + error.start
        line = raw.count(b"\n", 0, at) + 1 if encoding == "utf-8" else None
        raise _bad_bytes(file, encoding, at, line) from error


def lines(file: File) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines with their ends, one at a time. Only "\\n" ends one: JSON may hold U+2028."""
    encoding, skip = require_text(file)
    with opened(file) as stream:
        stream.seek(skip)
        if encoding == "utf-8":
            yield from _utf8_lines(file, stream, skip)
        else:
            yield from _utf16_lines(file, stream, encoding)


def _utf8_lines(file: File, stream: BinaryIO, offset: int) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise _long_line(file, number)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _bad_bytes(file, "utf-8", offset + error.start, number) from error
        offset += len(raw)
        yield number, text


def _utf16_lines(file: File, stream: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    reader = io.TextIOWrapper(stream, encoding, _handler(encoding), newline="\n")
    number = 0
    try:
        while text := reader.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(text) > MAX_LINE_BYTES:
                raise _long_line(file, number)
            yield number, text
    except UnicodeDecodeError as error:
        raise _bad_bytes(file, encoding, None, number + 1) from error
    finally:
        reader.detach()


def _handler(encoding: str) -> str:
    """Lone surrogates are well-formed enough in UTF-16 to be read and replaced; in UTF-8 they are invalid bytes."""
    return "strict" if encoding == "utf-8" else "surrogatepass"


def _bad_bytes(file: File, encoding: str, at: int | None, line: int | None) -> InputError:
    places = (f"line {line}" if line else "", f"byte {at}" if at is not None else "")
    name = "UTF-8" if encoding == "utf-8" else "UTF-16"
    return file.fault(
        f"is not valid {name}",
        hint=f"save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 {file.path.name}",
        position=", ".join(place for place in places if place),
    )


def _long_line(file: File, number: int) -> InputError:
    message = f"has a line longer than {MAX_LINE_BYTES >> 20} MB"
    return file.fault(message, hint="split the line, or check that it is a text file", position=f"line {number}")
