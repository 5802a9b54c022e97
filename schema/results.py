"""What comes back: hits, paths, recalls, answers, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphmem.schema.ids import Id
from graphmem.schema.nodes import Note, Passage, Source


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: from node to node over an edge kind, and the factor the activation was multiplied by."""

    # "seed:text", "seed:vector", "seed:entity", "seed:time", "prior:...", or an edge type in lower case, "~" in front
    # when against its direction
    kind: str
    src: Id | None  # None for a seed or prior
    dst: Id
    weight: float


@dataclass(frozen=True, slots=True)
class Path:
    """How activation reached a hit. `weight` is what this path adds to the score; a hit's score is the sum of its
    paths' weights."""

    steps: tuple[Step, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class RankedPassage:
    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that was found, the passage it stands in, its score and the paths whose weights sum to it."""

    note: Note
    passage: Passage | None
    score: float
    paths: tuple[Path, ...]

    @property
    def path(self) -> str:
        """The strongest path in words, for a terminal: `text match -> next turn`."""
        if not self.paths:
            return ""
        best = max(self.paths, key=lambda path: path.weight)
        return " -> ".join(step.kind for step in best.steps)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two live notes that both state what was asked and were told at different times: the refresher links them."""

    earlier: Id
    later: Id
    weight_q8: int


@dataclass(frozen=True, slots=True)
class Recall:
    """The whole result of a question. `hits` are ranked notes, `passages` the ranked evidence (no repeats).

    `degraded` says what was left out, in words ("deadline: stopped after hop 1"); empty when nothing was.
    `work` counts what was done (candidates, edges read, hops, milliseconds by part). `seq` is the commit it saw.
    `derived` are notes made of other notes (observations, beliefs, strategies, scenes, personas, summaries) that fit
    the question, best first: inference, beside the evidence of `hits`.
    `conflicts` are pairs of statements of what was asked of which the later may replace the earlier.
    `support` in 0..1 tells how well the best evidence covers the question; answers use it to say "not in memory".
    """

    question: str
    hits: tuple[Hit, ...]
    passages: tuple[RankedPassage, ...]
    degraded: tuple[str, ...] = ()
    work: Mapping[str, float] = field(default_factory=dict)
    seq: int = 0
    support: float = 0.0
    plan: str = "BALANCED"
    derived: tuple[Hit, ...] = ()
    conflicts: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Marker in the answer's text -> note -> span of a passage, with `quote == passage.text[start:end]`."""

    marker: int
    note: Note | None
    passage: Passage
    start: int
    end: int
    quote: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`found` is False when memory does not hold the evidence; then `text` says so and there are no citations."""

    question: str
    text: str
    found: bool
    citations: tuple[Citation, ...]
    recall: Recall
    generator: str = "extractive"
    degraded: tuple[str, ...] = ()

    @property
    def inferred(self) -> tuple[Hit, ...]:
        """Notes made of other notes that fit the question: inference, which `text` never states or cites."""
        return self.recall.derived


@dataclass(frozen=True, slots=True)
class Report:
    """What a write or a job did."""

    job: Id | None = None
    seq: int = 0
    sources: int = 0
    passages: int = 0
    notes: int = 0
    entities: int = 0
    hyperedges: int = 0
    edges: int = 0
    refusals: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    passage_ids: tuple[Id, ...] = ()


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """The certificate of an erasure: how many rows of each kind went, and what remains to be said."""

    tombstone: str  # a random id
    counts: Mapping[str, int]
    remarks: tuple[str, ...] = ()
