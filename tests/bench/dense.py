"""Vector search of the store against exact float32, on 100,000 real texts: the sentences of the development data, their
clauses, and runs of neighbouring sentences until there are enough. Their vectors are cached in build/."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphmem.embed import default_embedder
from graphmem.schema import Batch, NodeKind, Note, NoteKind, Passage, Source, Span, note_id, passage_id, source_id
from graphmem.stores.sqlite import SqliteStore
from tests.bench import data
from tests.bench.table import Row

SIZES = {"quick": 0, "full": 100_000, "million": 100_000}
QUERIES = 300
_CUT = re.compile(r"(?<=[.!?])\s+")
_CLAUSE = re.compile(r"(?<=[,;:])\s+|\s+(?=and |but |because |when |which |who )")


def run(size: str) -> list[Row]:
    name = "dense recall@10 against exact, 100,000 real sentences"
    if not data.present():
        return [Row(name, None, skipped=data.ABSENT)]
    if not SIZES[size]:
        return [Row(name, None, skipped="SIZE=full embeds 100,000 sentences")]
    texts, questions = real_texts(SIZES[size])
    vectors = cached_vectors(texts, data.BUILD / f"dense-{len(texts)}.npy")
    queries = np.stack([default_embedder().query(question).vector for question in questions[:QUERIES]])
    with tempfile.TemporaryDirectory() as folder:
        share, worst = recall_at_ten(Path(folder) / "dense.db", texts, vectors, queries)
    return [Row(name, share, "", 0.99), Row("  its worst question", worst, ""), Row("  sentences", len(texts), "")]


def real_texts(count: int) -> tuple[list[str], list[str]]:
    """Distinct texts, in the order of the data, and the questions that are asked of it."""
    units: list[list[str]] = []
    questions: list[str] = []
    for path in sorted(data.DATA.glob("*-dev/*.json")):
        task = json.loads(path.read_text(encoding="utf-8"))
        units += [_CUT.split(unit["text"]) for unit in task.get("turns", []) + task.get("passages", [])]
        questions += [question["text"] for question in task["questions"]]
    order = np.random.default_rng(3).permutation(len(questions))
    found = dict.fromkeys(text for text in _runs(units) if 20 < len(text) < 500)
    return list(found)[:count], [questions[index] for index in order]


def _runs(units: list[list[str]]) -> Iterator[str]:
    for sentences in units:
        yield from sentences
    for sentences in units:
        for sentence in sentences:
            yield from _CLAUSE.split(sentence)
    for length in (2, 3, 4, 5):
        for sentences in units:
            for start in range(len(sentences) - length + 1):
                yield " ".join(sentences[start : start + length])


def cached_vectors(texts: list[str], path: Path) -> npt.NDArray[np.float32]:
    if path.exists():
        return np.asarray(np.load(path), np.float32)
    vectors = default_embedder().texts(texts).vectors
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors)
    return vectors.astype(np.float32)


def recall_at_ten(
    path: Path, texts: list[str], vectors: npt.NDArray[np.float32], queries: npt.NDArray[np.float32]
) -> tuple[float, float]:
    """Mean and worst share of the true ten nearest that the store's search returns. Texts with equal vectors tie:
    any of them counts."""
    store = SqliteStore(path)
    space = store.space("default")
    source = Source(source_id(space.key, "document", "real", 0), "document", "real")
    ids: list[str] = []
    for start in range(0, len(texts), 2_000):
        nodes: list[Passage | Note] = []
        for ordinal, text in enumerate(texts[start : start + 2_000], start):
            passage = Passage(passage_id(space.key, source.id, None, ordinal, text), source.id, None, ordinal, text)
            span = Span(passage.id, 0, len(text), text)
            note = Note(note_id(space.key, "fact", [(passage.id, 0, len(text))]), NoteKind.FACT, text, (span,))
            nodes += [passage, note]
        notes = tuple(node.id for node in nodes if isinstance(node, Note))
        ids += notes
        part = vectors[start : start + len(notes)].astype(np.float16)
        store.write(space, Batch(nodes=(source, *nodes), vector_ids=notes, vectors=part, durable=False))
    with store.reader(space) as reader:
        row_of = {number: row for row, number in enumerate(reader.numbers(ids).tolist())}
        shares = []
        for query in queries:
            exact = vectors @ query
            tenth = np.sort(exact)[-10]
            found = reader.dense(query, 10, [NodeKind.NOTE]).numbers.tolist()
            # float16 rounding moves a cosine by up to 2e-4: what is that near the tenth is as good as the tenth
            shares.append(sum(exact[row_of[number]] >= tenth - 2e-4 for number in found) / 10)
    store.close()
    return float(np.mean(shares)), float(np.min(shares))
