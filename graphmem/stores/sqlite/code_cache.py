"""What a process keeps of the vectors between questions: codes in segments, and unit vectors of spaces asked again.

Segments never change once made (their vectors are only filled in), so threads share them without a lock; one is made
anew when a stamp of its blocks differs from the file's, and takes over what the blocks still share.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from graphmem.stores.scan import Floats, Numbers, Words


@dataclass(slots=True)
class Segment:
    """64 blocks: their numbers and codes as one array each (four times fewer numpy calls than 16: 1.0 for 2.0 ms a scan
    of 140,000), their vectors block by block. `before`: the one it replaces, until its vectors are taken over."""

    place: int
    stamps: tuple[int, ...]
    starts: tuple[int, ...]  # of the blocks, and the end
    numbers: Numbers
    words: Words
    vectors: tuple[Floats, ...] | None = None
    before: Segment | None = None

    @classmethod
    def of(cls, place: int, blocks: Mapping[int, tuple[Numbers, Words]], before: Segment | None) -> Segment:
        """Blocks by their stamps, in order."""
        starts = (0, *np.cumsum([len(numbers) for numbers, _ in blocks.values()]).tolist())
        numbers = np.concatenate([numbers for numbers, _ in blocks.values()])
        words = np.concatenate([words for _, words in blocks.values()], axis=1)
        keep = before if before and before.vectors is not None else None
        return cls(place, tuple(blocks), starts, numbers, words, before=keep)

    def blocks(self) -> dict[int, tuple[Numbers, Words]]:
        """Its blocks by their stamps."""
        cuts = zip(self.stamps, pairwise(self.starts), strict=True)
        return {stamp: (self.numbers[a:b], self.words[:, a:b]) for stamp, (a, b) in cuts}

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def size_bytes(self) -> int:
        kept = sum(block.nbytes for block in self.vectors or ())
        return self.numbers.nbytes + self.words.nbytes + kept

    def take_over(self) -> dict[int, Floats]:
        """Vectors, by stamp, of the blocks that the segment before this one held and that have not changed."""
        before, self.before = self.before, None
        if before is None or before.vectors is None:
            return {}
        return dict(zip(before.stamps, before.vectors, strict=True))


@dataclass(slots=True)
class View:
    """The vectors of one kind in one space as of a commit (`seq` None: as of a look inside a write)."""

    seq: int | None
    segments: tuple[Segment, ...]
    asked: int = 0

    @property
    def count(self) -> int:
        return sum(segment.count for segment in self.segments)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)


class CodeCache:
    """One for all connections of a store, safe to share between threads.

    Keeps at most 64 MB: the codes of a million vectors, or 40,000 unit vectors (two kinds, each up to the limit of
    exact search); the spaces least recently asked go first.
    """

    BLOCKS_A_SEGMENT: ClassVar[int] = 64
    LIMIT_BYTES: ClassVar[int] = 64 << 20

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: OrderedDict[tuple[int, int], View] = OrderedDict()

    def get(self, space: int, kind: int) -> View | None:
        with self._lock:
            view = self._views.get((space, kind))
            if view is not None:
                self._views.move_to_end((space, kind))
            return view

    def put(self, space: int, kind: int, view: View) -> View:
        """Keep the view, unless one of a later commit is kept already."""
        with self._lock:
            known = self._views.get((space, kind))
            if known is None or known.seq is None or view.seq is None or known.seq <= view.seq:
                self._views[space, kind] = view
            self._views.move_to_end((space, kind))
            self._make_room(0, space)
        return view

    def worth_keeping(self, view: View, dimension: int) -> bool:
        """Whether to keep the unit vectors of this view: from its second question on, if there is room."""
        with self._lock:
            view.asked += 1
            missing = sum(segment.count for segment in view.segments if segment.vectors is None) * dimension * 4
            if not missing:
                return True
            space = next((key[0] for key, held in self._views.items() if held is view), None)
            return view.asked > 1 and space is not None and self._make_room(missing, space)

    def _make_room(self, wanted_bytes: int, space: int) -> bool:
        held = {key: view.size_bytes for key, view in self._views.items()}
        total = sum(held.values()) + wanted_bytes
        for key, size in held.items():
            if total > self.LIMIT_BYTES and key[0] != space:
                del self._views[key]
                total -= size
        return total <= self.LIMIT_BYTES

    def drop(self, space: int | None = None) -> None:
        """Forget a space (None: all), so that nothing erased stays in memory."""
        with self._lock:
            for key in list(self._views):
                if space is None or key[0] == space:
                    del self._views[key]
