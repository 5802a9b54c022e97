"""Fits the model that says whether a statement states what is asked (`graphmem/standing/reading.py`), and writes it.

A question meets what a search would find for it: statements of its matter, remarks about the matter that state
nothing, the same of somebody else, neighbouring matters, small talk: the hands' phrases with values and names put in,
and the turns of whole conversations.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from graphmem.embed.weights import minilm_folder
from graphmem.recall.gather import sign_cosines
from graphmem.standing.cues import WHOM, asked_words, whom_of
from graphmem.standing.model import FORMAT
from graphmem.standing.reading import ASKED, ASKED_SCALE, HEADS, SAID, SAID_SCALE
from tests.organize.training.phrases import HERE, KEYS, NAMES, asked_form, with_parts

HANDS = ("one", "two", "three", "four", "five", "six", "seven")
TALKS = ("a", "b", "c")
WIDTH, LAYERS = 96, 2
EPOCHS, RATE, DECAY, ROWS = 1, 1e-3, 0.05, 64
#: Dropout; share of tokens of a statement, and of a question, that are hidden.
DROP, HIDDEN, HIDDEN_ASKED = 0.3, 0.2, 0.1
FILLS, ROUNDS = 3, 3
MONTHS = (
    "January February March April May June July August September October November December"
).split()  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    by_asked: bool | None  # whether the one asked about says it; None: nobody is asked about
    text: str
    states: bool


@dataclass(frozen=True, slots=True)
class Case:
    """`form`: the question as it is embedded, so with I for whoever is asked about and speaks."""

    form: str
    named: frozenset[str]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Row:
    form: str
    text: str
    whom: np.ndarray
    cosine: float
    tokens: float
    states: bool


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text's unit vector, its tokens as unit rows, and their signs."""

    vector: np.ndarray
    tokens: np.ndarray
    signs: np.ndarray


def when(rng: random.Random) -> str:
    month, year, day = rng.choice(MONTHS), rng.randint(2021, 2025), rng.randint(1, 28)
    forms = (
        "in {m} {y}|in {m} {y}|back in {m} {y}|on {d} {m} {y}|as of {d} {m} {y}|in {m}|on {m} {d}, {y}|"
        "at the end of {m} {y}|last {m}|in the summer of {y}|at the start of {y}|in {y}|on {d} {m}|"
        "in early {m} {y}|by {m} {y}"
    ).split("|")  # fmt: skip
    return rng.choice(forms).format(m=month, y=year, d=day)


def filled(slot: dict[str, list[str]], rng: random.Random) -> tuple[str, dict[str, list[str]]]:
    """The person asked about, and every phrase of a matter with values, times and names in it."""
    person, other = rng.sample(NAMES, 2)
    told: dict[str, list[str]] = {}
    for key in KEYS:
        told[key] = []
        for line in slot[key]:
            value, old = rng.sample(slot["values"], 2)
            told[key].append(with_parts(line, {"v": value, "old": old, "p": person, "o": other, "t": when(rng)}))
    return person, told


