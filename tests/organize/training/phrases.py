"""The hands' phrases, filled with values and names, and embedded."""

from __future__ import annotations

import json
import pickle
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphmem.embed import default_embedder
from graphmem.recall.understand import Name, spoken_by_me
from graphmem.standing.cues import words_of

HERE = Path(__file__).parent
HANDS = ("one", "two", "three")
FILLS = 4
KEYS = (
    "initial", "initial_third", "update", "update_third", "not_update", "same_other", "near",
    "question_now", "question_then",
)  # fmt: skip
#: Values of these only rise: the earlier one stands earlier in the list.
RISING = ("five_k_best", "kitchen_progress")
NAMES = (
    "Ada Bruno Clara Dmitri Elif Farid Greta Hugo Imke Jorge Kaito Lena Milo Nadia Otto Priya Quentin Rosa Stefan "
    "Tamar Umut Vera Wesley Ximena Yara Zoltan Alice Ben Carmen Derek Emma Felix Gina Harriet Ian Julia Kofi Laura "
    "Marcus Nora Oliver Paula Ravi Sofia Theo Ursula Victor Wendy Yusuf Zoe"
).split()
TIMES = (
    "in May 2023", "in January 2024", "in October 2022", "in August 2023", "back in March 2024",
    "in the summer of 2023", "in November 2023", "last spring", "at the beginning of June 2023", "on 14 July 2023",
)  # fmt: skip

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A filled line. `asked` is a question as the one asked about would put it, "" for statements."""

    slot: str
    fill: int
    key: str
    text: str
    person: str
    asked: str = ""


def phrases() -> list[Phrase]:
    """Every line FILLS times, each time with one person and one other for the whole matter."""
    rng, found = random.Random(7), []
    for hand in HANDS:
        for line in (HERE / f"{hand}.jsonl").read_text(encoding="utf-8").splitlines():
            slot = json.loads(line)
            for fill in range(FILLS):
                found += filled(f"{hand}:{slot['slot']}", slot, fill, rng)
    return found


def event_questions() -> list[Phrase]:
    """Questions about what happened and what somebody is like: no stated value answers them."""
    rng, found = random.Random(8), []
    for line in (HERE / "events.txt").read_text(encoding="utf-8").splitlines():
        person = rng.choice(NAMES)
        text = line.replace("{p}", person)
        found.append(Phrase("", 0, "question_event", text, person, asked_form(text, person)))
    return found


def filled(name: str, slot: dict[str, list[str]], fill: int, rng: random.Random) -> list[Phrase]:
    person, other, _ = rng.sample(NAMES, 3)
    found = []
    for key in KEYS:
        for line in slot[key]:
            value, old = rng.sample(slot["values"], 2)
            if str(slot["slot"]) in RISING:
                old, value = sorted((value, old), key=slot["values"].index)
            parts = {"v": value, "old": old, "p": person, "o": other, "t": rng.choice(TIMES)}
            text = with_parts(line, parts)
            asked = asked_form(text, person) if key.startswith("question") else ""
            found.append(Phrase(name, fill, key, text, person, asked))
    return found


def with_parts(line: str, parts: dict[str, str]) -> str:
    opens = line[:1].isupper() or line.startswith("{")
    for name, value in parts.items():
        line = line.replace(f"{{{name}}}", value)
    return line[:1].upper() + line[1:] if opens else line


def asked_form(text: str, *people: str) -> str:
    """The question as those of the people whom it names would put it."""
    names = [
        Name(match.start(), match.end(), person.lower(), 1, True)
        for person in people
        for match in re.finditer(rf"\b{re.escape(person)}\b", text)
    ]
    return spoken_by_me(text, tuple(names))


@dataclass(frozen=True, slots=True)
class Known:
    """Everything embedded: rows of statements, and questions by their text."""

    row: dict[str, int]
    vectors: Floats
    questions: dict[str, Floats]

    def words(self, text: str) -> Floats:
        return words_of(text)


def embedded(all_phrases: list[Phrase], cache: Path | None) -> Known:
    if cache is not None and cache.exists():
        return Known(*pickle.loads(cache.read_bytes()))
    embedder = default_embedder()
    texts = list(dict.fromkeys(phrase.text for phrase in all_phrases))
    vectors = embedder.texts(texts).vectors
    forms = {form for phrase in all_phrases if phrase.asked for form in (phrase.text, phrase.asked)}
    questions = {form: embedder.query(form).vector for form in sorted(forms)}
    parts = ({text: row for row, text in enumerate(texts)}, vectors.astype(np.float32), questions)
    if cache is not None:
        cache.write_bytes(pickle.dumps(parts))
    return Known(*parts)
