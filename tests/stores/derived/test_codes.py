"""Vector search against scoring everything, on random mixtures."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.errors import InputError
from graphmem.stores.scan import bit_scores, columns, distances, encode, nearest, widened
from graphmem.stores.sqlite import codes as module
from graphmem.stores.sqlite.codes import CodeCache, Codes, TokenCodes
from tests.stores.derived.conftest import opened

PASSAGE, NOTE = 3, 4


def vectors(n: int, seed: int = 0, dimension: int = 384) -> np.ndarray:
    """Mixtures of 40 directions with noise, of unit length."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(40).normal(size=(40, dimension))
    rows = centres[rng.integers(0, 40, n)] + centres[rng.integers(0, 40, n)] + 0.7 * rng.normal(size=(n, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def nearest_of(matrix: np.ndarray, query: np.ndarray, k: int) -> tuple[list[int], np.ndarray]:
    rows = matrix.astype(np.float64)
    scores = rows @ query.astype(np.float64) / np.linalg.norm(rows, axis=1) / np.linalg.norm(query.astype(np.float64))
    order = np.argsort(-scores, kind="stable")[:k]
    return order.tolist(), scores[order]


def test_a_small_space_is_searched_exactly(db: sqlite3.Connection) -> None:
    rows = vectors(3000)
    codes = Codes(db, CodeCache())
    codes.add(1, np.arange(3000) * 3, NOTE, rows)
    for i, seq in enumerate((1, 1, 1, None)):  # read, read and kept, kept, looked at again
        query = vectors(1, seed=10 + i)[0].astype(np.float32)
        numbers, scores, exact = codes.search(1, query, 20, [NOTE], seq=seq)
        wanted, wanted_scores = nearest_of(rows, query, 20)
        assert exact
        assert (numbers // 3).tolist() == wanted
        np.testing.assert_allclose(scores, wanted_scores, atol=2e-6)


def test_a_large_space_is_searched_nearly_exactly_and_says_so(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXACT_LIMIT", 1000)
    rows = vectors(12_000)
    codes = Codes(db, CodeCache())
    codes.add(1, np.arange(12_000), np.where(np.arange(12_000) % 3, NOTE, PASSAGE), rows)
    found = 0
    for i in range(20):
        query = vectors(1, seed=10 + i)[0].astype(np.float32)
        numbers, _, exact = codes.search(1, query, 10, [NOTE, PASSAGE], seq=1)
        assert not exact
        found += len(set(numbers.tolist()) & set(nearest_of(rows, query, 10)[0]))
    assert found >= 198
    assert codes.search(1, rows[0].astype(np.float32), 1, [PASSAGE], seq=1)[0].tolist() == [0]


def test_only_the_asked_kinds_and_space_are_found(db: sqlite3.Connection) -> None:
    rows = vectors(30)
    codes = Codes(db)
    codes.add(1, np.arange(10), PASSAGE, rows[:10])
    codes.add(1, np.arange(10, 20), NOTE, rows[10:20])
    codes.add(2, np.arange(10), NOTE, rows[20:])
    query = rows[25].astype(np.float32)
    assert set(codes.search(1, query, 50, [NOTE])[0].tolist()) == set(range(10, 20))
    assert codes.search(2, query, 1, [NOTE])[0].tolist() == [5]
    assert len(codes.search(2, query, 9, [PASSAGE])[0]) == 0
    assert codes.count(1) == 20
    codes.clear(1)
    assert codes.count(1) == 0
    assert codes.count(2) == 10


def test_equal_vectors_come_by_number_and_number_zero_is_found(db: sqlite3.Connection) -> None:
    codes = Codes(db, CodeCache())
    rows = np.repeat(vectors(1), 1000, axis=0)
    codes.add(1, np.arange(1000)[::-1].copy(), NOTE, rows)
    for _ in range(3):
        numbers, scores, _ = codes.search(1, rows[0].astype(np.float32), 7, [NOTE], seq=1)
        assert numbers.tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert scores[0] == pytest.approx(1.0, abs=1e-5)


def test_a_number_added_again_gets_the_new_vector(db: sqlite3.Connection) -> None:
    rows = vectors(2)
    codes = Codes(db)
    codes.add(1, np.array([7]), NOTE, rows[:1])
    codes.add(1, np.array([7]), NOTE, rows[1:])
    np.testing.assert_array_equal(codes.vectors(1, np.array([7])), rows[1:].astype(np.float32))
    assert codes.check(1, np.array([7]), np.array([NOTE])) == []


def test_cosine_is_nan_and_vectors_are_zero_where_there_is_none(db: sqlite3.Connection) -> None:
    rows = vectors(3)
    codes = Codes(db)
    codes.add(1, np.array([5, 0, 9]), NOTE, rows)
    asked = np.array([9, 4, 0, 9])
    got = codes.cosine(1, rows[1].astype(np.float32), asked)
    assert np.isnan(got[1])
    assert got[2] == pytest.approx(1, abs=1e-5)
    assert got[0] == got[3]
    assert codes.vectors(1, asked)[1].tolist() == [0] * 384
    assert np.isnan(codes.cosine(2, rows[1].astype(np.float32), asked)).all()


def test_another_dimension_is_refused(db: sqlite3.Connection) -> None:
    codes = Codes(db)
    with pytest.raises(InputError, match="384"):
        codes.add(1, np.array([1]), NOTE, vectors(1, dimension=128))
    with pytest.raises(InputError, match="128 numbers"):
        codes.search(1, vectors(1, dimension=128)[0].astype(np.float32), 5, [NOTE])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_a_vector_that_is_not_finite_is_refused(db: sqlite3.Connection, bad: float) -> None:
    rows = vectors(2).astype(np.float32)
    rows[1, 7] = bad
    with pytest.raises(InputError, match="not finite"):
        Codes(db).add(1, np.array([1, 2]), NOTE, rows)


def test_every_finite_half_is_widened_exactly() -> None:
    halves = np.arange(65_536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    np.testing.assert_array_equal(widened(halves.tobytes(), 1).ravel(), halves.astype(np.float32))


def test_a_removed_vector_leaves_no_byte_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = opened(str(path))
    codes, tokens = Codes(db), TokenCodes(db)
    rows = vectors(600)
    secret = np.random.default_rng(5).integers(0, 256, (9, 48), np.uint8)
    codes.add(1, np.arange(600), NOTE, rows)
    tokens.add(1, np.arange(2), [secret, secret[::-1].copy()])
    canaries = [rows[300].tobytes()[:64], encode(rows[300:301]).tobytes(), secret.tobytes()[:64]]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert all(canary in path.read_bytes() for canary in canaries)
    codes.remove(1, np.array([300]))
    tokens.remove(1, np.array([0]))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not any(canary in path.read_bytes() for canary in canaries)
    kept = np.delete(np.arange(600), 300)
    assert codes.check(1, kept, np.full(599, NOTE)) == []
    db.close()


def test_the_cache_follows_writes_of_another_connection(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    writer_db, reader_db = opened(path), opened(path)
    writer, cache = Codes(writer_db), CodeCache()
    reader = Codes(reader_db, cache)
    rows = vectors(5000)
    writer.add(1, np.arange(4900), NOTE, rows[:4900])
    held = dict(enumerate(rows[:4900]))
    for seq in range(1, 12):
        for i in range(2):
            query = rows[4900 + seq].astype(np.float32) if i else rows[17].astype(np.float32)
            numbers, _, _ = reader.search(1, query, 5, [NOTE], seq=seq)
            keys = sorted(held)
            wanted = nearest_of(np.array([held[key] for key in keys]), query, 5)[0]
            assert numbers.tolist() == [keys[w] for w in wanted]
        if seq % 3 == 0:
            gone = np.array([17 + seq, 2000, 4900 + seq - 1])
            writer.remove(1, gone)
            for key in gone.tolist():
                held.pop(key, None)
        writer.add(1, np.array([4900 + seq]), NOTE, rows[4900 + seq : 4901 + seq])
        held[4900 + seq] = rows[4900 + seq]
    writer_db.close()
    reader_db.close()


def test_a_rolled_back_write_is_not_served_later(db: sqlite3.Connection) -> None:
    codes = Codes(db, CodeCache())
    rows = vectors(3)
    query = rows[1].astype(np.float32)
    codes.add(1, np.array([1]), NOTE, rows[:1])
    db.execute("BEGIN")
    codes.add(1, np.array([2]), NOTE, rows[1:2])
    assert codes.search(1, query, 1, [NOTE])[0].tolist() == [2]
    db.execute("ROLLBACK")
    codes.add(1, np.array([3]), NOTE, rows[2:])
    assert sorted(codes.search(1, query, 5, [NOTE], seq=1)[0].tolist()) == [1, 3]


def test_threads_share_the_cache(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    db = opened(path)
    rows = vectors(6000)
    Codes(db).add(1, np.arange(6000), NOTE, rows)
    cache, wrong = CodeCache(), []

    def ask(seed: int) -> None:
        mine = sqlite3.connect(path)
        codes = Codes(mine, cache)
        for i in range(8):
            query = vectors(1, seed=100 * seed + i)[0].astype(np.float32)
            if codes.search(1, query, 5, [NOTE], seq=i // 4)[0].tolist() != nearest_of(rows, query, 5)[0]:
                wrong.append(seed)
        mine.close()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    db.close()


def test_the_cache_keeps_within_its_limit_and_lets_other_spaces_go(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CodeCache, "LIMIT_BYTES", 3 << 20)
    cache = CodeCache()
    codes = Codes(db, cache)
    rows = vectors(1500)
    query = rows[3].astype(np.float32)
    for space in (1, 2, 3):
        codes.add(space, np.arange(1500), NOTE, rows)
    for space in (1, 2, 3, 1):
        for _ in range(3):
            assert codes.search(space, query, 1, [NOTE], seq=1)[0].tolist() == [3]
        held = [key for key in ((1, NOTE), (2, NOTE), (3, NOTE)) if cache.get(*key)]
        assert sum(cache.get(*key).size_bytes for key in held) <= 3 << 20
    cache.drop(1)
    assert cache.get(1, NOTE) is None


def test_check_sees_lost_codes_and_dead_vectors(db: sqlite3.Connection) -> None:
    codes = Codes(db)
    rows = vectors(300)
    codes.add(1, np.arange(300), NOTE, rows)
    live, kinds = np.arange(300), np.full(300, NOTE)
    assert codes.check(1, live, kinds) == []
    assert codes.check(1, live[:-1], kinds[:-1])
    db.execute("UPDATE vector SET body = ? WHERE node = ?", ((-rows[5]).tobytes(), 1 << 40 | 5))
    assert codes.check(1, live, kinds)
    codes.rebuild(1)
    assert codes.check(1, live, kinds) == []
    db.execute("DELETE FROM vector_code WHERE block = 0")
    assert codes.check(1, live, kinds)


def test_codes_of_any_dimension_measure_hamming_distance() -> None:
    rng = np.random.default_rng(1)
    for dimension in (1, 8, 100, 384, 1000):
        rows = rng.normal(size=(50, dimension))
        query = rng.normal(size=dimension)
        codes = encode(rows)
        got = distances([columns(codes[:20]), columns(codes[20:])], encode(query[None])[0])
        assert got.tolist() == ((rows > 0) != (query > 0)).sum(axis=1).tolist()
        np.testing.assert_allclose(bit_scores(codes, query.astype(np.float32)), (rows > 0) @ query, atol=1e-3)
        opposite = distances([columns(encode(-rows[:1]))], codes[0])
        assert opposite.tolist() == [dimension]
        assert len(nearest(got, 7)) == 7
        assert sorted(got[nearest(got, 7)].tolist()) == sorted(got.tolist())[:7]


step = st.tuples(st.sampled_from(["add", "remove"]), st.lists(st.integers(0, 40), min_size=1, max_size=30, unique=True))


@given(st.lists(step, max_size=10))
@settings(max_examples=50, deadline=None)
def test_vectors_equal_what_was_put_after_any_changes(steps: list) -> None:
    db, cache = opened(), CodeCache()
    codes, truth = Codes(db, cache, dimension=16), {}
    monkey = module.BLOCK
    module.BLOCK = 8
    try:
        for seq, (what, numbers) in enumerate(steps):
            kinds = np.array([PASSAGE if n % 3 == 0 else NOTE for n in numbers])
            rows = vectors(len(numbers), seed=seq, dimension=16)
            if what == "add":
                codes.add(1, np.array(numbers), kinds, rows)
                truth |= dict(zip(numbers, rows, strict=True))
            else:
                codes.remove(1, np.array(numbers))
                for n in numbers:
                    truth.pop(n, None)
            keys = sorted(truth)
            live = np.array(keys, np.int64)
            assert codes.check(1, live, np.array([PASSAGE if n % 3 == 0 else NOTE for n in keys])) == []
            assert codes.held(1)[0].tolist() == keys
            query = vectors(1, seed=99, dimension=16)[0].astype(np.float32)
            numbers_found, scores, _ = codes.search(1, query, 5, [PASSAGE, NOTE], seq=seq)
            if keys:
                wanted = nearest_of(np.array([truth[key] for key in keys]), query, 5)[1]
                np.testing.assert_allclose(scores, wanted, atol=3e-6)
                np.testing.assert_allclose(codes.cosine(1, query, numbers_found), scores, atol=3e-6)
    finally:
        module.BLOCK = monkey
        db.close()


def test_token_codes_come_back_with_offsets(db: sqlite3.Connection) -> None:
    tokens = TokenCodes(db)
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 256, (5, 48), np.uint8), rng.integers(0, 256, (2, 48), np.uint8)
    tokens.add(1, np.array([0, 4, 6]), [one, two, one[:0]])
    offsets, codes = tokens.get(1, np.array([4, 3, 0, 6, 4]))
    assert offsets.tolist() == [0, 2, 2, 7, 7, 9]
    np.testing.assert_array_equal(codes, np.concatenate([two, one, two]))
    assert tokens.check(1, np.array([0, 4, 6])) == []
    assert tokens.check(1, np.array([0, 6]))
    tokens.remove(1, np.array([4]))
    assert tokens.get(1, np.array([4]))[0].tolist() == [0, 0]
    tokens.clear(1)
    assert tokens.get(1, np.array([0]))[1].shape == (0, 48)