def matters(hand: str, small_talk: Sequence[str], seed: int) -> Iterator[Case]:
    """Each question of each matter ROUNDS times; in a quarter the one asked about never speaks."""
    rng = random.Random(f"{hand}{seed}")
    slots = [json.loads(line) for line in (HERE / f"{hand}.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [[filled(slot, rng) for _ in range(FILLS)] for slot in slots]
    for place in range(len(slots)):
        for _ in range(ROUNDS):
            for key, count in (("question_now", 6), ("question_then", 3)):
                for which in range(count):
                    person, mine = rng.choice(told[place])
                    away = told[rng.choice([one for one in range(len(slots)) if one != place])][0][1]
                    yield met(mine[key][which], person, mine, away, small_talk, rng)


def met(  # noqa: PLR0917
    question: str, person: str, mine: dict[str, list[str]], away: dict[str, list[str]], small_talk: Sequence[str],
    rng: random.Random,
) -> Case:  # fmt: skip
    speaks = rng.random() < 0.75
    if speaks:
        states = [(True, one) for one in (*rng.sample(mine["initial"], 1), *rng.sample(mine["update"], 3))]
        states += [(False, rng.choice(mine["initial_third"] + mine["update_third"]))]
    else:
        thirds = (*rng.sample(mine["initial_third"], 1), *rng.sample(mine["update_third"], 3))
        states = [(False, one) for one in thirds]
    lines = [Line(by, text, True) for by, text in states]
    for some, count, by_asked in (
        (mine["not_update"], 4, 0.67), (mine["same_other"], 2, 0.5), (mine["near"], 3, 1.0),
        (mine["initial"] + mine["update"], 2, 0.0), (small_talk, 3, 0.6),
        (away["initial"] + away["update"] + away["near"], 2, 1.0),
    ):  # fmt: skip
        lines += [Line(rng.random() < by_asked, text, False) for text in rng.sample(some, count)]
    named = frozenset([person.lower()]) | asked_words(question)
    return Case(asked_form(question, person) if speaks else question, named, tuple(lines))


def talks() -> list[dict[str, Any]]:
    """Whole conversations: turns, and questions with the turns that state what is asked."""
    files = [HERE / f"talk_{name}.jsonl" for name in TALKS]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def asked_in(talk: dict[str, Any], known: dict[str, Embedded], rng: random.Random) -> Iterator[Case]:
    """Each question against the twelve nearest turns, three others, and all that state what is asked."""
    turns = talk["turns"]
    vectors = np.stack([known[turn["text"]].vector for turn in turns])
    for question in talk["questions"]:
        named = asked_words(question["text"])
        people = [one for one in talk["people"] if one.lower() in named]
        order = np.argsort(-(vectors @ known[question["text"]].vector)).tolist()
        states = {row for row, turn in enumerate(turns) if turn["id"] in question["states"]}
        lines = [
            Line(
                turns[row]["speaker"] in people if people else (False if named else None),
                turns[row]["text"],
                row in states,
            )
            for row in sorted({*order[:12], *rng.sample(order[12:], 3), *states})
        ]
        yield Case(asked_form(question["text"], *people), named, tuple(lines))


def embedded(texts: Sequence[str]) -> dict[str, Embedded]:
    """By the bundled embedder's weights, in half precision: many texts a second."""
    from transformers import AutoTokenizer, BertModel

    folder = str(minilm_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    each = [(text, tokenizer(text, truncation=True, max_length=64)["input_ids"]) for text in dict.fromkeys(texts)]
    each.sort(key=lambda one: len(one[1]))
    found = {}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(each), 128):
            batch = each[start : start + 128]
            longest = len(batch[-1][1])
            ids = torch.tensor([one + [0] * (longest - len(one)) for _, one in batch])
            mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for _, one in batch])
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float().numpy()
            for (text, one), state in zip(batch, states, strict=True):
                vector, tokens = state[: len(one)].mean(0), state[1 : len(one) - 1]
                unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
                signs = np.packbits(tokens > 0, axis=-1)[:SAID]
                found[text] = Embedded(vector / np.linalg.norm(vector), unit[:ASKED].astype(np.float16), signs)
    return found


def rows_of(cases: Sequence[Case], known: dict[str, Embedded]) -> list[Row]:
    rows = []
    for case in cases:
        asked = known[case.form]
        for line in case.lines:
            said = known[line.text]
            late = float(sign_cosines(said.signs, asked.tokens).max(0).mean()) if len(said.signs) else 0.0
            whom = whom_of(line.text, case.named, line.by_asked)
            rows.append(Row(case.form, line.text, whom, float(said.vector @ asked.vector), late, line.states))
    return rows


