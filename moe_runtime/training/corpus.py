"""What the small model reads: source of Python's standard library, and talk written for it."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

PEOPLE = ("Ada", "Boris", "Chen", "Dina", "Emil", "Farah", "Goran", "Hilde")
PLACES = ("the harbour", "the market", "the library", "the old mill", "the station", "the garden", "the museum")
THINGS = ("a bicycle", "a green coat", "three tickets", "some bread", "a map", "two chairs", "a radio", "a kite")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FEELINGS = ("glad", "tired", "curious", "worried", "proud", "hungry", "sorry")
LINES = (
    "I went to {place} on {day} and bought {thing}.",
    "Did you see {person} at {place}?",
    "No, but {person} told me that {other} was {feeling}.",
    "Why was {other} {feeling}?",
    "Because {person} lost {thing} near {place}.",
    "Let us meet at {place} on {day}, shall we?",
    "I am {feeling} that you found {thing} again.",
    "My sister lives near {place}; she wants {thing}.",
    "On {day} the bus to {place} was late, so I walked.",
    "{person} and {other} are painting {place} this week.",
    "Thank you! I will bring {thing} for {person}.",
    "Where did you put {thing}? I looked everywhere.",
)
#: Modules that are kept for measuring: never trained on.
HELD_OUT = ("argparse", "csv", "heapq", "queue", "shlex", "textwrap", "zipapp")


def talk(seed: int, chars: int) -> str:
    """Dialogues of two people, drawn from the lines above."""
    draw = random.Random(seed)
    parts: list[str] = []
    total = 0
    while total < chars:
        pair = draw.sample(PEOPLE, 2)
        for turn in range(draw.randint(4, 9)):
            words = {"place": draw.choice(PLACES), "thing": draw.choice(THINGS), "day": draw.choice(DAYS)}
            words |= {"person": draw.choice(PEOPLE), "other": draw.choice(PEOPLE), "feeling": draw.choice(FEELINGS)}
            parts.append(f"{pair[turn % 2]}: {draw.choice(LINES).format(**words)}\n")
            total += len(parts[-1])
        parts.append("\n")
    return "".join(parts)


def source(chars: int, *, held_out: bool = False) -> str:
    """Source of the standard library's modules in the order of their names, or of those that are held out."""
    parts: list[str] = []
    total = 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        if (path.stem in HELD_OUT) is not held_out or path.stem.startswith("_"):
            continue
        parts.append(path.read_text(encoding="utf-8", errors="replace"))
        total += len(parts[-1])
        if total >= chars:
            break
    return "\n".join(parts)[:chars]
