"""reflect: recall -> what is open? -> ask about what was found -> merge -> judge, until enough, nothing new or spent.

Best first: every step asks the most promising sub-question, whichever fact it comes from, so a good lead is followed
further before a poor one is begun. A passage's score is the best that any question gave it; what a weak start led to
starts lower. Reads one snapshot, writes nothing.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from graphmem.answer.base import Generator
from graphmem.embed import Embedder
from graphmem.errors import DeadlineExceeded
from graphmem.recall.plan import BALANCED, Plan
from graphmem.recall.recall import Clock, recalled
from graphmem.reflect.asking import Lead, leads_of
from graphmem.reflect.facts import Fact, facts_of
from graphmem.reflect.proposing import propose
from graphmem.reflect.working import Working
from graphmem.schema import (
    Budget,
    Hit,
    Id,
    Inquiry,
    Path,
    RankedPassage,
    Recall,
    Reflection,
    Refusal,
    Space,
    Step,
)
from graphmem.stores.base import Reader, Store

#: Passages of the first recall that leads start from, and passages that a sub-question adds.
STARTS = 4
TAKEN = 2
#: A recall of a step fetches so many: those that it adds may stand behind ones that are known.
LOOKED_AT = 8


def reflect(
    store: Store,
    space: Space,
    question: str,
    embedder: Embedder,
    *,
    budget: Budget,
    plan: Plan = BALANCED,
    limit: int = 10,
    now_us: int | None = None,
    generator: Generator | None = None,
) -> Reflection:
    """Works on a question in steps. O(steps) recalls. The same snapshot, question, plan and budget in steps give the
    same result; seconds may cut it earlier, and `stopped` then says so. Raises DeadlineExceeded only when the first
    recall itself did not end in time."""
    ends = None if budget.seconds is None else time.perf_counter() + budget.seconds
    with store.reader(space, deadline_s=budget.seconds) as reader:
        asker = Asker(reader, embedder, plan, now_us, ends)
        first = asker.ask(question, max(limit, LOOKED_AT))
        work = Work(space.key, question, first, budget)
        work.begin(reader)
        if generator is not None:
            work.propose(generator, asker)
        while (lead := work.next(ends)) is not None:
            if not work.follow(lead, asker):
                break
        return work.told(limit)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks questions of one snapshot."""

    reader: Reader
    embedder: Embedder
    plan: Plan
    now_us: int | None
    ends: float | None

    def ask(self, question: str, limit: int) -> Recall:
        left = None if self.ends is None else max(1e-3, self.ends - time.perf_counter())
        return recalled(
            self.reader, question, self.embedder, Clock(left), plan=self.plan, limit=limit, now_us=self.now_us
        )