class Network(nn.Module):
    """The same sums as `graphmem.standing.reading.Reading`, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.qp, self.tp, self.cls = nn.Linear(384, WIDTH), nn.Linear(384, WIDTH), nn.Linear(WHOM + 2, WIDTH)
        self.kinds = nn.Parameter(torch.zeros(3, WIDTH))
        self.pos = nn.Parameter(torch.randn(64, WIDTH) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, DROP, functional.silu, batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.norm, self.out, self.lin = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1), nn.Linear(2 * WHOM + 3, 1)
        self.drop = nn.Dropout(DROP)

    def forward(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        asked, no_asked, said, no_said, whom, cosine, late = batch
        first = self.cls(torch.cat([whom, cosine * 4, late * 8], 1)) + self.kinds[0]
        question = self.drop(self.qp(asked)) + self.kinds[1] + self.pos[: asked.shape[1]]
        statement = self.drop(self.tp(said)) + self.kinds[2] + self.pos[: said.shape[1]]
        x = torch.cat([first[:, None], question, statement], 1)
        absent = torch.cat([torch.zeros(len(x), 1, dtype=torch.bool), no_asked, no_said], 1)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=absent)
        linear = torch.cat([whom, whom * cosine * 3, cosine * 4, late * 8, cosine * late * 16], 1)
        return (self.out(self.norm(x[:, 0])) + self.lin(linear)).squeeze(1)


def batch_of(rows: Sequence[Row], known: dict[str, Embedded], *, hide: bool) -> list[torch.Tensor]:
    asked, no_asked = padded([known[row.form].tokens.astype(np.float32) * ASKED_SCALE for row in rows])
    signs = [np.unpackbits(known[row.text].signs, axis=-1).astype(np.float32) for row in rows]
    said, no_said = padded([one * (2 * SAID_SCALE) - SAID_SCALE for one in signs])
    if hide:
        no_asked |= torch.rand(no_asked.shape) < HIDDEN_ASKED
        no_said |= torch.rand(no_said.shape) < HIDDEN
    whom = torch.from_numpy(np.stack([row.whom for row in rows]))
    cosine, late = torch.tensor([[row.cosine] for row in rows]), torch.tensor([[row.tokens] for row in rows])
    return [asked, no_asked, said, no_said, whom, cosine, late]


def padded(each: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(1, *map(len, each))
    values, absent = np.zeros((len(each), longest, 384), np.float32), np.ones((len(each), longest), bool)
    for row, one in enumerate(each):
        values[row, : len(one)], absent[row, : len(one)] = one, False
    return torch.from_numpy(values), torch.from_numpy(absent)


def fitted(rows: Sequence[Row], known: dict[str, Embedded]) -> Network:
    """By AdamW on the cross entropy of single rows; what is returned is the running mean of the weights."""
    torch.manual_seed(0)
    rng, network = random.Random(0), Network()
    mean = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * math.ceil(len(rows) / ROWS)
    step = 0
    for _ in range(EPOCHS):
        for some in batches(rows, known, rng):
            pace = min(1.0, (step + 1) / (0.08 * steps)) * (0.02 + 0.98 * (1 - step / steps))
            for group in optimizer.param_groups:
                group["lr"] = RATE * pace
            label = torch.tensor([float(row.states) for row in some])
            loss = functional.binary_cross_entropy_with_logits(network(batch_of(some, known, hide=True)), label)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            step += 1
            keep = min(0.999, (step + 1) / (step + 10))
            with torch.no_grad():
                for old, new in zip(mean.parameters(), network.parameters(), strict=True):
                    old.mul_(keep).add_(new, alpha=1 - keep)
            if step % 200 == 0:
                print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    return mean.eval()


def batches(rows: Sequence[Row], known: dict[str, Embedded], rng: random.Random) -> Iterator[list[Row]]:
    """Of like length, so that little is padding."""
    order = list(rows)
    rng.shuffle(order)
    chunks = [
        sorted(order[at : at + 20 * ROWS], key=lambda row: len(known[row.text].signs))
        for at in range(0, len(order), 20 * ROWS)
    ]
    found = [chunk[at : at + ROWS] for chunk in chunks for at in range(0, len(chunk), ROWS)]
    rng.shuffle(found)
    yield from found


def average_precision(network: Network, rows: Sequence[Row], known: dict[str, Embedded]) -> float:
    found = []
    with torch.no_grad():
        for at in range(0, len(rows), 256):
            found += network(batch_of(rows[at : at + 256], known, hide=False)).tolist()
    states = np.array([row.states for row in rows])[np.argsort(-np.array(found))]
    return float((np.cumsum(states) / np.arange(1, len(states) + 1))[states].mean())


def made(hands: Sequence[str], chosen: Sequence[dict[str, Any]], known: dict[str, Embedded]) -> list[Row]:
    """Rows of these hands and conversations; of the latter twice, each time with other far turns. Adds to `known`."""
    small_talk = [turn["text"] for talk in talks() for turn in talk["turns"]]
    cases = [case for hand in hands for case in matters(hand, small_talk, 1)]
    plain = [turn["text"] for talk in chosen for turn in talk["turns"]]
    plain += [question["text"] for talk in chosen for question in talk["questions"]]
    learn(plain, known)
    cases += [case for seed in (1, 2) for talk in chosen for case in asked_in(talk, known, random.Random(seed))]
    learn([text for case in cases for text in (case.form, *(line.text for line in case.lines))], known)
    return rows_of(cases, known)


def learn(texts: Sequence[str], known: dict[str, Embedded]) -> None:
    known.update(embedded([text for text in texts if text not in known]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="the file to write")
    parser.add_argument("--without", help="a hand to leave out, which is then scored")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    known: dict[str, Embedded] = {}
    network = fitted(made([one for one in HANDS if one != given.without], talks(), known), known)
    if given.without:
        rows = made([given.without], [], known)
        print(f"average precision on {given.without}: {100 * average_precision(network, rows, known):.1f} %")
    if given.out is not None:
        stored = {name: value.detach().numpy().astype(np.float16) for name, value in network.state_dict().items()}
        np.savez_compressed(given.out, format=np.int64(FORMAT), **stored)


if __name__ == "__main__":
    main()
