"""A few pages that answer only together, and generators that propose sub-questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphmem.answer.base import Prompt
from graphmem.memory import Memory
from graphmem.schema import PassageDraft, SourceDraft

#: The question's words stand in the first page; the answer's page shares none of them but what the first one names.
QUESTION = "Which river runs through the town where the painter of Blue Harvest was born?"
PAGES = {
    "Blue Harvest": "Blue Harvest is a painting by Odile Marchetti, finished in 1911.",
    "Odile Marchetti": "Odile Marchetti was born in Velmora and later moved to Trieste.",
    "Velmora": "Velmora lies on the Sarn, which runs to the sea.",
    "Red Harvest": "Red Harvest is a novel of a town and a river that runs dry.",
    "Harvest festival": "The harvest festival takes place in every town along the river.",
    "Blue River": "The Blue River runs through the town of Kessel.",
    "Green Harvest": "Green Harvest was the first film of a painter born in a river town.",
    "Sarn": "The Sarn rises in the hills and is eighty kilometres long.",
    "Trieste": "Trieste is a port on the Adriatic.",
    "Born in Blue": "Born in Blue is a record about a river town.",
}


def remember_pages(memory: Memory) -> None:
    memory.remember_sources(
        (SourceDraft("document", title, title), [PassageDraft(text, ref=title, meta={"title": title})])
        for title, text in PAGES.items()
    )


@dataclass(frozen=True)
class Proposing:
    """Writes what it was given, whatever it is asked."""

    reply: str
    name: str = "proposing"

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:  # noqa: ARG002
        yield self.reply


@dataclass(frozen=True)
class Looping:
    name: str = "looping"

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:  # noqa: ARG002
        while True:
            yield "Where is Velmora? " * 100


@dataclass(frozen=True)
class Failing:
    name: str = "failing"

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:  # noqa: ARG002
        raise RuntimeError("no model here")
        yield ""
