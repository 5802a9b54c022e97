"""Dialogues composed of the phrases: a question or a statement, and the statements that were made before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphmem.standing.cues import asked_words, whom_of
from tests.organize.training.phrases import Known, Phrase

Floats = npt.NDArray[np.float32]
Shelf = dict[tuple[str, int], dict[str, list[Phrase]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One turn: whether the one asked about says it (None: nobody is asked about), and whether it states a value."""

    phrase: Phrase
    by_asked: bool | None
    states: bool


@dataclass(frozen=True, slots=True)
class Case:
    """What one asking text meets: arrays of n rows, in the order of time.."""

    vector: Floats
    vectors: Floats
    whom: Floats
    words: Floats
    tokens: Floats
    asking_words: Floats
    label: Floats


def shelf(phrases: Sequence[Phrase]) -> Shelf:
    found: Shelf = {}
    for phrase in phrases:
        found.setdefault((phrase.slot, phrase.fill), {}).setdefault(phrase.key, []).append(phrase)
    return found


@dataclass(frozen=True, slots=True)
class World:
    """Phrases of some matters, what is known of them, and the statements of each as rows to choose like ones from."""

    on: Shelf
    slots: tuple[str, ...]
    known: Known
    events: tuple[Phrase, ...]
    statements: tuple[Phrase, ...]
    vectors: Floats
    slot_of: npt.NDArray[np.int64]
    alike: npt.NDArray[np.bool_]  # (slots, slots): the same matter by another hand


#: Mean questions of two matters closer than this ask for the same thing.
SAME_MATTER = 0.6
NEAREST, LIKE = 150, 8


def world(phrases: Sequence[Phrase], hands: Sequence[str], known: Known, events: Sequence[Phrase]) -> World:
    on = shelf([phrase for phrase in phrases if phrase.slot.split(":")[0] in hands])
    slots = tuple(sorted({slot for slot, _ in on}))
    states = [
        one for told in on.values() for key, some in told.items() if not key.startswith("question") for one in some
    ]
    asked = [[known.questions[one.asked] for one in on[slot, 0]["question_now"]] for slot in slots]
    means = np.stack([np.mean(one, 0) for one in asked])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    place = {slot: row for row, slot in enumerate(slots)}
    vectors = known.vectors[[known.row[one.text] for one in states]]
    slot_of = np.array([place[one.slot] for one in states])
    return World(on, slots, known, tuple(events), tuple(states), vectors, slot_of, means @ means.T > SAME_MATTER)


def like(world: World, vector: Floats, slot: str, count: int, rng: random.Random) -> list[Phrase]:
    """Statements of other matters that a search would find for this vector."""
    cosine = world.vectors @ vector
    cosine[world.alike[world.slots.index(slot)][world.slot_of]] = -1
    nearest = np.argpartition(-cosine, NEAREST)[:NEAREST].tolist()
    return [world.statements[row] for row in rng.sample(nearest, count)]


def dialogue(world: World, rng: random.Random) -> tuple[Phrase, str, list[Line]]:
    """A question, the form in which it is embedded, and turns in the order of time."""
    on, slots = world.on, world.slots
    slot, fill = rng.choice(slots), rng.randrange(4)
    told = on[slot, fill]
    mode = rng.choices(("speaks", "is told of", "nobody"), (0.6, 0.25, 0.15))[0]
    question = rng.choice([*told["question_now"], told["question_then"][0]])
    mine, theirs = {"speaks": (True, False), "is told of": (False, False), "nobody": (None, None)}[mode]
    lines = [Line(one, theirs if one.key.endswith("third") else mine, True) for one in values(told, mode, rng)]
    others = [Line(one, rng.choice((mine, mine, theirs)), False) for one in rng.sample(told["not_update"], 3)]
    others += [Line(one, rng.choice((mine, theirs)), False) for one in rng.sample(told["same_other"], 2)]
    others += [Line(one, mine, False) for one in rng.sample(told["near"], 2)]
    if mode != "nobody":
        others += [Line(one, False, False) for one in rng.sample(told["initial"] + told["update"], 2)]
    form = question.text if mode == "is told of" else question.asked
    near = like(world, world.known.questions[form], slot, LIKE, rng) if rng.random() < 0.6 else []
    others += [Line(one, rng.choice((mine, mine, theirs)), False) for one in near]
    for _ in range(3):
        away = on[rng.choice([one for one in slots if one != slot]), fill]
        some = rng.choice(away["initial"] + away["update"] + away["near"] + away["not_update"])
        others.append(Line(some, rng.choice((mine, theirs)), False))
    return question, form, mixed(lines, others, rng)


def values(told: dict[str, list[Phrase]], mode: str, rng: random.Random) -> list[Phrase]:
    """A first value and one to three later ones."""
    later = rng.randint(1, 3)
    if mode == "is told of":
        return [rng.choice(told["initial_third"]), *rng.sample(told["update_third"], later)]
    first = told["initial"] if rng.random() < 0.8 else told["initial_third"]
    return [
        rng.choice(first),
        *rng.sample(told["update"] + (told["update_third"] if rng.random() < 0.5 else []), later),
    ]


def mixed(lines: list[Line], others: list[Line], rng: random.Random) -> list[Line]:
    """The values in their order, the other turns anywhere between."""
    rng.shuffle(others)
    places = set(rng.sample(range(len(lines) + len(others)), len(lines)))
    values, rest = iter(lines), iter(others)
    return [next(values) if place in places else next(rest) for place in range(len(lines) + len(others))]


def replacing_case(world: World, rng: random.Random) -> Case:
    """A later turn against those before it: true where both state a value of the one matter. Mostly a turn that states
    one; `by_asked` is whether the same person speaks."""
    known = world.known
    _, _, lines = dialogue(world, rng)
    wanted = rng.random() < 0.7
    at = rng.choice([row for row, line in enumerate(lines) if line.states is wanted and row] or [len(lines) - 1])
    later, before = lines[at], lines[:at]
    text = later.phrase.text
    named = asked_words(text) | ({later.phrase.person.lower()} if later.phrase.key.endswith("third") else frozenset())
    same = [line.by_asked == later.by_asked for line in before]
    whom = np.stack([whom_of(line.phrase.text, named, one) for line, one in zip(before, same, strict=True)])
    texts = [line.phrase.text for line in before]
    vector = known.vectors[known.row[text]]
    cosine = known.vectors[[known.row[one] for one in texts]] @ vector
    return case(known, text, vector, texts, whom, cosine, [later.states and line.states for line in before])


def case(  # noqa: PLR0917 the columns of a case
    known: Known, form: str, vector: Floats, texts: list[str], whom: Floats, tokens: Floats, label: list[bool]
) -> Case:
    count = len(texts)
    return Case(
        np.repeat(vector[None], count, 0),
        known.vectors[[known.row[text] for text in texts]],
        whom,
        np.stack([known.words(text) for text in texts]),
        tokens,
        np.repeat(known.words(form)[None], count, 0),
        np.array(label, np.float32),
    )
