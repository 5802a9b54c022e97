"""Generator: the seam between evidence and written answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

#: What an answer says when memory does not hold the evidence; a generator is told to say the same.
NOT_IN_MEMORY = "Not in memory."

Prompt = Sequence[tuple[str, str]]  # (role, text); roles are "system" and "user"


class Generator(Protocol):
    """Writes text. `stream` may raise anything and may hang: whoever calls it bounds the time and has another way.

    Safe to share between threads. `name` goes into Answer.generator.
    """

    name: str

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]: ...
