"""One participant's statements within an era, and what the whole says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphmem.analysis import terms
from graphmem.organize.eras import Era
from graphmem.organize.gist import Background, is_name
from graphmem.organize.reflection import Flags, Reflection, echoes, plausibility, recurrence
from graphmem.organize.voices import Voice, voice
from graphmem.schema import Entity, Id, Node, Note, Source, fold
from graphmem.stores.base import Floats, Numbers, Reader

#: A participant of fewer statements has no scenes: they are told one by one.
LEAST_FACTS = 12
CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Facts:
    """Statements of one subject by number, columns aligned. `plausible`: robust z; `echoed`: somebody
    else said it too; `theirs`: and it fits there as well or better; `own`: the speaker speaks of herself."""

    subject: Id
    name: str
    is_person: bool
    notes: tuple[Note, ...]
    numbers: Numbers
    session: Numbers
    vectors: Floats
    plausible: Floats
    echoed: Flags
    theirs: Flags
    own: Flags
    background: Background

    def left_out(self, reflection: Reflection) -> Flags:
        """Statements that belong to no scene of this subject."""
        return np.asarray(self.theirs | (self.plausible < reflection.out))


def facts_of(reader: Reader, era: Era, wanted: Numbers | None, reflection: Reflection) -> Iterator[Facts]:
    """The facts of each subject with enough of them, by its number; only of `wanted` ones unless None."""
    names = names_of(reader, np.unique(era.subject))
    telling = np.array([tells(note, names) for note in era.notes], bool)
    subjects, counts = np.unique(era.subject[telling], return_counts=True)
    chosen = subjects[(counts >= LEAST_FACTS) & (True if wanted is None else np.isin(subjects, wanted))]
    nodes = reader.nodes(np.abs(chosen))
    for subject, node in zip(chosen.tolist(), nodes, strict=True):
        if isinstance(node, Entity) or (isinstance(node, Source) and node.kind == CONVERSATION):
            mine, others = telling & (era.subject == subject), telling & (era.subject != subject) & (era.subject > 0)
            yield facts(era, node, np.flatnonzero(mine), np.flatnonzero(others), names=names, reflection=reflection)


def facts(
    era: Era, node: Node, mine: Numbers, others: Numbers, *, names: frozenset[str], reflection: Reflection
) -> Facts:
    notes = tuple(era.notes[row] for row in mine.tolist())
    vectors, session, near = era.vectors[mine], era.session[mine], era.near[mine]
    is_person = isinstance(node, Entity)
    fits = echoes(vectors, era.vectors[others], era.near[others], reflection.same)
    return Facts(
        node.id,
        node.name if isinstance(node, Entity) else title_of(node),
        is_person,
        notes,
        era.numbers[mine],
        session,
        vectors,
        plausibility(near, recurrence(vectors, session, reflection.others)),
        (fits >= 0) & is_person,
        (fits >= near) & is_person,
        np.array([voice(note.text) is Voice.SELF for note in notes], bool),
        Background.of(notes, names),
    )


def tells(note: Note, names: frozenset[str]) -> bool:
    """No question, two keywords that are no speaker's name, three words in all, and not of who is spoken to."""
    words = [word for word in note.keywords if not is_name(word, names)]
    asks = "question" in note.tags
    return len(words) > 1 and not asks and len(terms(note.text)) > 2 and voice(note.text) is not Voice.OTHER


def names_of(reader: Reader, subjects: Numbers) -> frozenset[str]:
    speakers = reader.nodes(subjects[subjects > 0])
    return frozenset(fold(node.name) for node in speakers if isinstance(node, Entity))


def title_of(node: Node) -> str:
    return (node.title or node.outside_id) if isinstance(node, Source) else ""
