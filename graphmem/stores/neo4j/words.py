"""Words: passages are found by the server's full-text index and scored by the shared BM25 with the space's statistics.

A term is a hash keyed with the space's key and number, so that a search meets no other space and no word of a passage
stands in an index. `_terms` of a passage has its terms as text for the index, `_bag` the same packed: each distinct
term with how often it occurs and how many terms the passage has. How many passages have a term is counted in `_Terms`
nodes, packed by the term's first bits, in the transaction that changes it: a batch of 1,000 passages rewrites 400 kB.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphmem.schema import Space
from graphmem.stores import bm25
from graphmem.stores.bm25 import CLIP, POSTING, term_of
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.server import Tx, pairs, rows

FORMAT = 1
BAG = np.dtype([("term", "<u8"), ("tf", "<u2"), ("length", "<u2")])
COUNTED = np.dtype([("term", "<u8"), ("passages", "<u4")])
BUCKET_TERMS = 400  # on average; beyond it there are four times as many buckets
CLAUSES = 500  # terms of one query: the index takes 1,024
REMEMBERED = 100_000
ALL_WORDS = 1_000  # passages up to which the text index is asked for all that match
# Passages that the text index gives at least beyond that, and times as many as are wanted, to be scored exactly. Of
# 50,000 made-up passages 192 best are all among 500 (.9997 among 400, of 15,000), 10 best among 256.
OVER_FETCH, OVER_FETCHED = 500, 2.5

BUCKETS = "UNWIND $buckets AS b MATCH (t:_Terms {space: $space, bucket: b}) RETURN t.bucket, t.body"
ALL_BUCKETS = "MATCH (t:_Terms {space: $space}) WHERE t.bucket IS NOT NULL RETURN t.bucket, t.body"
PUT_BUCKETS = "UNWIND $rows AS r MERGE (t:_Terms {space: $space, bucket: r[0]}) SET t.body = r[1]"
CLEAR_BUCKETS = "MATCH (t:_Terms {space: $space}) WHERE t.bucket IS NOT NULL DELETE t"
BAGS = "UNWIND $keys AS key MATCH (p:Passage {key: key}) WHERE p._bag IS NOT NULL RETURN p._bag"

Terms = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


class Vocabulary(dict[str, int]):
    """Terms of a space's words, remembered: a bulk load asks for the same ones again and again."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self._key = space.key + space.number.to_bytes(4, "big")

    def __missing__(self, word: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        term = self[word] = term_of(word, self._key)
        return term

    def of(self, words: Sequence[str]) -> tuple[str, bytes]:
        """`_terms` and `_bag` of a passage."""
        terms = [self[word] for word in words]
        tally = Tally(terms)
        bag = np.zeros(len(tally), BAG)
        bag["term"] = np.fromiter(tally, np.uint64, len(tally))
        bag["tf"] = np.minimum(np.fromiter(tally.values(), np.int64, len(tally)), CLIP)
        bag["length"] = min(len(terms), CLIP)
        return " ".join([f"{term:016x}" for term in terms]), np.sort(bag, order="term").tobytes()


# -- statistics


def enter(tx: Tx, counter: Counter, bags: Sequence[bytes], sign: int) -> None:
    """Counts passages in (sign 1) or out (-1): their number, length, and how many have each term."""
    if not bags:
        return
    counter.count("docs", sign * len(bags))
    counter.count("length", sign * sum(length(bag) for bag in bags))
    joined = np.frombuffer(b"".join(bags), BAG)
    terms, count = np.unique(joined["term"], return_counts=True)
    if len(terms):
        _add(tx, counter, terms.astype(np.uint64), sign * count.astype(np.int64))


def length(bag: bytes) -> int:
    return int(np.frombuffer(bag, BAG, 1)["length"][0]) if bag else 0


def _add(tx: Tx, counter: Counter, terms: Terms, by: Counts) -> None:
    of = bucket_of(terms, counter.spread)
    wanted, starts = np.unique(of, return_index=True)
    held: dict[int, bytes] = pairs(rows(tx, BUCKETS, space=counter.space, buckets=wanted.tolist()))
    changed = []
    for bucket, start, stop in zip(wanted.tolist(), starts.tolist(), [*starts[1:].tolist(), len(terms)], strict=True):
        old = np.frombuffer(held.get(bucket, b""), COUNTED)
        new = _summed(old, terms[start:stop], by[start:stop])
        counter.count("terms", len(new) - len(old))
        changed.append([bucket, new.tobytes()])
    rows(tx, PUT_BUCKETS, space=counter.space, rows=changed)
    if counter.tallies["terms"] > BUCKET_TERMS << counter.spread:
        _spread(tx, counter)


def bucket_of(terms: Terms, spread: int) -> Counts:
    """Buckets of different spreads have different numbers: 2**spread + the first bits."""
    first = terms >> np.uint64(64 - spread) if spread else np.zeros(len(terms), np.uint64)
    return (np.uint64(1 << spread) + first).astype(np.int64)


def _summed(old: npt.NDArray[Any], terms: Terms, by: Counts) -> npt.NDArray[Any]:
    """Counts with these added, in order of terms, without those of zero."""
    every, at = np.unique(np.concatenate([old["term"], terms]), return_inverse=True)
    total = np.bincount(at, np.concatenate([old["passages"].astype(np.int64), by]), len(every)).astype(np.int64)
    kept = total > 0
    new = np.zeros(int(kept.sum()), COUNTED)
    new["term"], new["passages"] = every[kept], total[kept]
    return new


def _spread(tx: Tx, counter: Counter) -> None:
    """Four times as many buckets."""
    held = np.sort(np.frombuffer(b"".join(row[1] for row in rows(tx, ALL_BUCKETS, space=counter.space)), COUNTED))
    counter.spread += 2
    write_all(tx, counter, held)


def write_all(tx: Tx, counter: Counter, held: npt.NDArray[Any]) -> None:
    """All counts of the space anew, given in order of terms."""
    rows(tx, CLEAR_BUCKETS, space=counter.space)
    if not len(held):
        return
    buckets, starts = np.unique(bucket_of(held["term"], counter.spread), return_index=True)
    stops = [*starts[1:].tolist(), len(held)]
    packed = [
        [bucket, held[start:stop].tobytes()]
        for bucket, start, stop in zip(buckets.tolist(), starts.tolist(), stops, strict=True)
    ]
    rows(tx, PUT_BUCKETS, space=counter.space, rows=packed)


def rebuilt(tx: Tx, counter: Counter, bags: Iterable[bytes]) -> None:
    """Statistics anew from the bags of all live passages."""
    bags = list(bags)
    joined = np.frombuffer(b"".join(bags), BAG)
    terms, count = np.unique(joined["term"], return_counts=True)
    held = np.zeros(len(terms), COUNTED)
    held["term"], held["passages"] = terms, count
    counter.tallies |= {"docs": len(bags), "length": sum(map(length, bags)), "terms": len(terms)}
    counter.spread = 0
    while len(terms) > BUCKET_TERMS << counter.spread:
        counter.spread += 2
    write_all(tx, counter, held)


# -- searching


def ordered(words: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """Distinct terms, in the one order in which every store adds their weights up."""
    return [vocabulary[word] for word in sorted(set(words), key=term_of)]


def queries(terms: Sequence[int]) -> list[str]:
    """What to ask the index: any of the terms."""
    spelled = [f"{term:016x}" for term in terms]
    return [" ".join(spelled[start : start + CLAUSES]) for start in range(0, len(spelled), CLAUSES)]


def fetched(k: int, docs: int) -> int:
    """How many of `docs` passages to ask the index for, of which the k best by our own scores are wanted."""
    return docs + 1 if docs <= ALL_WORDS else min(docs + 1, max(OVER_FETCH, int(OVER_FETCHED * k)))


def scored(
    hits: Mapping[int, bytes], terms: Sequence[int], counter: Counter, found_in: Sequence[int] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """BM25 of the passages that were hit: bags by key, in any order. `found_in`: as for `bm25.scores`."""
    bags = list(hits.values())
    joined = np.frombuffer(b"".join(bags), BAG)
    sizes = np.fromiter(map(len, bags), np.int64, len(bags)) // BAG.itemsize
    number = np.repeat(np.fromiter(hits, np.int64, len(hits)) & NUMBER_MASK, sizes)
    postings = np.zeros(len(joined), POSTING)
    postings["number"], postings["tf"], postings["length"] = number, joined["tf"], joined["length"]
    packed = postings.view(np.uint64)
    parts = [[packed[joined["term"] == np.uint64(term)]] for term in terms]
    return bm25.scores(parts, counter.tallies["docs"], counter.tallies["length"], found_in)


def counted(held: Iterable[Sequence[Any]], terms: Sequence[int]) -> list[int]:
    """In how many passages each term stands, given the buckets of all of them."""
    body = np.sort(np.frombuffer(b"".join(row[1] for row in held), COUNTED))
    wanted = np.array(terms, np.uint64)
    at = np.minimum(np.searchsorted(body["term"], wanted), max(len(body) - 1, 0))
    if not len(body):
        return [0] * len(terms)
    found: list[int] = np.where(body["term"][at] == wanted, body["passages"][at], 0).tolist()
    return found
