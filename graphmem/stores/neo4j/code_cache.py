"""What a process keeps of the vectors of larger spaces: their sign bits, 52 bytes a vector of 384 numbers, by which it
chooses the few hundred that are read and scored.

Of 100,000 notes the server's index takes 22 ms to find and give 300, and 7 to give 300 that are known; the choice takes
1 ms here. Codes are loaded in pages beside the questions, 100,000 in two seconds, from the second question on:
until then, and for a space whose codes would not fit, the server's index answers. Then they follow the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphmem.errors import GraphmemError
from graphmem.stores.keys import NUMBER_MASK, node_range
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.held import MAX_COMMITS, Held, told_since
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.scan import Floats, Numbers, Words, columns, encode, promising, width

LIMIT_BYTES = 64 << 20  # of all spaces together: a million vectors are 52 MB
SEGMENT = 65_536  # vectors in one array: what a new note makes anew is at most 3.4 MB
PAGE = 8_192  # vectors read at a time
MAX_NEW = 10_000  # more new nodes than so many: everything is loaded again, beside the questions
NUMBER_BYTES = 4
# With 500 scored of 100,000 real sentences: of the 10 best all, of the 80 .99, of the 192 that a recall asks for .93
# (200 questions; 300 give .998, .97 and .84; the search takes 117, 154 and 186 ms with 300, 500, 800 under load). More
# are scored for vectors that are near to nothing: of 4,000 made-up ones 500 give .94 of the 10 best, 800 .98.
# A recall asks for many, of which the first count: it is spared the rest (from 10,000 to 100,000 notes it grows 2.3
# times, with 1,000 scored 3.2).
LOOK, FEW = 1_000, 64

PAGE_OF = """MATCH (n:Zettel) WHERE n.key > $after AND n.key < $end AND n._kind = $kind AND n._head IS NOT NULL
  AND n._half IS NOT NULL WITH n ORDER BY n.key LIMIT $page RETURN collect(n.key), collect(n._half)"""


@dataclass(frozen=True, slots=True)
class Segment:
    """Numbers, ascending, and their codes as columns (word, vector). Never changed once made."""

    numbers: npt.NDArray[np.uint32]
    words: Words

    @property
    def size_bytes(self) -> int:
        return self.numbers.nbytes + self.words.nbytes

    def under(self, before: int) -> Segment:
        """Without the numbers from `before` on."""
        if self.numbers[-1] < before:
            return self
        stop = int(np.searchsorted(self.numbers, before))
        return Segment(self.numbers[:stop], self.words[:, :stop])


@dataclass(frozen=True, slots=True)
class Place:
    """What is kept: vectors of one kind in one space."""

    space: int
    kind: int
    dimension: int


@dataclass(frozen=True, slots=True)
class Table:
    """Codes of the live nodes of one kind in one space as of a commit, in segments ascending by number, none empty.
    `next`: the number that the next new node got."""

    seq: int
    next: int
    segments: tuple[Segment, ...]

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)


@dataclass(slots=True)
class Loading:
    place: Place
    at: Counter
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class CodeCache:
    """One for a store, safe to share between threads. `read` is asked by the one thread that loads. Close it."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held: Held[Table] = Held(LIMIT_BYTES)
        self._lock = threading.Lock()
        self._asked: set[tuple[int, int]] = set()
        self._loading: Loading | None = None
        self._closed = False

    def table(self, read: Read, place: Place, at: Counter, count: int) -> Table | None:
        """As of the counter's commit at least, of `count` vectors; one round trip when there is something new. None
        while there is none: then one is loaded, from the second question on, if it fits."""
        if count * (NUMBER_BYTES + width(place.dimension)) > LIMIT_BYTES:
            self._held.drop(place.space)
            return None
        known = self._held.get(place.space, place.kind)
        if known is None or at.seq - known.seq > MAX_COMMITS or at.next - known.next > MAX_NEW:
            self._want(place, at)
            return None
        if known.seq >= at.seq:
            return known
        return self._held.keep(place.space, place.kind, newer(known, read, place, at))

    def _want(self, place: Place, at: Counter) -> None:
        """One space is loaded at a time; others get their turn with a later question."""
        with self._lock:
            known = (place.space, place.kind)
            again = known in self._asked
            self._asked.add(known)
            if not again or self._closed or self._loading is not None:
                return
            loading = self._loading = Loading(place, at)
            loading.thread = threading.Thread(target=self._load, args=(loading,), name="graphmem codes", daemon=True)
            loading.thread.start()

    def _load(self, loading: Loading) -> None:
        table = None
        try:
            table = loaded(self._read, loading)
        except GraphmemError:
            pass  # the index goes on answering, and a later question tries again
        finally:
            with self._lock:
                self._loading = None
                if table is not None and not loading.stop.is_set():
                    self._held.keep(loading.place.space, loading.place.kind, table)

    @property
    def loading(self) -> bool:
        return self._loading is not None

    def drop(self, space: int) -> None:
        """Forget a space, so that nothing erased stays in memory."""
        with self._lock:
            if self._loading is not None and self._loading.place.space == space:
                self._loading.stop.set()
            self._held.drop(space)

    def close(self) -> None:
        """Waits for the page that is being read."""
        with self._lock:
            self._closed, loading = True, self._loading
        if loading is not None and loading.thread is not None:
            loading.stop.set()
            loading.thread.join()


