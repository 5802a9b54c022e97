"""The text index against brute-force BM25."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.errors import StoreCorrupt
from graphmem.stores.bm25 import CLIP, term_of
from graphmem.stores.sqlite import postings as module
from graphmem.stores.sqlite.packing import KEY, TermMemory
from graphmem.stores.sqlite.packing import Postings as Packed
from graphmem.stores.sqlite.postings import Postings
from tests.stores.derived.conftest import opened

Documents = dict[int, list[str]]


def bm25(documents: Documents, terms: Sequence[str], k1: float = 1.2, b: float = 0.75) -> dict[int, float]:
    """As the textbook has it, over lengths clipped to 65,535."""
    lengths = {number: min(CLIP, len(words)) for number, words in documents.items()}
    average = sum(lengths.values()) / max(len(lengths), 1)
    counted = {number: Counter(words) for number, words in documents.items()}
    scores: dict[int, float] = {}
    for term in set(terms):
        having = [number for number in documents if counted[number][term]]
        idf = math.log(1 + (len(documents) - len(having) + 0.5) / (len(having) + 0.5))
        for number in having:
            tf = min(CLIP, counted[number][term])
            weight = idf * (k1 + 1) * tf / (tf + k1 * (1 - b + b * lengths[number] / average))
            scores[number] = scores.get(number, 0.0) + weight
    return scores


def agree(index: Postings, documents: Documents, terms: Sequence[str], space: int = 1) -> None:
    wanted = bm25(documents, terms)
    numbers, scores = index.search(space, terms, None)
    assert set(numbers.tolist()) == set(wanted)
    np.testing.assert_allclose(scores, [wanted[n] for n in numbers.tolist()], rtol=1e-5, atol=1e-5)
    pairs = list(zip((-scores).tolist(), numbers.tolist(), strict=True))
    assert pairs == sorted(pairs)
    for k in (0, 1, 3, 1000):
        few, their = index.search(space, terms, k)
        assert few.tolist() == numbers[:k].tolist()
        assert their.tolist() == scores[:k].tolist()


def sentences(n: int, seed: int = 0, vocabulary: int = 3000) -> list[list[str]]:
    """Words by Zipf's law, eight to forty a sentence."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, vocabulary + 1)
    words = rng.choice(vocabulary, size=(n, 40), p=chances / chances.sum())
    return [[f"w{w}" for w in row[:m]] for row, m in zip(words.tolist(), rng.integers(8, 41, n).tolist(), strict=True)]


def put(index: Postings, documents: Documents, space: int = 1) -> None:
    index.add(space, np.array(list(documents), np.int64), list(documents.values()))


def take(index: Postings, documents: Documents, space: int = 1) -> None:
    index.remove(space, np.array(list(documents), np.int64), list(documents.values()))


