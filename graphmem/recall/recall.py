"""recall: understand the question -> search -> spread -> rank -> explain. Reads one snapshot, writes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphmem.analysis import indexed_text, terms
from graphmem.embed import Embedder
from graphmem.errors import DeadlineExceeded
from graphmem.recall.activation import NOTHING
from graphmem.recall.gather import Asked, Found, Signals, resolve, search, signals, together
from graphmem.recall.plan import BALANCED, Plan
from graphmem.recall.rank import Flows, Ranked, paths, rank, step_numbers
from graphmem.recall.score import score
from graphmem.recall.standing import with_standing
from graphmem.recall.understand import understand
from graphmem.recall.walks import LinkedNotes, above, bridge, near, over_links, seed_values
from graphmem.schema import Disagreement, Hit, Id, Node, Note, Passage, Path, RankedPassage, Recall, Space, Step, q8
from graphmem.stores.base import Reader, Store

#: Share of the deadline after which no further part is begun: the rest is for ranking and fetching what was found.
SOFT_DEADLINE = 0.6
CHARS_A_TOKEN = 4
MAX_NEWCOMERS = 128  # passages that only the flow found
NEWCOMER_CODES = 2_000
MAX_WHOLES = 12  # derived notes that are looked at because much of what was found is part of them
WHOLE = 3  # one in so many of its parts was found


@dataclass(slots=True)
class Clock:
    """Time left, milliseconds by part, and what was left out."""

    deadline_s: float | None
    began: float = field(default_factory=time.perf_counter)
    lap: float = field(default_factory=time.perf_counter)
    work: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)

    def part(self, name: str) -> None:
        now = time.perf_counter()
        self.work[f"{name}_ms"] = 1000 * (now - self.lap)
        self.lap = now

    def late(self, left_out: str) -> bool:
        """True when no further part should begin; says what is left out for it."""
        spent = time.perf_counter() - self.began
        if self.deadline_s is None or spent < SOFT_DEADLINE * self.deadline_s:
            return False
        self.degraded.append(f"deadline: {left_out}")
        return True


def recall(
    store: Store,
    space: Space,
    question: str,
    embedder: Embedder,
    *,
    plan: Plan = BALANCED,
    limit: int = 10,
    now_us: int | None = None,
    deadline_s: float | None = None,
    token_budget: int | None = None,
) -> Recall:
    """The best `limit` notes and passages on a question, with paths. `now_us` serves words such as "yesterday" and the
    forgetting curve.

    Past 0.6 of the deadline no further part begins; Recall.degraded says which were left out. Raises
    DeadlineExceeded when the searches themselves did not end in time. The same store state, question and plan give
    the same result.
    """
    clock = Clock(deadline_s)
    with store.reader(space, deadline_s=deadline_s) as reader:
        return recalled(reader, question, embedder, clock, plan=plan, limit=limit, now_us=now_us, budget=token_budget)


def recalled(
    reader: Reader,
    question: str,
    embedder: Embedder,
    clock: Clock,
    *,
    plan: Plan,
    limit: int,
    now_us: int | None = None,
    budget: int | None = None,
) -> Recall:
    """A recall in a snapshot that is open already: several of them then see the same memory."""
    asked = resolve(reader, understand(question, now_us), embedder, plan)
    clock.part("understand")
    found = search(reader, asked, plan)
    clock.part("search")
    first = signals(reader, asked, found, found.pool, plan)
    clock.part("score")
    flows = flow(reader, asked, found, first, plan=plan, clock=clock)
    ranked = ranked_with_newcomers(reader, asked, found, first, flows=flows, plan=plan, clock=clock)
    clock.part("rank")
    if not clock.late("which statements hold"):
        ranked = with_standing(reader, asked, ranked, now_us)
    clock.part("standing")
    limit = limit if plan.most is None else min(limit, plan.most)
    return told(reader, asked, found, ranked, clock=clock, limit=limit, token_budget=budget)


def flow(reader: Reader, asked: Asked, found: Found, first: Signals, *, plan: Plan, clock: Clock) -> Flows:
    """Spreads from the seeds, as far as the plan has edges and the deadline time."""
    seed = score(asked, first, plan).seed
    values = seed_values(seed, plan.seeds)
    seeds = dict(zip(first.numbers[values > 0].tolist(), values[values > 0].tolist(), strict=True))
    starts = first.numbers[np.lexsort((first.numbers, -seed))[: plan.bridge_starts]]
    mass = {int(start): 1.0 / len(starts) for start in starts}
    notes = link_starts(asked, found, first, values, plan)
    none = Flows(seeds, NOTHING, mass, NOTHING, notes, NOTHING)
    if not len(first.numbers) or clock.late("no spreading over edges"):
        return none
    numbers = np.array(sorted(notes), np.int64)
    linked = LinkedNotes(reader, numbers, plan.edges_a_node)
    try:
        turns = near(reader, first.heads, values, plan) if plan.near_gain else NOTHING
        over = bridge(reader, np.sort(starts), plan, linked) if plan.bridge_gain else NOTHING
        amounts = np.array([notes[n] for n in numbers.tolist()])
        joined = over_links(reader, numbers, amounts, linked, plan)
        wholes = above(linked, amounts) if len(numbers) else {}
    except DeadlineExceeded:
        clock.degraded.append("deadline: no spreading over edges")
        return none
    clock.work["expanded"] = turns.expanded + over.expanded + joined.expanded
    clock.work["edges"] = turns.edges + over.edges + joined.edges
    if turns.cut or over.cut or joined.cut:
        clock.degraded.append("work cap: not every edge of a hub was followed")
    clock.part("spread")
    return Flows(seeds, turns, mass, over, notes, joined, wholes)


def link_starts(
    asked: Asked, found: Found, first: Signals, values: npt.NDArray[np.float64], plan: Plan
) -> dict[int, float]:
    """The best note of each seed with the seed's value, and the derived notes that the search found by cosine.

    A question for a guess (what somebody would like) wants all that was said, not what a matter was opened with: it
    follows no links from the seeds."""
    if not plan.link_gain:
        return {}
    known = (values > 0) & (first.note > 0) & (not asked.question.asks_guess)
    notes = dict(zip(first.note[known].tolist(), values[known].tolist(), strict=True))
    return notes | derived_notes(found, plan)


def ranked_with_newcomers(
    reader: Reader, asked: Asked, found: Found, first: Signals, *, flows: Flows, plan: Plan, clock: Clock
) -> Ranked:
    """Ranks the pool and the passages that only the flow found, which are scored like the rest."""
    linked = flows.links.flows[-1].target if len(flows.links.flows) > 1 else flows.links.numbers[:0]
    over = flows.over_links(linked, plan)
    arrived = np.concatenate([flows.near.numbers, flows.bridge.numbers, linked])
    gain = np.concatenate([plan.near_gain * flows.near.values, plan.bridge_gain * flows.bridge.values, over])
    new = ~np.isin(arrived, first.numbers)
    arrived, gain = arrived[new], gain[new]
    newcomers = np.unique(arrived[np.argsort(-gain, kind="stable")[:MAX_NEWCOMERS]])
    everyone = first
    if len(newcomers) and not clock.late("passages found over edges alone"):
        codes = min(NEWCOMER_CODES, plan.token_codes)
        everyone = together(first, signals(reader, asked, found, newcomers, plan, codes=codes))
    clock.work["candidates"] = len(everyone.numbers)
    clock.work["token_codes"] = everyone.codes_read
    return rank(everyone, score(asked, everyone, plan), flows, plan)


def told(
    reader: Reader, asked: Asked, found: Found, ranked: Ranked, *, clock: Clock, limit: int, token_budget: int | None
) -> Recall:
    """Fetches the best rows and says how they were found."""
    rows = ranked.order[:limit].tolist()
    notes = notes_of_rows(reader, ranked, rows)
    inferred = derived_notes(found, ranked.plan)
    wholes = {number: parts for number, parts in wholes_of(ranked).items() if number not in inferred}
    numbers = step_numbers(ranked, rows) | {note for note in notes.values() if note} | set(inferred)
    numbers.update(wholes, *wholes.values())
    order = np.array(sorted(numbers), np.int64)
    nodes = dict(zip(order.tolist(), reader.nodes(order), strict=True)) if len(order) else {}
    ids: Mapping[int, Id] = {number: node.id for number, node in nodes.items()}
    hits, passages = [], []
    for row in rows:
        passage = nodes[int(ranked.signals.numbers[row])]
        if not isinstance(passage, Passage):
            continue
        passages.append(RankedPassage(passage, float(ranked.score[row])))
        note = nodes.get(notes.get(row, 0))
        if isinstance(note, Note):
            hits.append(Hit(note, passage, float(ranked.score[row]), paths(ranked, row, ids)))
    hits, passages = within_budget(hits, passages, token_budget, clock)
    if not (found.searched.text.exact and found.searched.notes.exact):
        clock.degraded.append("approximate: vector search was not exact")
    clock.part("tell")
    return Recall(
        asked.question.text,
        tuple(hits),
        tuple(passages),
        tuple(dict.fromkeys(clock.degraded)),
        clock.work,
        reader.seq,
        support(asked, passages, ranked, rows),
        ranked.plan.name,
        (*inferred_hits(inferred, nodes), *whole_hits(wholes, nodes))[: ranked.plan.derived],
        conflicts=tuple(conflicts(ranked, rows, notes, ids)),
    )


def conflicts(
    ranked: Ranked, rows: list[int], notes: Mapping[int, int], ids: Mapping[int, Id]
) -> Iterator[Disagreement]:
    """What the standing of the told turns showed, as pairs of notes."""
    for old, new, weight in ranked.disagreeing:
        if old in rows and new in rows and notes[old] in ids and notes[new] in ids:
            yield Disagreement(ids[notes[old]], ids[notes[new]], q8(weight))


def derived_notes(found: Found, plan: Plan) -> dict[int, float]:
    """Notes that stand in no passage, with the cosine that found them, best first."""
    notes = found.searched.notes
    at = np.flatnonzero((found.searched.note_owner == 0) & (notes.scores >= plan.derived_from))[: plan.derived]
    return dict(zip(notes.numbers[at].tolist(), notes.scores[at].tolist(), strict=True))


def inferred_hits(inferred: Mapping[int, float], nodes: Mapping[int, Node]) -> Iterator[Hit]:
    for number, cosine in inferred.items():
        note = nodes[number]
        if isinstance(note, Note) and not note.spans:
            yield Hit(note, None, cosine, (Path((Step("seed:vector", None, note.id, cosine),), cosine),))


def wholes_of(ranked: Ranked) -> dict[int, Mapping[int, float]]:
    """What most of what was found is part of, at most MAX_WHOLES."""
    wholes = ranked.flows.above
    order = sorted(wholes, key=lambda number: (-sum(wholes[number].values()), number))
    return {number: wholes[number] for number in order[:MAX_WHOLES]}


def whole_hits(wholes: Mapping[int, Mapping[int, float]], nodes: Mapping[int, Node]) -> list[Hit]:
    """Upwards from what was found (Bi-Mem): scenes, beliefs, summaries and personas of which a third was found, best
    first. Each part that was found brings its share of the whole, and they sum to the score."""
    hits = []
    for number, parts in wholes.items():
        note = nodes[number]
        if not isinstance(note, Note) or WHOLE * len(parts) < len(note.parents):
            continue
        shares = sorted(((nodes[part].id, amount / len(note.parents)) for part, amount in parts.items()))
        paths = [
            Path((Step("seed", None, id, share), Step("~DERIVED", id, note.id, 1.0)), share) for id, share in shares
        ]
        score = float(sum(share for _, share in shares))
        hits.append(Hit(note, None, score, tuple(sorted(paths, key=lambda path: -path.weight))))
    return sorted(hits, key=lambda hit: (-hit.score, hit.note.id))


def notes_of_rows(reader: Reader, ranked: Ranked, rows: list[int]) -> dict[int, int]:
    """The note that speaks for each row: its best known one, else its first."""
    notes = {row: int(ranked.signals.note[row]) for row in rows}
    unknown = [row for row in rows if not notes[row]]
    if unknown:
        at, numbers = reader.notes_of(ranked.signals.numbers[unknown])
        for index, number in zip(at.tolist(), numbers.tolist(), strict=True):
            notes[unknown[index]] = notes[unknown[index]] or int(number)
    return notes


def within_budget(
    hits: list[Hit], passages: list[RankedPassage], token_budget: int | None, clock: Clock
) -> tuple[list[Hit], list[RankedPassage]]:
    """The first passages whose texts fit the budget (four characters a token), and their hits."""
    if token_budget is None:
        return hits, passages
    used, kept = 0, 0
    for ranked in passages:
        used += -(-len(ranked.passage.text) // CHARS_A_TOKEN)
        if used > token_budget:
            clock.degraded.append(f"token budget: {kept} of {len(passages)} passages fit in {token_budget} tokens")
            break
        kept += 1
    fitting = {ranked.passage.id for ranked in passages[:kept]}
    return [hit for hit in hits if hit.passage is not None and hit.passage.id in fitting], passages[:kept]


def support(asked: Asked, passages: list[RankedPassage], ranked: Ranked, rows: list[int]) -> float:
    """How well the best evidence covers the question, 0..1: half the share of its terms that one of the first three
    passages holds, half its best note's cosine between .2 (any two texts) and .6 (the same thing in other words)."""
    if not passages:
        return 0.0
    wanted = set(asked.terms)
    texts = [set(terms(indexed_text(ranked.passage))) for ranked in passages[:3]]
    covered = max((len(wanted & text) / len(wanted) for text in texts), default=0.0) if wanted else 0.0
    cosine = float(ranked.signals.sentence[rows[:3]].max())
    return 0.5 * covered + 0.5 * min(1.0, max(0.0, (cosine - 0.2) / 0.4))
