"""Asks a proposer, and keeps what goes wrong with it away from the rules' result."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from graphmem.construct.entities import Directory
from graphmem.construct.proposals import parse, refusal
from graphmem.construct.validation import Accepted, validate
from graphmem.schema import Note, Passage


class Proposer(Protocol):
    """A model behind the seam: answers with JSON text (see `proposals`). May fail, be slow, or answer nonsense."""

    def propose(self, passage: Passage, context: str) -> str: ...


@dataclass(slots=True)
class Asker:
    """Asks for one batch. Once an answer does not come within the deadline, the proposer is not asked again: its
    thread may still hang, and a batch waits once at most."""

    proposer: Proposer
    deadline_s: float
    gave_up: bool = False

    def ask(self, key: bytes, passage: Passage, notes: Sequence[Note], directory: Directory) -> Accepted:
        """What the proposer adds to the rules' notes of a passage, held against it. Never raises."""
        if self.gave_up:
            reason = "not asked: the proposer ran past its deadline earlier in this batch"
            return Accepted(refusals=[refusal(passage.id, reason, "")])
        answer, error = self._answer(passage, notes[0].context if notes else "")
        if error:
            return Accepted(refusals=[refusal(passage.id, error, "")])
        proposals, refused = parse(answer, passage.id)
        accepted = validate(key, passage, proposals, directory, notes)
        accepted.refusals[:0] = refused
        return accepted

    def _answer(self, passage: Passage, context: str) -> tuple[object, str]:
        """The proposer's answer, or what went wrong. In a thread, because nothing else can leave a call that hangs."""
        answers: list[object] = []
        errors: list[str] = []

        def call() -> None:
            try:
                answers.append(self.proposer.propose(passage, context))
            except BaseException as error:  # also SystemExit: the thread ends, the batch goes on, the refusal tells
                errors.append(f"the proposer failed: {type(error).__name__}: {_said(error)}")

        thread = threading.Thread(target=call, name="graphmem-proposer", daemon=True)
        thread.start()
        thread.join(self.deadline_s)
        if answers:
            return answers[0], ""
        if errors:
            return None, errors[0]
        self.gave_up = True
        return None, f"the proposer gave no answer within {self.deadline_s:g} s"


def _said(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except Exception as second:
        return f"(its message cannot be read: {type(second).__name__})"
