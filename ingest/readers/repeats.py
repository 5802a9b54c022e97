"""Messages that come again under the same ref: exports repeat them, and some count their ids anew in each session."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from graphmem.schema import PassageDraft

MAKE = "CREATE TABLE seen(key BLOB PRIMARY KEY, section TEXT NOT NULL) WITHOUT ROWID"
PUT = "INSERT OR IGNORE INTO seen VALUES(?, ?)"
SECTION = "SELECT section FROM seen WHERE key = ?"


def without_repeats(drafts: Iterable[PassageDraft]) -> Iterator[PassageDraft]:
    """Drafts as they come, but for two kinds. The same ref and words in the same session are the same message: left
    out. In another session they are another one, under the ref "REF (SESSION)", for a source knows its passages by
    ref and words.

    What was seen is kept in a temporary SQLite file (24 bytes a message, 2 MB of it in memory), so that a file of any
    size is streamed.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute(MAKE)
        for draft in drafts:
            if draft.ref is None or _is_new(seen, draft):
                yield draft
            elif not _is_of_its_section(seen, draft):
                named = replace(draft, ref=f"{draft.ref} ({draft.section or 'no session'})")
                if _is_new(seen, named):
                    yield named


def _is_new(seen: sqlite3.Connection, draft: PassageDraft) -> bool:
    return seen.execute(PUT, (_key(draft), draft.section or "")).rowcount == 1


def _is_of_its_section(seen: sqlite3.Connection, draft: PassageDraft) -> bool:
    (section,) = seen.execute(SECTION, (_key(draft),)).fetchone()
    return bool(section == (draft.section or ""))


def _key(draft: PassageDraft) -> bytes:
    return hashlib.blake2b(f"{draft.ref}\0{draft.text}".encode(), digest_size=16).digest()
