"""A batch's passages put to a proposer call by call, and each answer held against its own passage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graphmem.construct.asking import Proposer, Reply
from graphmem.construct.entities import Directory
from graphmem.construct.foreign import foreign_words, withheld
from graphmem.construct.prompting import groups
from graphmem.construct.proposals import MAX_REFUSALS, parse, refusal
from graphmem.construct.replies import Answers, answers_in
from graphmem.construct.spending import Spent
from graphmem.construct.validation import Accepted, Shown, validate
from graphmem.schema import Id, Note, Passage

#: Notes just before a call that are offered for links; the others offered are near in their words.
OFFERED_BEFORE = 2

Near = Callable[[str], Sequence[Note]]


def nothing_near(_: str) -> Sequence[Note]:
    """Where there is no store to look into."""
    return ()


def go_on() -> bool:
    """Where nobody says stop."""
    return False


@dataclass(frozen=True, slots=True)
class Asking:
    """For which job a batch is asked about, and where old notes come from: `near` gives those that share words with a
    text, best first. Once `is_stopped`, no further call is made and KeyboardInterrupt raised: a batch may be many."""

    job: Id | None = None
    near: Near = nothing_near
    is_stopped: Callable[[], bool] = go_on


@dataclass(frozen=True, slots=True)
class Question:
    """A passage to ask about, and the notes that the rules made of it. `before`: notes of the passage before it."""

    passage: Passage
    notes: Sequence[Note]
    before: Sequence[Note] = ()


@dataclass(slots=True)
class Round:
    """One batch under way."""

    key: bytes
    proposer: Proposer
    asking: Asking
    directory: Directory
    found: dict[Id, Accepted] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)  # on this batch
    unasked: list[Id] = field(default_factory=list)
    why: str = ""

    def run(self, questions: Sequence[Question]) -> Mapping[Id, Accepted]:
        """What is accepted and refused, by passage. Never raises for what a generator does."""
        lengths = [len(question.passage.text) for question in questions]
        for part in groups(lengths, self.proposer.manner):
            self._ask(questions[part.start : part.stop])
        if self.unasked:
            many = f"; nor were {len(self.unasked) - 1} more passages" if len(self.unasked) > 1 else ""
            first = self.unasked[0]
            self.found[first].refusals.append(refusal(first, f"not asked: {self.why}{many}", ""))
        return self.found

    def _ask(self, group: Sequence[Question]) -> None:
        if self.asking.is_stopped():
            raise KeyboardInterrupt
        passages = [question.passage for question in group]
        job = self.asking.job
        spent = self.spent if job is None else self.proposer.spent(job)
        reply, took = self.proposer.ask(self.key, spent, passages, self._offers(group))
        self.proposer.count(job, took)
        self.spent += took
        self.found.update({passage.id: Accepted() for passage in passages})
        if not reply.is_asked:
            self.unasked.extend(passage.id for passage in passages)
            self.why = reply.failure
            return
        self._hear(group, reply)

    def _hear(self, group: Sequence[Question], reply: Reply) -> None:
        answers = answers_in(reply.text, len(group))
        foreign = foreign_words([question.passage for question in group], reply.offers)
        for number, question in enumerate(group, 1):
            shown = Shown(reply.offers, foreign[number - 1])
            accepted = self._judge(question, answers, number, reply, shown)
            accepted.refusals = [withheld(one, shown.foreign) for one in accepted.refusals]
            self.found[question.passage.id] = accepted

    def _judge(self, question: Question, answers: Answers, number: int, reply: Reply, shown: Shown) -> Accepted:
        passage = question.passage
        faults = [why for at, why in answers.faults if at == number or (at == 0 and number == 1)]
        refused = [refusal(passage.id, why, "") for why in faults[:MAX_REFUSALS]]
        if number not in answers.texts:
            why = f"no answer: the model failed: {reply.failure!r}" if reply.failure else "no answer in the reply"
            # What the whole reply says may be about any passage of the call.
            return Accepted(refusals=[*refused, refusal(passage.id, why, "" if shown.foreign else reply.text)])
        proposals, unread = parse(answers.texts[number], passage.id)
        accepted = validate(self.key, passage, proposals, self.directory, question.notes, shown=shown)
        accepted.refusals[:0] = [*refused, *unread]
        return accepted

    def _offers(self, group: Sequence[Question]) -> list[Note]:
        """Old notes that links may lead to: of the passage before the first, and near in words."""
        most = self.proposer.manner.offers
        if not most:
            return []
        ours = {question.passage.id for question in group}
        before = list(group[0].before)[-OFFERED_BEFORE:]
        text = "\n".join(question.passage.text[: self.proposer.manner.chars] for question in group)
        near = [note for note in self.asking.near(text) if note.spans and note.spans[0].passage not in ours]
        return list({note.id: note for note in (*before, *near)}.values())[:most]
