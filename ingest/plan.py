"""Which files a job reads, in which order, under which names; and what that will cost.

An item is named by its path from the root that was given, the root's own name first: `papers/` and `/x/papers` both
give "papers/intro.md". The name is the outside id of a document, so moving the folder changes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from graphmem.construct import Cost, Manner, cost
from graphmem.errors import InputError
from graphmem.ingest.encoding import File, NothingToRead
from graphmem.ingest.readers import SUPPORTED, Reading, format_of
from graphmem.pipeline import BATCH_PASSAGES, batches

#: Up to this the estimate counts passages by reading; above it goes by bytes.
COUNTED_BYTES = 8 << 20
#: Bytes a passage, by format, as met in dialogue data and project documentation.
BYTES_PER_PASSAGE = {"JSON Lines": 250, "JSON": 450, "Markdown": 700, "HTML": 2500, "text": 800}
#: Passages a second through the whole pipeline with the bundled embedder on two CPU cores: a dialogue's turn and its
#: notes are some four texts, and a core embeds about 37 short texts a second.
PASSAGES_PER_S = 15.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One source of one file. `skip` says why there is nothing to read in it, `fault` what is wrong with it."""

    key: str
    file: File
    size_bytes: int = 0
    format: str = ""
    part: int | None = None  # which of the file's named sources, from 0; None when it is one itself
    part_id: str = ""
    named: bool = True  # itself, not found in a folder
    skip: str = ""
    fault: InputError | None = None

    def open(self) -> Reading:
        """The source and its passages, from the beginning. Raises InputError, then and while they are read."""
        chosen = format_of(self.file)
        if self.part is not None and chosen.read_part is not None:
            return chosen.read_part(self.file, self.part)
        return next(chosen.read(self.file))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would read and take. `counted`: the passages were counted, else told from the bytes. `asking`: what a
    proposer would take for all of them; what is stored already is not asked about again."""

    files: int
    bytes: int
    passages: int
    seconds: float
    skipped: int
    counted: bool
    asking: Cost = field(default_factory=Cost)


def absolute(paths: Iterable[str | Path]) -> list[str]:
    """The paths as a job keeps them. Raises InputError for one that is not there."""
    found = [os.path.abspath(Path(path).expanduser()) for path in paths]  # noqa: PTH100 (resolve() follows links)
    for path in found:
        if not Path(path).exists():
            raise InputError("there is no such file or folder", hint="check the path", source=path)
    if not found:
        raise InputError("no path was given", hint="name the files and folders to read")
    return found


def expand(paths: Iterable[str]) -> list[Entry]:
    """Every source under these absolute paths: roots as given, folders in name order. A file is read once however
    often it is named; hidden files are left out. Raises InputError when two files would share a name."""
    entries: dict[str, Entry] = {}
    claimed: dict[str, Entry] = {}
    seen: set[str] = set()
    for root in paths:
        for file, named in _files(Path(root)):
            real = os.path.realpath(file.path)
            if real in seen:
                continue
            seen.add(real)
            for entry in _entries(file, named):
                _add(entries, _unless_claimed(claimed, entry))
    if not entries:
        raise InputError("nothing to read", hint=f"supported: {SUPPORTED}", source=", ".join(paths))
    return list(entries.values())


def estimate(
    paths: Iterable[str | Path], *, passages_per_s: float = PASSAGES_PER_S, manner: Manner | None = None
) -> Estimate:
    """What ingesting these paths would read and take; nothing is written and no model called. Files that cannot be read
    count nothing. `manner`: how a proposer would be asked."""
    entries = expand(absolute(paths))
    wanted = [entry for entry in entries if not entry.skip and entry.fault is None]
    size = sum(entry.size_bytes for entry in wanted)
    counted = size <= COUNTED_BYTES
    told = [_count(entry, manner) if counted else _guess(entry, manner) for entry in wanted]
    passages = sum(count for count, _ in told)
    return Estimate(
        files=len({entry.file.name for entry in wanted}),
        bytes=size,
        passages=passages,
        seconds=passages / passages_per_s,
        skipped=len(entries) - len(wanted),
        counted=counted,
        asking=sum((asking for _, asking in told), Cost()),
    )


def _count(entry: Entry, manner: Manner | None) -> tuple[int, Cost]:
    """Passages, and what asking about them takes."""
    count, asking = 0, Cost()
    try:
        for batch in batches(entry.open()[1]):
            count += len(batch)
            asking += _cost([len(draft.text) for draft in batch], manner)
    except InputError:
        return 0, Cost()
    return count, asking


def _guess(entry: Entry, manner: Manner | None) -> tuple[int, Cost]:
    count = max(1, entry.size_bytes // BYTES_PER_PASSAGE.get(entry.format, 800))
    length = max(1, entry.size_bytes // count)
    full, rest = divmod(count, BATCH_PASSAGES)
    whole = _cost([length] * BATCH_PASSAGES, manner)
    return count, whole * full + _cost([length] * rest, manner)


def _cost(lengths: Sequence[int], manner: Manner | None) -> Cost:
    return cost(lengths, manner) if manner is not None else Cost()


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    other = entries.get(entry.key)
    if other is None:
        entries[entry.key] = entry
        return
    raise InputError(
        f"two inputs would both be called {entry.key!r}: {other.file.path} and {entry.file.path}",
        hint="name a folder above both, so that their names differ",
    )


def _unless_claimed(claimed: dict[str, Entry], entry: Entry) -> Entry:
    """A conversation that another file holds too would become its new revision: an error, not a surprise."""
    if entry.part is None:
        return entry
    other = claimed.setdefault(entry.part_id, entry)
    if other is entry:
        return entry
    hint = "a sample_id stands for one conversation: leave one of them out"
    return replace(entry, fault=entry.file.fault(f"is in {other.file.name} too", hint=hint, position=entry.key))


@dataclass(slots=True)
class _Walk:
    """Folders still to be read, and those on the way, by their real paths: a link back into them is a loop."""

    found: list[tuple[File, bool]] = field(default_factory=list)
    inside: set[str] = field(default_factory=set)

    def folder(self, path: Path, name: str) -> None:
        real = os.path.realpath(path)
        if real in self.inside:
            return
        self.inside.add(real)
        try:
            children = sorted(path.iterdir())
        except OSError:
            self.found.append((File(path, name), False))  # reading it gives the error
            children = []
        for child in children:
            if child.name.startswith("."):
                continue
            inner = f"{name}/{child.name}"
            if child.is_dir():
                self.folder(child, inner)
            else:
                self.found.append((File(child, inner), False))
        self.inside.discard(real)


def _files(root: Path) -> Iterator[tuple[File, bool]]:
    """Files below a root, and whether they were named themselves."""
    if not root.is_dir():
        yield File(root, root.name), True
        return
    walk = _Walk()
    walk.folder(root, root.name)
    yield from walk.found


def _entries(file: File, named: bool) -> Iterator[Entry]:
    """The sources of a file. What has nothing to read is skipped in a folder and an error when it was named itself."""
    try:
        status = file.path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise file.fault("is not a regular file", hint=f"supported: {SUPPORTED}")
        if status.st_size == 0:
            raise file.nothing("is empty")
        chosen = format_of(file)
    except OSError as error:
        fault = file.fault(f"cannot be read: {error.strerror or error}", hint="check the path and its rights")
        yield Entry(file.name, file, fault=fault)
        return
    except InputError as error:
        skip = error.message if isinstance(error, NothingToRead) else f"{error.message}; supported: {SUPPORTED}"
        yield Entry(file.name, file, fault=error) if named else Entry(file.name, file, named=False, skip=skip)
        return
    try:
        parts = chosen.parts(file) if chosen.parts is not None else []
    except InputError as error:
        yield Entry(file.name, file, status.st_size, chosen.name, named=named, fault=error)
        return
    if not parts:
        yield Entry(file.name, file, status.st_size, chosen.name, named=named)
    for number, part in enumerate(parts):
        key = part if part.startswith(f"{file.name}#") else f"{file.name}#{part}"
        yield Entry(key, file, status.st_size // len(parts), chosen.name, number, part, named)
