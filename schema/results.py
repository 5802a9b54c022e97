"""What comes back: hits, paths, recalls, answers, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphmem.schema.ids import Id
from graphmem.schema.journal import Refusal
from graphmem.schema.nodes import Hyperedge, Note, Passage, Source


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
    `plan` made it; `route` has one line for each plan that was tried before and the judge's reason to go on or stop.
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
    route: tuple[str, ...] = ()
    conflicts: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a reflection may spend: `steps` sub-questions, each one recall beside the first, of which at most `depth`
    follow one from another; and seconds, when given."""

    steps: int = 8
    depth: int = 3
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 0 or self.depth < 1 or (self.seconds is not None and self.seconds <= 0):
            raise ValueError(f"{self}: steps may not be below 0, depth not below 1, seconds only above 0")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One step of a reflection: the sub-question, the passage and the entity it came from (None for one that a model
    proposed), who made it, the passages that it brought, best first, and why it was asked, in words."""

    question: str
    start: Id | None
    entity: Id | None
    depth: int
    made_by: str
    found: tuple[Id, ...]
    why: str


@dataclass(frozen=True, slots=True)
class WorkingEdge:
    """A hyperedge of working memory: notes that were found and the entities they are about. `joins` are the ids of the
    two that it was merged from, () for a single fact. `score` is that of its best passage found last."""

    edge: Hyperedge
    score: float
    joins: tuple[Id, ...] = ()


@dataclass(frozen=True, slots=True)
class Reflection:
    """What working on a question in steps gave. `recall` is the final ranking; `edges` the working hypergraph in the
    order it grew; `stopped` says why it ended; `refusals` are a model's sub-questions that were not asked, and why.
    `job` is the one that kept it: None when it was not kept, or when all of it was there already."""

    question: str
    recall: Recall
    steps: tuple[Inquiry, ...]
    edges: tuple[WorkingEdge, ...]
    stopped: str
    refusals: tuple[Refusal, ...] = ()
    job: Id | None = None


@dataclass(frozen=True, slots=True)
class WorkingSet:
    """What a conversation has in mind now: its last turns, oldest first, and what they lit up, best first; together
    at most `tokens` (four characters a token). Computed, never stored."""

    turns: tuple[Passage, ...]
    lit: tuple[Hit, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """What to do, distilled from an agent's runs: to reach `goal` (where `where` is said of the situation; "": always)
    do `steps` in this order, and not `avoid`, which led to `because`. At concept level: names are left out or stand as
    roles such as <person>. `wins` and `losses` are the attempts that agree and disagree with it."""

    note: Note
    goal: str
    where: str
    steps: tuple[str, ...]
    avoid: tuple[str, ...]
    because: str
    wins: int
    losses: int
    score: float = 0.0


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
    """What a write or a job did. `calls` to a model that proposes, characters sent and received, what was `accepted` of
    its proposals; `refusals` counts the others."""

    job: Id | None = None
    seq: int = 0
    sources: int = 0
    passages: int = 0
    notes: int = 0
    entities: int = 0
    hyperedges: int = 0
    edges: int = 0
    refusals: int = 0
    accepted: int = 0
    calls: int = 0
    prompt_chars: int = 0
    answer_chars: int = 0
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
