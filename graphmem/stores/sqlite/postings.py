"""BM25 over the passages of a space (Robertson & Zaragoza 2009), k1 1.2, b .75, from packed postings.

The newest passages stand together in the space's own row; when they are many they become a run, and four runs of a
size are merged into one (a log-structured merge, O'Neil et al. 1996). A merge moves postings in order, as many a write
as that write asks for, and each posting stands in exactly one row at any time: a search reads whatever runs there are,
so there is nothing to wait for, and no write ever merges a whole index. Statistics are the space's alone and exact:
documents and length are counted at each write, a term's documents are the postings that the search reads anyway.
Every method works inside the caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from graphmem.errors import StoreCorrupt
from graphmem.stores.bm25 import best, length_of, scores, term_of
from graphmem.stores.keys import checked
from graphmem.stores.sqlite.packing import Postings as Packed
from graphmem.stores.sqlite.packing import (
    TermMemory,
    of_term,
    span,
)

FORMAT = 1
OPEN_LIMIT = 1500  # postings beside the statistics: about 100 passages, 30 kB at most, read by every search
FAN = 4  # runs of a level that become one of the next
PACE = 4  # postings a merge moves for each that comes in: it ends long before the next is due
STEP = 4000  # postings that a merge moves at least in a write that makes a run: about 2 ms

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

SPACE = "SELECT docs, length, next_run, body FROM text_space WHERE space = ?"
PUT_SPACE = """INSERT INTO text_space VALUES(?, ?, ?, ?, ?) ON CONFLICT(space) DO UPDATE SET
  docs = excluded.docs, length = excluded.length, next_run = excluded.next_run, body = excluded.body"""
RUNS = "SELECT run, level, postings, target FROM text_run WHERE space = ? ORDER BY run"
PUT_RUN = "INSERT INTO text_run VALUES(?, ?, ?, ?, ?)"
AIM_RUN = "UPDATE text_run SET target = ? WHERE space = ? AND run = ?"
COUNT_RUN = "UPDATE text_run SET postings = postings + ? WHERE space = ? AND run = ?"
LEVEL_RUN = "UPDATE text_run SET level = ? WHERE space = ? AND run = ?"
DROP_RUN = "DELETE FROM text_run WHERE space = ? AND run = ?"
PUT_ROW = "INSERT INTO text_posting VALUES(?, ?, ?, ?)"
DROP_ROW = "DELETE FROM text_posting WHERE space = ? AND run = ? AND first = ?"
DROP_RUN_ROWS = "DELETE FROM text_posting WHERE space = ? AND run = ?"
DROP_ROWS = "DELETE FROM text_posting WHERE space = ? AND run = ? AND first < ?"
KEYS = "SELECT first FROM text_posting WHERE space = ? AND run = ? ORDER BY first"
ROW = "SELECT body FROM text_posting WHERE space = ? AND run = ? AND first = ?"
ROWS = "SELECT first, body FROM text_posting WHERE space = ? AND run = ? ORDER BY first LIMIT ?"
# Rows of all runs in which the terms' postings stand. ?3 and ?4: the first and last key of each term, twelve bytes
# each, ?2: their places as a list. One statement takes 0.15 ms where one a term and run takes 0.45.
OF_TERMS = """SELECT term.value, row.body FROM json_each(?2) term CROSS JOIN text_run run CROSS JOIN text_posting row
  WHERE run.space = ?1 AND row.space = ?1 AND row.run = run.run AND row.first <= substr(?4, 1 + 12 * term.value, 12)
  AND row.first >= coalesce((SELECT first FROM text_posting before WHERE before.space = ?1 AND before.run = run.run
  AND before.first <= substr(?3, 1 + 12 * term.value, 12) ORDER BY first DESC LIMIT 1),
  substr(?3, 1 + 12 * term.value, 12))"""
CLEAR = (
    "DELETE FROM text_space WHERE space = ?",
    "DELETE FROM text_run WHERE space = ?",
    "DELETE FROM text_posting WHERE space = ?",
)


def _level(postings: int) -> int:
    level = 0
    while postings >= OPEN_LIMIT * FAN ** (level + 1):
        level += 1
    return level


class Postings:
    """The text index of all spaces on one connection. A reader keeps nothing; a writer remembers hashes of words."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._memory = TermMemory()

    # -- writing
    def add(self, space: int, numbers: Numbers, term_lists: Sequence[Sequence[str]]) -> None:
        """Enter new passages by their terms, repeats included. Costs what it adds times log4 of the size."""
        numbers = checked(numbers)
        if not len(numbers):
            return
        new = Packed.of(numbers, term_lists, self._memory)
        docs, length, next_run, body = self._space(space)
        open_ = Packed.joined([Packed.read(body), new])
        run = len(open_) if len(open_) > OPEN_LIMIT else 0
        if run:
            self.db.execute(PUT_RUN, (space, next_run, _level(run), run, None))
            self._put_rows(space, next_run, open_)
            open_, next_run = Packed.none(), next_run + 1
        length += length_of(term_lists)
        self.db.execute(PUT_SPACE, (space, docs + len(numbers), length, next_run, open_.body()))
        if run:
            self._merge(space, max(STEP, PACE * run))

    def _space(self, space: int) -> tuple[int, int, int, bytes]:
        return self.db.execute(SPACE, (space,)).fetchone() or (0, 0, 0, b"")

    def _put_rows(self, space: int, run: int, postings: Packed) -> None:
        self.db.executemany(PUT_ROW, ((space, run, key, body) for key, body in postings.rows()))

    def _merge(self, space: int, budget: int) -> None:
        """Begin the merges that are due and move about `budget` postings of each one."""
        runs = self._runs(space)
        targets = {target for _, _, _, target in runs if target is not None}
        levels: dict[int, list[int]] = {}
        for run, level, _, target in runs:
            if target is None and run not in targets:
                levels.setdefault(level, []).append(run)
        for level, ready in levels.items():
            if len(ready) >= FAN:
                targets.add(self._begin(space, level + 1, ready[:FAN]))
        for target in sorted(targets):
            self._move(space, target, budget)

    def _begin(self, space: int, level: int, inputs: list[int]) -> int:
        target = int(self._space(space)[2])
        self.db.execute("UPDATE text_space SET next_run = next_run + 1 WHERE space = ?", (space,))
        self.db.execute(PUT_RUN, (space, target, level, 0, None))
        self.db.executemany(AIM_RUN, ((target, space, run) for run in inputs))
        return target

    def _move(self, space: int, target: int, budget: int) -> None:
        """Append the inputs' first postings to the target, up to where all inputs have been read."""
        held = {run: postings for run, _, postings, aim in self._runs(space) if aim == target}
        each = 1 + budget // (700 * max(len(held), 1))  # a row holds 500 to 1,500 postings
        read = {run: self.db.execute(ROWS, (space, run, each + 1)).fetchall() for run in held}
        bound = min((rows[each][0] for rows in read.values() if len(rows) > each), default=None)
        parts = []
        for run, rows in read.items():
            mine = Packed.in_order([Packed.read(body) for first, body in rows if bound is None or first < bound])
            taken = len(mine) if bound is None else mine.before(bound)
            parts.append(mine[:taken])
            self._shorten(space, run, bound, mine[taken:])
            if taken == held[run]:
                self.db.execute(DROP_RUN, (space, run))
            else:
                self.db.execute(COUNT_RUN, (-taken, space, run))
        moved = Packed.joined(parts)
        self._put_rows(space, target, moved)
        self.db.execute(COUNT_RUN, (len(moved), space, target))
        if bound is None:
            total = next(postings for run, _, postings, _ in self._runs(space) if run == target)
            self.db.execute(LEVEL_RUN, (_level(total), space, target))

    def _shorten(self, space: int, run: int, bound: bytes | None, rest: Packed) -> None:
        """Drop the rows that a merge has taken; of one across the bound, the rest stays."""
        if bound is None:
            self.db.execute(DROP_RUN_ROWS, (space, run))
        else:
            self.db.execute(DROP_ROWS, (space, run, bound))
            self._put_rows(space, run, rest)

    def _runs(self, space: int) -> list[tuple[int, int, int, int | None]]:
        return self.db.execute(RUNS, (space,)).fetchall()

    def remove(self, space: int, numbers: Numbers, term_lists: Sequence[Sequence[str]]) -> None:
        """Take passages out by the terms they were added with, and rewrite every row that held one of them.

        StoreCorrupt when a posting is not there. Reads the keys of all rows (5 ms at a million passages).
        """
        numbers = checked(numbers)
        if not len(numbers):
            return
        gone = Packed.of(numbers, term_lists, self._memory)
        docs, length, next_run, body = self._space(space)
        open_, removed = _without(Packed.read(body), numbers)
        runs = self._runs(space)
        targets = {target for _, _, _, target in runs}
        for run, _, postings, target in runs:
            taken = self._remove_from(space, run, numbers, gone.keys())
            removed += taken
            self.db.execute(COUNT_RUN, (-taken, space, run))
            if taken == postings and target is None and run not in targets:
                self.db.execute(DROP_RUN, (space, run))
        if removed != len(gone) or docs < len(numbers):
            raise StoreCorrupt(
                f"the text index has {removed} postings of {len(numbers)} passages whose text has {len(gone)}",
                hint="rebuild the derived rows of the space",
            )
        length -= length_of(term_lists)
        self.db.execute(PUT_SPACE, (space, docs - len(numbers), length, next_run, open_.body()))

    def _remove_from(self, space: int, run: int, numbers: Numbers, wanted: npt.NDArray[np.bytes_]) -> int:
        keys = [row[0] for row in self.db.execute(KEYS, (space, run))]
        at = np.searchsorted(np.array(keys, "S12"), wanted, "right") - 1
        removed = 0
        for i in np.unique(at[at >= 0]).tolist():
            rest, taken = _without(Packed.read(self.db.execute(ROW, (space, run, keys[i])).fetchone()[0]), numbers)
            if taken:
                self.db.execute(DROP_ROW, (space, run, keys[i]))
                self._put_rows(space, run, rest)
            removed += taken
        return removed

    def clear(self, space: int) -> None:
        for statement in CLEAR:
            self.db.execute(statement, (space,))

    # -- reading
    def documents(self, space: int) -> int:
        return int(self._space(space)[0])

    def search(self, space: int, terms: Sequence[str], k: int | None) -> tuple[Numbers, Floats]:
        """The k passages (None: all that match) of highest BM25, best first, ties by number. Repeated terms count once.

        score = sum of idf (k1 + 1) tf / (tf + k1 (1 - b + b length / average)); idf = ln(1 + (N - df + .5) / (df + .5))
        """
        docs, length, _, body = self._space(space)
        wanted = sorted({term_of(word) for word in terms})
        if not docs or not wanted:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parts = [[of_term(body, np.uint64(term))] for term in wanted]
        first, last = (b"".join(keys) for keys in zip(*map(span, wanted), strict=True))
        places = json.dumps(list(range(len(wanted))))
        for at, packed in self.db.execute(OF_TERMS, (space, places, first, last)):
            parts[at].append(of_term(packed, np.uint64(wanted[at])))
        return best(*scores(parts, docs, length), k)

    # -- checking
    def check(self, space: int, truth: Iterable[tuple[int, Sequence[str]]]) -> list[str]:
        """Where the index differs from these passages, each a number and its terms."""
        numbers, words = [], []
        for number, listed in truth:
            numbers.append(number)
            words.append(listed)
        wanted = Packed.of(np.array(numbers, np.int64), words, self._memory)
        docs, length, _, body = self._space(space)
        parts, wrong = [Packed.read(body)], []
        for run, _, postings, _ in self._runs(space):
            rows = self.db.execute(ROWS, (space, run, -1)).fetchall()
            mine = Packed.in_order([Packed.read(row[1]) for row in rows])
            if len(mine) != postings:
                wrong.append(f"text: run {run} counts {postings} postings and holds {len(mine)}")
            if np.any(mine.keys()[1:] <= mine.keys()[:-1]) or any(Packed.read(r[1]).key(0) != r[0] for r in rows):
                wrong.append(f"text: run {run} is out of order")
            parts.append(mine)
        stored = Packed.joined(parts)
        if (docs, length) != (len(numbers), length_of(words)):
            wrong.append(f"text: {docs} passages of {length} terms counted, not {len(numbers)} of {length_of(words)}")
        if not (np.array_equal(stored.terms, wanted.terms) and np.array_equal(stored.entries, wanted.entries)):
            wrong.append(f"text: {len(stored)} postings stored, not the {len(wanted)} of the passages")
        return wrong


def _without(postings: Packed, numbers: Numbers) -> tuple[Packed, int]:
    kept = ~np.isin(postings.entries["number"], numbers)
    rest = postings[kept]
    return rest, len(postings) - len(rest)
