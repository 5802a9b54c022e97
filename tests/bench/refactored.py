"""SmolLM2 made a Mixture of Experts: perplexity beside the dense model's, on text that no calibration has seen.

Talk and documents each in several kinds: the sample written for this project, READMEs of installed packages, and where
the benchmark data is, LoCoMo's dialogues and 2Wiki's paragraphs. The floor is that of the issue, for all of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.resources import files
from pathlib import Path
from typing import Any

from graphmem.api.engines import convert, converted_folders
from graphmem.api.models import model_file
from tests.bench import data
from tests.bench.table import Row

FLOOR = 1.35
ROWS, LENGTH = 8, 512
PACKAGES = 12


def run(size: str) -> list[Row]:
    """quick measures what is converted already; full converts when need be (some minutes)."""
    file = model_file("smollm2")
    if file is None:
        return [Row("refactored", None, skipped="smollm2 is not fetched (graphmem models fetch smollm2)")]
    folder = converted_folders()[0]
    if size == "quick" and not (folder / "checkpoint").is_dir():
        return [Row("refactored", None, skipped="smollm2 is not converted (graphmem moe refactorize smollm2)")]
    folder, report = convert(quick=False, threads=2, tick=lambda *_: None)
    seconds = sum(report["seconds"].values())
    return [
        Row("refactored: active share", report["active_share"]),
        Row("refactored: conversion", seconds, "s", 600, at_most=True),
        Row("refactored: conversion, processor time", report.get("cpu_seconds"), "s"),
        *perplexities(file, folder / "checkpoint"),
    ]


def perplexities(gguf: Path, checkpoint: Path) -> Iterator[Row]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from graphmem.moe_runtime.refactor.dequantize import gguf_to_folder
    from graphmem.moe_runtime.refactor.model import register
    from graphmem.moe_runtime.refactor.perplexity import perplexity
    from graphmem.moe_runtime.refactor.text import rows_of

    register()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        gguf_to_folder(gguf, Path(folder))
        dense: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    made: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    for name, texts in held_out().items():
        rows = rows_of(tokenizer, texts, LENGTH)[:ROWS]
        before, after = perplexity(dense, rows), perplexity(made, rows)
        yield Row(f"refactored: perplexity, {name}, dense", before)
        yield Row(f"refactored: perplexity, {name}, of dense", after / before, "times", FLOOR, at_most=True)


def held_out() -> dict[str, list[str]]:
    sample = Path(str(files("graphmem.api") / "sample"))
    turns = [json.loads(line) for line in (sample / "three-friends.jsonl").read_text(encoding="utf-8").splitlines()]
    found = {
        "talk (sample)": [spoken(turns)],
        "documents (READMEs)": readmes(),
    }
    if data.present():
        talks = [json.loads((data.DATA / "locomo-dev" / f"{name}.json").read_text("utf-8")) for name in (42, 43)]
        found["talk (LoCoMo)"] = [spoken(talk["turns"])[:9000] for talk in talks]
        wiki = json.loads((data.DATA / "2wiki-dev" / "2wiki.json").read_text("utf-8"))
        found["documents (2Wiki)"] = [f"{one['title']}\n{one['text']}\n" for one in wiki["passages"][:60]]
    return found


def spoken(turns: list[dict[str, Any]]) -> str:
    return "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in turns if turn.get("text"))


def readmes() -> list[str]:
    """Of the installed packages with a long one, the first by name."""
    long = {}
    for one in distributions():
        told = one.metadata.get_payload()
        if isinstance(told, str) and len(told) > 4000:
            long[one.name.lower()] = told[:4000]
    return [text for _, text in sorted(long.items())[:PACKAGES]]
