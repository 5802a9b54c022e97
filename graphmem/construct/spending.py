"""What asking a model may cost, and what it did cost."""

from __future__ import annotations

from dataclasses import dataclass

from graphmem.construct.prompting import CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that asking may take: of one job (of one write where there is none), and of one call.

    `tokens` are those of prompts and answers together, told from their characters (four a token): models count
    differently, and not all of them tell. Caps are looked at before each call: the last one may go beyond `tokens` by
    its answer."""

    calls: int = 1_000
    tokens: int = 2_000_000
    seconds: float = 3_600.0
    call_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What asking took. Replies that were kept and calls that were not made are no calls."""

    calls: int = 0
    prompt_chars: int = 0
    answer_chars: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return (self.prompt_chars + self.answer_chars) // CHARS_PER_TOKEN

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls,
            self.prompt_chars + other.prompt_chars,
            self.answer_chars + other.answer_chars,
            self.seconds + other.seconds,
        )


def reached(caps: Caps, spent: Spent, prompt_chars: int) -> str:
    """Which cap forbids one more call with a prompt of that length; "" when none does."""
    if spent.calls >= caps.calls:
        return f"the cap of {caps.calls} calls is reached"
    if spent.tokens + prompt_chars // CHARS_PER_TOKEN > caps.tokens:
        return f"the cap of {caps.tokens} tokens is reached"
    return f"the cap of {caps.seconds:g} seconds is reached" if spent.seconds >= caps.seconds else ""
