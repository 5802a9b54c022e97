"""The whole way in and the cold way out: ingest against embedding alone, a cold `graphmem recall`, erasure."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import graphmem
from graphmem.embed import default_embedder
from graphmem.schema import NodeKind, PassageDraft, SourceDraft
from tests.bench import data
from tests.bench.table import Row


def run(size: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        rows = ingest_ratio(Path(folder), rounds=3 if size == "full" else 1)
        rows += cold_recall(Path(folder))
        rows += canaries(Path(folder))
    return rows


def conversation() -> tuple[str, list[PassageDraft]]:
    """A LoCoMo conversation when there is one, else the bundled sample ten times over."""
    if data.present():
        task = json.loads(min((data.DATA / "locomo-dev").glob("*.json")).read_text(encoding="utf-8"))
        return "a LoCoMo conversation", [
            PassageDraft(
                text=turn["text"] + (f" [shares a photo: {turn['caption']}]" if turn.get("caption") else ""),
                ref=turn["id"],
                speaker=turn["speaker"],
                at_us=microseconds(turn["timestamp"]),
                section=turn["session"],
            )
            for turn in task["turns"]
        ]
    from graphmem.ingest.readers import read_path

    sample = data.PROJECT / "api" / "sample"
    turns = [draft for path in sorted(sample.rglob("*.jsonl")) for _, drafts in read_path(path) for draft in drafts]
    return "the sample dialogue, ten times", [
        PassageDraft(f"{draft.text} ({number})", None, draft.speaker, draft.at_us, section=f"{draft.section}-{number}")
        for number in range(10)
        for draft in turns
    ]


def microseconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).replace(tzinfo=timezone.utc).timestamp() * 1_000_000)


def ingest_ratio(folder: Path, rounds: int) -> list[Row]:
    """Whole pipeline against embedding the same texts, notes included, in one call of sentence-transformers."""
    name, turns = conversation()
    embedder = default_embedder()
    embedder.texts(["warm up the model with more than a few texts"] * 8)
    reference = _reference_encoder()
    ratios, over_turns, speeds = [], [], []
    for attempt in range(rounds):
        began = time.perf_counter()
        with graphmem.open(str(folder / f"ingest-{attempt}.db"), embedder=embedder) as memory:
            memory.remember_many(turns, source=SourceDraft("conversation", "bench", digest="0" * 64))
            spent = time.perf_counter() - began
            texts = _all_texts(memory)
        began = time.perf_counter()
        reference(texts)
        all_at_once = time.perf_counter() - began
        began = time.perf_counter()
        reference([turn.text for turn in turns])
        turns_alone = time.perf_counter() - began
        ratios.append(spent / all_at_once)
        over_turns.append(spent / turns_alone)
        speeds.append(len(turns) / spent)
    return [
        Row(f"ingest of {name} / embedding all its texts in one call", median(ratios), "x", 1.3, True),
        Row("  / embedding its turns alone", median(over_turns), "x", 3, True),
        Row("  turns a second", median(speeds), "turns/s"),
    ]


def _reference_encoder():  # type: ignore[no-untyped-def]
    from sentence_transformers import SentenceTransformer

    from graphmem.embed import minilm_folder

    model = SentenceTransformer(str(minilm_folder()), device="cpu")
    return lambda texts: model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)


def _all_texts(memory: graphmem.Memory) -> list[str]:
    """Every text that has a vector: passages and notes."""
    with memory.reader() as reader:
        texts = []
        for kind in (NodeKind.PASSAGE, NodeKind.NOTE):
            texts += [node.text for node in reader.page(kind, limit=1_000_000)]  # type: ignore[union-attr]
    return texts


def cold_recall(folder: Path) -> list[Row]:
    path = folder / "cold.db"
    with graphmem.open(str(path)) as memory:
        for number in range(20):
            memory.remember(f"The lamp number {number} in the hall is green.", speaker="Ada")
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "graphmem.api.cli", "recall", "What colour is the lamp?", "--store", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        spent.append(time.perf_counter() - began)
    return [Row("cold `graphmem recall` on an existing store", median(spent), "s", 1.5, True)]


def canaries(folder: Path) -> list[Row]:
    """Strings that must be gone from the raw bytes of every file after `forget`."""
    path = folder / "canary" / "store.db"
    path.parent.mkdir()
    words = ["Zyqqoria", "quvvexil", "Brontwick"]
    with graphmem.open(str(path)) as memory:
        memory.remember("The garden gate is blue.", speaker="Ada")
        said = memory.remember(
            f"My locker code {words[1]} is kept by {words[0]} in {words[2]} since yesterday.", speaker=words[0]
        )
        memory.forget(*said.passage_ids)
        left = sum(_count(file, word) for file in path.parent.iterdir() for word in words)
        found = bool(memory.recall("What colour is the gate?").passages)
    left += sum(_count(file, word) for file in path.parent.iterdir() for word in words)
    return [
        Row("canary strings in the store's raw bytes after forget", left, "", 0, True),
        Row("  and the rest is still found", float(found), "", 1),
    ]


def _count(file: Path, word: str) -> int:
    raw = file.read_bytes()
    return sum(raw.count(form.encode(code)) for form in {word, word.lower()} for code in ("utf-8", "utf-16-le"))