def test_scores_are_those_of_the_textbook(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = {0: ["red", "fox", "red"], 4: ["fox"], 9: ["hare", "fox", "moon", "moon"], 11: []}
    put(index, documents)
    for terms in (["fox"], ["red", "moon"], ["fox", "fox", "hare"], ["absent"], []):
        agree(index, documents, terms)
    assert index.documents(1) == 4


def test_an_empty_space_matches_nothing(db: sqlite3.Connection) -> None:
    numbers, scores = Postings(db).search(1, ["fox"], None)
    assert (len(numbers), len(scores)) == (0, 0)
    assert Postings(db).check(1, []) == []


def test_a_term_said_in_every_passage_still_counts_for_them(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = {n: ["fox"] * (n + 1) for n in range(30)}
    put(index, documents)
    agree(index, documents, ["fox"])
    assert index.search(1, ["fox"], None)[1].min() > 0


def test_lengths_and_counts_beyond_two_bytes_are_clipped(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = {1: ["fox"] * 70_000, 2: ["fox", "hare"]}
    put(index, documents)
    agree(index, documents, ["fox"])
    take(index, {1: documents[1]})
    agree(index, {2: documents[2]}, ["fox", "hare"])


@pytest.mark.parametrize("batch", [1, 7, 150, 2000])
def test_scores_do_not_depend_on_how_passages_came_in(db: sqlite3.Connection, batch: int) -> None:
    index = Postings(db)
    n = 700 if batch == 1 else 6000
    texts = sentences(n)
    documents = {3 * i: words for i, words in enumerate(texts)}
    items = list(documents.items())
    for start in range(0, n, batch):
        put(index, dict(items[start : start + batch]))
    assert index.check(1, documents.items()) == []
    for terms in (["w0"], ["w1", "w30", "w500"], ["w2999", "w2", "w17", "w200", "w800"], ["nothing"]):
        agree(index, documents, terms)


def test_passages_in_any_order_of_numbers_are_found(db: sqlite3.Connection) -> None:
    index = Postings(db)
    numbers = np.random.default_rng(3).permutation(3000)
    documents = dict(zip(numbers.tolist(), sentences(3000, vocabulary=200), strict=True))
    items = list(documents.items())
    for start in range(0, 3000, 100):
        put(index, dict(items[start : start + 100]))
    assert index.check(1, documents.items()) == []
    agree(index, documents, ["w0", "w5", "w150"])


def test_runs_stay_few_and_no_write_merges_a_whole_index(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = dict(enumerate(sentences(12_000)))
    most = 0
    for start in range(0, 12_000, 100):
        before = set(db.execute("SELECT run, first FROM text_posting"))
        put(index, {n: documents[n] for n in range(start, start + 100)})
        after = set(db.execute("SELECT run, first FROM text_posting"))
        most = max(most, len(after - before))
        assert db.execute("SELECT count(*) FROM text_run").fetchone()[0] <= 20
    assert most < 60 < len(after)
    assert index.check(1, documents.items()) == []


def test_removed_passages_leave_statistics_and_scores_as_if_never_said(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = dict(enumerate(sentences(5000, vocabulary=500)))
    for start in range(0, 5000, 250):
        put(index, {n: documents[n] for n in range(start, start + 250)})
    for gone in (range(17, 18), range(100, 1000, 3), range(4990, 5000)):
        take(index, {n: documents.pop(n) for n in gone if n in documents})
        assert index.check(1, documents.items()) == []
        agree(index, documents, ["w0", "w50", "w499"])
    take(index, documents)
    assert index.documents(1) == 0
    assert db.execute("SELECT count(*) FROM text_posting").fetchone() == (0,)


def test_removing_what_is_not_there_says_so(db: sqlite3.Connection) -> None:
    index = Postings(db)
    put(index, {1: ["fox"]})
    with pytest.raises(StoreCorrupt, match="postings"):
        take(index, {1: ["fox", "hare"]})
    with pytest.raises(StoreCorrupt, match="postings"):
        take(index, {2: ["fox"]})


def test_a_removed_term_leaves_no_byte_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = opened(str(path))
    index = Postings(db)
    canary = KEY.pack(term_of("zxqcanary"), 0)[:8]
    for start in range(0, 3000, 300):
        texts = sentences(300, seed=start)
        documents = dict(zip(range(start, start + 300), texts, strict=True))
        if start == 600:
            documents[700] = ["zxqcanary", "w1", "w2"]
        put(index, documents)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = path.read_bytes()
    assert b"zxqcanary" not in held
    assert canary[::-1] in held
    take(index, {700: ["zxqcanary", "w1", "w2"]})
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert canary[::-1] not in path.read_bytes()
    assert canary not in path.read_bytes()
    db.close()


def test_a_term_of_many_passages_is_cut_into_rows_of_bounded_size(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = {n: ["fox", f"w{n % 7}"] for n in range(20_000)}
    put(index, documents)
    assert db.execute("SELECT max(length(body)) FROM text_posting").fetchone()[0] <= 12_100
    agree(index, documents, ["fox", "w3"])


def test_spaces_have_their_own_statistics(db: sqlite3.Connection) -> None:
    index = Postings(db)
    mine, theirs = dict(enumerate(sentences(400))), dict(enumerate(sentences(900, seed=8)))
    put(index, mine, 1)
    put(index, theirs, 2)
    agree(index, mine, ["w0", "w9"], 1)
    agree(index, theirs, ["w0", "w9"], 2)
    index.clear(2)
    agree(index, mine, ["w0", "w9"], 1)
    assert index.check(2, []) == []


def test_check_sees_lost_rows_and_wrong_statistics(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = dict(enumerate(sentences(900)))
    put(index, documents)
    assert index.check(1, list(documents.items())[1:])
    db.execute("UPDATE text_space SET docs = docs + 1")
    assert len(index.check(1, documents.items())) == 1
    db.execute("UPDATE text_space SET docs = docs - 1")
    db.execute("DELETE FROM text_posting WHERE first = (SELECT max(first) FROM text_posting)")
    assert len(index.check(1, documents.items())) == 2


def test_a_rolled_back_write_leaves_the_index_as_it_was(db: sqlite3.Connection) -> None:
    index = Postings(db)
    documents = dict(enumerate(sentences(1000)))
    put(index, documents)
    db.execute("BEGIN")
    put(index, dict(enumerate(sentences(1000, seed=2), 1000)))
    db.execute("ROLLBACK")
    assert index.check(1, documents.items()) == []


word = st.sampled_from(["a", "b", "c", "ä", "\ud800", "", "long word"])
document = st.tuples(st.integers(0, 60), st.lists(word, max_size=9))
step = st.tuples(st.sampled_from(["add", "add", "remove"]), st.integers(1, 2), st.lists(document, max_size=12))


@given(st.lists(step, max_size=14))
@settings(max_examples=80, deadline=None)
def test_scores_equal_brute_force_after_any_changes_in_several_spaces(steps: list) -> None:
    db = opened()
    index, truth = Postings(db), {1: {}, 2: {}}
    limits = module.OPEN_LIMIT, module.STEP
    module.OPEN_LIMIT, module.STEP = 6, 3
    try:
        for what, space, given_documents in steps:
            named = dict(given_documents)
            if what == "add":
                named = {n: words for n, words in named.items() if n not in truth[space]}
                put(index, named, space)
                truth[space] |= named
            else:
                take(index, {n: truth[space].pop(n) for n in named if n in truth[space]}, space)
            for each in (1, 2):
                assert index.check(each, truth[each].items()) == []
        for each in (1, 2):
            for terms in (["a"], ["a", "b", "ä"], ["long word", "", "\ud800"]):
                agree(index, truth[each], terms, each)
    finally:
        module.OPEN_LIMIT, module.STEP = limits
        db.close()


@given(st.lists(document, max_size=40))
@settings(max_examples=60, deadline=None)
def test_packed_rows_read_back_as_they_were(documents: list) -> None:
    named = dict(documents)
    postings = Packed.of(np.array(list(named), np.int64), list(named.values()), TermMemory())
    rows = postings.rows()
    again = Packed.in_order([Packed.read(body) for _, body in rows])
    np.testing.assert_array_equal(again.terms, postings.terms)
    np.testing.assert_array_equal(again.entries, postings.entries)
    assert [key for key, _ in rows] == sorted(key for key, _ in rows)
    keys = postings.keys()
    for i in range(0, len(postings), 3):
        assert postings.before(postings.key(i)) == i
        assert keys[i].ljust(12, b"\0") == postings.key(i)