@dataclass(slots=True)
class Work:
    """The state of a reflection: what was found, what may be asked next, the hypergraph."""

    key: bytes
    question: str
    first: Recall
    budget: Budget
    best: float = 0.0
    found: dict[Id, Fact] = field(default_factory=dict)
    steps: list[Inquiry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    stopped: str = ""
    working: Working = field(init=False)
    _leads: list[tuple[float, int, Lead]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _asked: set[str] = field(default_factory=set)
    _opened: set[Id] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.working = Working(self.key)
        self.best = self.first.passages[0].score if self.first.passages else 0.0

    def begin(self, reader: Reader) -> None:
        """Takes in the first recall."""
        hits = hits_by_passage(self.first)
        for at, fact in enumerate(facts_of(reader, self.first.passages, hits)):
            self.found[fact.passage.id] = fact
            if at < STARTS:
                self.working.add(fact)
                self._open((fact,))

    def _open(self, chain: Sequence[Fact]) -> None:
        self._opened.add(chain[-1].passage.id)
        if len(chain) <= self.budget.depth:
            for lead in leads_of(self.question, chain, self.best):
                heapq.heappush(self._leads, (-lead.promise, next(self._order), lead))

    def next(self, ends: float | None) -> Lead | None:
        """The most promising lead that was not asked yet; None, with the reason in `stopped`, when it is to end."""
        while self._leads and self._leads[0][2].question.casefold() in self._asked:
            heapq.heappop(self._leads)
        if not self._leads:
            self.stopped = "nothing is open that could be asked" if not self.steps else "nothing new to ask"
        elif len(self.steps) >= self.budget.steps:
            self.stopped = f"budget: {self.budget.steps} steps"
        elif ends is not None and time.perf_counter() >= ends:
            self._late()
        else:
            return heapq.heappop(self._leads)[2]
        return None

    def _late(self) -> None:
        self.stopped = f"budget: {self.budget.seconds:g} s"
        self.degraded.append(f"deadline: reflection stopped after {len(self.steps)} steps")

    def follow(self, lead: Lead, asker: Asker) -> bool:
        """Asks a lead and takes in what it found; False when the time was up before it had an answer."""
        self._asked.add(lead.question.casefold())
        try:
            recall = asker.ask(lead.question, LOOKED_AT)
            passed = {fact.passage.id for fact in lead.chain}
            taken = [one for one in recall.passages if one.passage.id not in passed][:TAKEN]
            facts = facts_of(asker.reader, taken, hits_by_passage(recall))
        except DeadlineExceeded:
            self._late()
            return False
        for fact in facts:
            self._take(lead, scored(fact, lead))
        start = lead.chain[-1]
        why = f"{label(start)} names {lead.subject.entity.name}, and does not say the rest"
        self.steps.append(
            Inquiry(lead.told, start.passage.id, lead.subject.entity.id, lead.depth, "rules", ids_of(facts), why)
        )
        return True

    def _take(self, lead: Lead, fact: Fact) -> None:
        """Keeps the better of two ways to a passage; merges it with what led to it; opens what it leads to."""
        known = self.found.get(fact.passage.id)
        better = known is None or fact.ranked.score > known.ranked.score
        if better:
            self.found[fact.passage.id] = fact
        self.working.join(lead.chain[-1].passage.id, fact)
        if better or fact.passage.id not in self._opened:
            self._open((*lead.chain, fact))

    def propose(self, generator: Generator, asker: Asker) -> None:
        """Asks what a generator proposes, before the rules' leads. What it finds counts only where it shares an entity
        with what the first recall found: a model may widen the search, not turn it elsewhere."""
        proposed, refused = propose(generator, self.question, self.first, asker.ends)
        self.refusals += refused
        for text in proposed[: self.budget.steps]:
            if text.casefold() in self._asked:
                continue
            self._asked.add(text.casefold())
            try:
                recall = asker.ask(text, LOOKED_AT)
                facts = facts_of(asker.reader, recall.passages[: 2 * TAKEN], hits_by_passage(recall))
            except DeadlineExceeded:
                self._late()
                return
            new = [fact for fact in facts if self._joined(fact)][:TAKEN]
            for fact in new:
                self._take_proposed(fact)
            self.steps.append(Inquiry(text, None, None, 1, generator.name, ids_of(new), "a model proposed it"))

    def _joined(self, fact: Fact) -> bool:
        starts = list(self.found.values())[:STARTS]
        ours = {subject.entity.id for start in starts for subject in start.subjects}
        return any(subject.entity.id in ours for subject in fact.subjects)

    def _take_proposed(self, fact: Fact) -> None:
        known = self.found.get(fact.passage.id)
        if known is None or fact.ranked.score > known.ranked.score:
            self.found[fact.passage.id] = fact
        for start in list(self.found.values())[:STARTS]:
            if self.working.join(start.passage.id, fact) is not None:
                break
        self._open((fact,))

    def told(self, limit: int) -> Reflection:
        ranked = sorted(self.found.values(), key=lambda fact: -fact.ranked.score)[:limit]
        passages = tuple(fact.ranked for fact in ranked)
        hits = tuple(fact.hit for fact in ranked if fact.hit is not None)
        recall = replace(
            self.first,
            hits=hits,
            passages=passages,
            degraded=tuple(dict.fromkeys((*self.first.degraded, *self.degraded))),
            work={**self.first.work, "steps": float(len(self.steps))},
        )
        edges = tuple(self.working.edges.values())
        return Reflection(self.question, recall, tuple(self.steps), edges, self.stopped, tuple(self.refusals))


def hits_by_passage(recall: Recall) -> Mapping[Id, Hit]:
    return {hit.passage.id: hit for hit in recall.hits if hit.passage is not None}


def scored(fact: Fact, lead: Lead) -> Fact:
    """The fact with what its way costs: the score is still the sum of the paths' weights."""
    score = fact.ranked.score + lead.cost
    hit = fact.hit
    if hit is not None:
        way = way_of(lead, fact.passage.id)
        hit = Hit(hit.note, hit.passage, score, (*hit.paths, way))
    return replace(fact, ranked=RankedPassage(fact.ranked.passage, score), hit=hit)


def way_of(lead: Lead, passage: Id) -> Path:
    """start -MENTIONS-> entity -asked-> passage; its weight is what a weak start costs."""
    start, entity = lead.chain[-1].passage.id, lead.subject.entity.id
    steps = (
        Step("reflect", None, start, lead.cost),
        Step("MENTIONS", start, entity, 1.0),
        Step("asked", entity, passage, 1.0),
    )
    return Path(steps, lead.cost)


def ids_of(facts: Sequence[Fact]) -> tuple[Id, ...]:
    return tuple(fact.passage.id for fact in facts)


def label(fact: Fact) -> str:
    """A passage in a few words: its title, else its beginning."""
    title = str(fact.passage.meta.get("title", ""))
    return title or f'"{fact.passage.text[:40]}"'