def loaded(read: Read, loading: Loading) -> Table | None:
    """Codes of all that the counter counts, as it is when its page is read: what happens meanwhile the journal tells
    again. None when it was stopped."""
    segments, parts = list[Segment](), list[Segment]()
    for part in _pages(read, loading.place, loading.at.next):
        if loading.stop.is_set():
            return None
        parts.append(part)
        if sum(len(segment.numbers) for segment in parts) >= SEGMENT:
            segments.append(_joined(parts))
            parts = []
    if parts and len((last := _joined(parts)).numbers):
        segments.append(last)
    return Table(loading.at.seq, loading.at.next, tuple(segments))


def _pages(read: Read, place: Place, before: int) -> Iterator[Segment]:
    base = node_range(place.space)[0]
    asked = {"after": base, "end": base + before, "kind": place.kind, "page": PAGE}
    while True:
        keys, halves = read(PAGE_OF, asked)[0]
        if keys:
            yield _segment(np.array(keys, np.int64) & NUMBER_MASK, b"".join(halves), place.dimension)
            asked |= {"after": keys[-1]}
        if len(keys) < PAGE:
            return


def _segment(numbers: Numbers, halves: bytes, dimension: int) -> Segment:
    """Without vectors of length zero, which are near nothing and which the server refuses to compare."""
    rows = np.frombuffer(halves, "<f2").reshape(-1, dimension)
    long = rows.any(axis=1)
    if not long.all():
        numbers, rows = numbers[long], rows[long]
    return Segment(numbers.astype(np.uint32), columns(encode(rows)))


def _nothing(dimension: int) -> Segment:
    return Segment(np.zeros(0, np.uint32), np.zeros((width(dimension) // 8, 0), np.uint64))


def _joined(parts: Sequence[Segment]) -> Segment:
    numbers = np.concatenate([segment.numbers for segment in parts])
    return Segment(numbers, np.concatenate([segment.words for segment in parts], axis=1))


def newer(known: Table, read: Read, place: Place, at: Counter) -> Table:
    """The table as of the counter's commit. Only segments are made anew in whose range something changed."""
    told = told_since(read, place.space, place.kind, known.seq, at.seq)
    fresh = _segment(told.numbers, told.halves, place.dimension)
    starts = [0, *(int(segment.numbers[0]) for segment in known.segments[1:])]
    changed = np.searchsorted(told.changed, [*starts[1:], NUMBER_MASK]).tolist()
    came = np.searchsorted(fresh.numbers, [*starts[1:], NUMBER_MASK]).tolist()
    segments, first, low = list[Segment](), 0, 0
    for segment, last, high in zip(known.segments or (_nothing(place.dimension),), changed, came, strict=True):
        if first < last:
            part = Segment(fresh.numbers[low:high], fresh.words[:, low:high])
            segments += _cut(_changed(segment, told.changed[first:last], part))
        else:
            segments.append(segment)
        first, low = last, high
    return Table(at.seq, at.next, tuple(segments))


def _changed(segment: Segment, changed: Numbers, fresh: Segment) -> Segment:
    kept = ~np.isin(segment.numbers, changed)
    together = _joined([Segment(segment.numbers[kept], segment.words[:, kept]), fresh])
    order = np.argsort(together.numbers, kind="stable")
    if (order[1:] > order[:-1]).all():
        return together
    return Segment(together.numbers[order], np.ascontiguousarray(together.words[:, order]))


def _cut(segment: Segment) -> Iterator[Segment]:
    """Into parts of a bounded size; none of nothing."""
    for start in range(0, len(segment.numbers), SEGMENT):
        stop = start + SEGMENT
        yield Segment(segment.numbers[start:stop], np.ascontiguousarray(segment.words[:, start:stop]))


def chosen(tables: Sequence[Table], query: Floats, k: int, before: int) -> Numbers:
    """Numbers under `before` of what is to be scored for the k nearest, the most promising first; none for a query of
    length zero."""
    under = [segment.under(before) for table in tables for segment in table.segments]
    segments = [segment for segment in under if len(segment.numbers)]
    if not segments or not query.any():
        return np.zeros(0, np.int64)
    look = LOOK if k <= FEW else 5 * k // 2
    places = promising([segment.words for segment in segments], query, look, 8 * look)
    return np.concatenate([segment.numbers for segment in segments])[places].astype(np.int64)
