"""Fits two small models of `graphmem/standing` and writes them, or checks them hand by hand: whether a statement
replaces another, and whether a question asks for a value. `answers.py` fits the third."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from graphmem.standing.cues import WHOM, WIDTH
from graphmem.standing.model import FORMAT
from tests.organize.training.dialogues import Case, World, replacing_case, world
from tests.organize.training.phrases import HANDS, embedded, event_questions, phrases

RANK, HIDDEN, KINDS = 64, 32, 8
EPOCHS, RATE, DECAY, ROWS, DROP = 6, 2e-3, 0.05, 512, 0.4
COLUMNS = [column.name for column in fields(Case)]


class Network(nn.Module):
    """The same sums as `graphmem.standing.model.Model`, with dropout."""

    def __init__(self, basis: torch.Tensor) -> None:
        super().__init__()
        self.P, self.R = nn.Parameter(basis.clone()), nn.Parameter(basis.clone())
        self.st0, self.st1 = nn.Linear(RANK + WIDTH, HIDDEN), nn.Linear(HIDDEN, KINDS)
        self.qt = nn.Linear(RANK + WIDTH, KINDS)
        seen = 2 * RANK + 3 * KINDS + 2 * WHOM + 3
        self.o1, self.o2, self.lin = nn.Linear(seen, HIDDEN), nn.Linear(HIDDEN, 1), nn.Linear(seen, 1)
        self.drop, self.few = nn.Dropout(DROP), nn.Dropout(0.2)

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        asking, stated, whom, words, tokens, asking_words = batch[:6]
        a, b = self.drop(asking @ self.P), self.drop(stated @ self.R)
        state = self.st1(self.drop(functional.silu(self.st0(torch.cat([b, self.few(words)], 1)))))
        kind = self.qt(torch.cat([a, self.few(asking_words)], 1))
        cosine, tokens = (asking * stated).sum(1, keepdim=True), tokens[:, None]
        parts = [a * b, (a - b).abs() * 0.5, state, kind, state * kind, whom, whom * cosine * 3, cosine * 4]
        seen = torch.cat([*parts, tokens * 8, cosine * tokens * 16], 1)
        return (self.o2(self.drop(functional.silu(self.o1(seen)))) + self.lin(seen)).squeeze(1)


def columns(cases: Sequence[Case]) -> list[torch.Tensor]:
    return [
        torch.from_numpy(np.concatenate([getattr(case, name) for case in cases]).astype(np.float32)) for name in COLUMNS
    ]


def fitted(cases: Sequence[Case]) -> Network:
    """By AdamW on the cross entropy of single rows. Same cases, same weights."""
    torch.manual_seed(0)
    data = columns(cases)
    basis = torch.linalg.svd(data[1][::7] - data[1].mean(0), full_matrices=False).Vh[:RANK].T * 4
    network, count = Network(basis.contiguous()), len(data[0])
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-count // ROWS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.15)
    for _ in range(EPOCHS):
        for rows in torch.randperm(count).split(ROWS):
            loss = functional.binary_cross_entropy_with_logits(
                network([column[rows] for column in data]), data[6][rows]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def sure(network: Network, cases: Sequence[Case]) -> list[np.ndarray]:
    with torch.no_grad():
        found = torch.sigmoid(network(columns(cases))).numpy()
    return np.split(found, np.cumsum([len(case.label) for case in cases])[:-1])


def precision_and_recall(network: Network, cases: Sequence[Case], least: float) -> tuple[float, float]:
    found = np.concatenate(sure(network, cases)) >= least
    true = np.concatenate([case.label for case in cases]) > 0
    return float((found & true).sum() / max(1, found.sum())), float((found & true).sum() / true.sum())


def check(worlds: dict[tuple[str, ...], World], count: int) -> None:
    for hand in HANDS:
        network = fitted(made(worlds[tuple(one for one in HANDS if one != hand)], count))
        cases = made(worlds[hand,], 400, seed=2)
        for least in (0.5, 0.7, 0.9):
            precision, recall = precision_and_recall(network, cases, least)
            print(
                f"held out {hand}, from {least}: precision {100 * precision:.1f} recall {100 * recall:.1f}", flush=True
            )


def made(on: World, count: int, *, seed: int = 1) -> list[Case]:
    rng = random.Random(seed)
    return [replacing_case(on, rng) for _ in range(count)]


def fitted_asks(on: World) -> dict[str, np.ndarray]:
    """Logistic regression of questions for a value against questions about what happened, both weighing the same."""
    torch.manual_seed(0)
    asked = {one.asked for told in on.on.values() for key in ("question_now", "question_then") for one in told[key]}
    asked |= {one.text for told in on.on.values() for key in ("question_now", "question_then") for one in told[key]}
    about = {form for one in on.events for form in (one.text, one.asked)}
    forms = [*sorted(asked), *sorted(about)]
    rows = np.stack([np.concatenate([on.known.questions[form] * 8, on.known.words(form)]) for form in forms])
    data, label = torch.from_numpy(rows).float(), torch.tensor([1.0] * len(asked) + [0.0] * len(about))
    weight = torch.where(label > 0, 1.0, len(asked) / len(about))
    linear = nn.Linear(data.shape[1], 1)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=0.02, weight_decay=5.0)
    for _ in range(60):
        loss = functional.binary_cross_entropy_with_logits(linear(data)[:, 0], label, weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"w": linear.weight.detach().numpy()[0], "b": linear.bias.detach().numpy()}


def write(network: Network, path: Path) -> None:
    arrays = {"P": network.P, "R": network.R}
    for name in ("st0", "st1", "qt", "o1", "o2", "lin"):
        layer = getattr(network, name)
        told = f"st.{name[2]}" if name.startswith("st") else name
        arrays |= {f"{told}.w": layer.weight.T, f"{told}.b": layer.bias}
    stored = {key: value.detach().numpy().astype(np.float16) for key, value in arrays.items()}
    np.savez_compressed(path, format=np.int64(FORMAT), **stored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--count", type=int, default=4_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    told, events = phrases(), event_questions()
    known = embedded([*told, *events], given.cache)
    if given.check:
        apart = [tuple(one for one in HANDS if one != hand) for hand in HANDS] + [(hand,) for hand in HANDS]
        check({hands: world(told, hands, known, events) for hands in apart}, given.count)
    if given.out is not None:
        on = world(told, HANDS, known, events)
        np.savez_compressed(given.out / "asks.npz", format=np.int64(FORMAT), **fitted_asks(on))
        write(fitted(made(on, given.count)), given.out / "replaces.npz")


if __name__ == "__main__":
    main()
