"""A text game with hidden rules: machines that start when the right things were done to them before.

Each kind of machine needs three operations of eight, the second only works after the first, and one operation ruins
it; a machine that is wet, dusty or cold needs one treatment first, the same for every kind. Which, the seed decides and
no text tells. Names change with every task, kinds and rules do not. What a learner sees is the task, the situation, the
actions that there are, and what each brings about.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

KINDS = ("furnace", "loom", "press", "still", "lathe", "kiln", "mill", "crane", "saw", "boiler")
OPERATIONS = (
    "prime the pump", "open the vent", "oil the gear", "turn the crank",
    "set the dial", "lift the hatch", "drain the tank", "close the gate",
)  # fmt: skip
TREATMENTS = ("wipe", "tap", "shade")
STATES = ("wet", "dusty", "cold")
SYLLABLES = ("ar", "bo", "kel", "mi", "tor", "za", "lu", "ven", "pri", "sho", "dan", "ek")
STEPS_A_MACHINE = 14


@dataclass(frozen=True, slots=True)
class Rules:
    """What a kind of machine needs, in order, what ruins it, and which treatment each state asks for."""

    needed: dict[str, tuple[str, ...]]
    ruins: dict[str, str]
    treatment: dict[str, str]


def hidden(seed: int) -> Rules:
    rng = random.Random(f"rules {seed}")
    needed, ruins = {}, {}
    for kind in KINDS:
        *first, bad = rng.sample(OPERATIONS, 4)
        needed[kind], ruins[kind] = tuple(first), bad
    return Rules(needed, ruins, dict(zip(STATES, rng.sample(TREATMENTS, 3), strict=True)))


@dataclass(frozen=True, slots=True)
class Machine:
    kind: str
    name: str
    state: str  # "" when it is fine

    @property
    def called(self) -> str:
        return f"the {self.name} {self.kind}"


@dataclass(frozen=True, slots=True)
class Task:
    machines: tuple[Machine, ...]

    @property
    def text(self) -> str:
        return f"Start {' and '.join(machine.called for machine in self.machines)}."

    @property
    def situation(self) -> str:
        return " ".join(f"The {m.name} {m.kind} is {m.state or 'fine'}." for m in self.machines)


def tasks(seed: int, count: int, sizes: tuple[int, ...], kinds: list[tuple[str, ...]] | None = None) -> list[Task]:
    """Tasks with `sizes` machines each in turn; of these combinations of kinds when they are given."""
    rng = random.Random(f"tasks {seed}")
    made = []
    for number in range(count):
        size = sizes[number % len(sizes)]
        of = rng.choice(kinds) if kinds is not None else tuple(rng.sample(KINDS, size))
        made.append(Task(tuple(Machine(kind, a_name(rng), rng.choice((*STATES, "", ""))) for kind in of)))
    return made


def a_name(rng: random.Random) -> str:
    return "".join(rng.sample(SYLLABLES, 2)).capitalize()


@dataclass(slots=True)
class Game:
    """One run of a task."""

    rules: Rules
    task: Task
    done: set[str] = field(default_factory=set)
    steps: int = 0
    over: bool = False

    @property
    def actions(self) -> list[str]:
        return [action for machine in self.task.machines for action in actions_of(machine)]

    @property
    def won(self) -> bool:
        return all(f"start {machine.called}" in self.done for machine in self.task.machines)

    def act(self, action: str) -> str:
        """What comes of an action. The game is over when all machines run, one is ruined, or the steps are used up."""
        machine = next(machine for machine in self.task.machines if action in actions_of(machine))
        self.steps += 1
        seen = self._start(machine) if action.startswith("start ") else self._operate(machine, action)
        self.over = self.over or self.won or self.steps >= STEPS_A_MACHINE * len(self.task.machines)
        return seen

    def _operate(self, machine: Machine, action: str) -> str:
        operation = action.removesuffix(f" of {machine.called}")
        needed = self.rules.needed[machine.kind]
        if operation == self.rules.ruins[machine.kind]:
            self.over = True
            return f"A crack runs through {machine.called}: it is ruined."
        if operation == needed[1] and f"{needed[0]} of {machine.called}" not in self.done:
            return "It does not move."
        self.done.add(action)
        return "Done."

    def _start(self, machine: Machine) -> str:
        wanted = [f"{operation} of {machine.called}" for operation in self.rules.needed[machine.kind]]
        if machine.state:
            wanted.append(f"{self.rules.treatment[machine.state]} {machine.called}")
        if not self.done.issuperset(wanted):
            return f"{machine.called} does not start.".replace("the", "The", 1)
        self.done.add(f"start {machine.called}")
        return f"{machine.called} runs.".replace("the", "The", 1)


def actions_of(machine: Machine) -> list[str]:
    return [
        *(f"{operation} of {machine.called}" for operation in OPERATIONS),
        *(f"{treatment} {machine.called}" for treatment in TREATMENTS),
        f"start {machine.called}",
    ]
