"""Extracted answers on LoCoMo's development half: how often "not in memory" is right, and how near the answers come.

A question of the adversarial kind asks about the wrong person and is to be refused. `overall` is the mean over all
questions of the answer's token F1, and of 1 for a question rightly refused: always refusing gets the share of
adversarial questions, never refusing the F1 of the rest.
"""

from __future__ import annotations

import json
import re
import string
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import graphmem
from graphmem.answer.evidence import evidence_for
from graphmem.answer.extract import answered, question_of
from graphmem.schema import PassageDraft, Recall, SourceDraft
from tests.bench import data
from tests.bench.table import Row

ADVERSARIAL = 5
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_MARKER = re.compile(r"\s*\[\d+\]")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`f1` is that of the answer given, 0 for a refusal; `guess_f1` that of the answer had it never been refused."""

    category: int
    refused: bool
    f1: float
    guess_f1: float
    seconds: float


def run(size: str) -> list[Row]:
    if not data.present():
        return [Row("answers", None, skipped=data.ABSENT)]
    paths = sorted((data.DATA / "locomo-dev").glob("*.json"))
    outcomes = [outcome for path in (paths if size == "full" else paths[:1]) for outcome in conversation(path)]
    return rows(outcomes)


def conversation(path: Path) -> list[Outcome]:
    """Every question of one conversation, asked of a memory that holds it alone."""
    task = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, graphmem.open(str(Path(folder) / "answers.db")) as memory:
        turns = [draft(turn) for turn in task["turns"]]
        memory.remember_many(turns, source=SourceDraft("conversation", path.stem), durable=False)
        return [asked(memory, question) for question in task["questions"]]


def draft(turn: dict[str, Any]) -> PassageDraft:
    from tests.bench.pipeline import microseconds

    caption = f" [shares a photo: {turn['caption']}]" if turn.get("caption") else ""
    return PassageDraft(
        turn["text"] + caption,
        turn["id"],
        turn["speaker"],
        microseconds(turn["timestamp"]),
        0,
        turn["session"],
    )


def asked(memory: graphmem.Memory, question: dict[str, Any]) -> Outcome:
    began = time.perf_counter()
    answer = memory.answer(question["text"])
    spent = time.perf_counter() - began
    category = int(question["category"])
    told = _MARKER.sub("", answer.text) if answer.found else ""
    right = "" if category == ADVERSARIAL else str(question["answer"])
    given = token_f1(told, right) if answer.found else 0.0
    return Outcome(category, not answer.found, given, token_f1(guess(answer.recall), right), spent)


def guess(recall: Recall) -> str:
    """The extracted text whether or not memory holds the answer: what never refusing would say."""
    question = question_of(recall)
    evidence = evidence_for(recall, question)
    return answered(question, evidence).text if evidence else ""


def rows(outcomes: list[Outcome]) -> list[Row]:
    adversarial = [one for one in outcomes if one.category == ADVERSARIAL]
    answerable = [one for one in outcomes if one.category != ADVERSARIAL]
    given = [one for one in answerable if not one.refused]
    overall = mean(float(one.refused) if one.category == ADVERSARIAL else one.f1 for one in outcomes)
    always = len(adversarial) / len(outcomes)
    return [
        Row("answers: overall score (floor: always refusing)", overall, "", round(always, 3)),
        Row("  never refusing", sum(one.guess_f1 for one in answerable) / len(outcomes)),
        Row('"not in memory", rightly (adversarial)', 100 * mean(one.refused for one in adversarial), "%"),
        Row('"not in memory", wrongly (answerable)', 100 * mean(one.refused for one in answerable), "%"),
        Row("token F1 of extracted answers, answerable, a refusal counts 0", mean(one.f1 for one in answerable)),
        Row("  of those answered", mean(one.f1 for one in given)),
        *(
            Row(f"  {name}", mean(one.f1 for one in answerable if one.category == category))
            for category, name in KINDS.items()
            if any(one.category == category for one in answerable)
        ),
        Row("answer p50 with recall and embedding", 1000 * median(one.seconds for one in outcomes), "ms"),
    ]


def token_f1(told: str, right: str) -> float:
    """F1 over the multiset of tokens, normalised as SQuAD does (Rajpurkar 2016): lower case, no punctuation, no
    articles."""
    a, b = tokens(told), tokens(right)
    if not a or not b:
        return float(a == b)
    shared = (Counter(a) & Counter(b)).total()
    return 2 * shared / (len(a) + len(b))


def tokens(text: str) -> list[str]:
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return _ARTICLE.sub(" ", bare).split()
