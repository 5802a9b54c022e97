"""Plans: how wide a recall looks and what it weighs, as named values. A caller may make another with `replace`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphmem.errors import InputError
from graphmem.recall.judge import Bar


@dataclass(frozen=True, slots=True)
class Plan:
    """Every scalar of recall. Scores are sums: signal x weight, flows over edges, priors; paths take them apart again.

    The weights of `BALANCED` were found by coordinate ascent, then rounded, on five LoCoMo conversations (997
    questions), 100 MuSiQue and 70 2WikiMultiHopQA questions together: one setting for dialogue and documents. Fitted
    anew on four of the five conversations, they give the fifth the same recall@10 within .1 points.
    """

    name: str

    # -- seeds: what matches the question itself
    text: float = 0.5  # BM25 over the best BM25
    sentence: float = 0.6  # cosine of the best note of the passage
    tokens: float = 6.0  # late interaction, mean over the question's tokens of the best token (ColBERT, Khattab 2020)
    entity: float = 1.0  # the passage stands in the source that a name in the question is the title of
    seeds: int = 60  # the best so many start a flow, each with what it has above the last of them

    # -- flows over edges; a hop passes on at most `decay` of what it gets
    decay: float = 0.9
    near_gain: float = 1.2  # what the hop between neighbouring turns counts for
    next_after_question: float = 0.75  # evidence is often the answer to the turn that holds the question's words
    next: float = 0.2
    previous: float = 0.2
    bridge_gain: float = 90.0  # what the walk passage -> entity -> passage counts for; it starts with a mass of 1
    bridge_starts: int = 2  # few starts, equal mass: one page that leads to the next
    title: float = 0.8  # from an entity to the source that it is the title of
    mention: float = 0.25  # from an entity to other passages that name it
    section: float = 0.5  # the best seed of the same section
    link_gain: float = 0.6  # what the walk note -> linked note -> its passage counts for, while it is little
    link_most: float = 0.4  # of the best seed: the most that it can add, so that no crowd of links beats a direct hit
    elaborates: float = 1.0  # from a note to the one that it adds to: who opened a matter told what is new
    elaborated: float = 0.0  # and back
    similar: float = 0.0  # the seeds see a likeness themselves
    causes: float = 0.0
    member: float = 1.0  # from a derived note that was found to the notes that it was made from

    # -- priors: alike with and without edges
    question: float = -0.7  # the turn ends in a question
    speaker: float = 0.2  # said by the person asked about; minus, by somebody else
    date: float = 0.6  # said in the month, on the day or in the interval that the question names
    when: float = 0.4  # the question asks for a time and the turn names one

    strength: float = 0.1  # not yet forgotten, 0..1: only where `now` is given or something was used
    strength_days: float = 30.0  # in which what was never used falls to 1/e

    # -- how things stand: which of several statements holds
    standing: int = 24  # the best so many turns are looked at; 0: none
    standing_moves: int = 10  # the best so many may change places
    states: float = 0.02  # turns that may state what is asked, by the model's word
    states_surely: float = 0.1  # at least one of them is this sure
    holds_surely: float = 0.15  # the likeliest to hold is at least this likely, else nothing moves
    first_surely: float = 0.8  # what holds this surely goes before all other turns
    one_matter: float = 5.0  # more turns that state it, in sum, are a topic: LoCoMo recall@5 -.1, without it -5.6
    asks_for_a_value: float = 0.05  # by the model's word on the question alone
    conflict: float = 0.3  # two turns that both state it this surely are named as a conflict

    # -- derived notes, told beside the evidence
    derived: int = 5  # at most so many
    derived_from: float = 0.3  # with at least this cosine: two texts of no common matter have .1 to .25

    # -- bounds on work, not on what is weighed
    pool: int = 80  # candidates of each search
    known_scores: int = 192  # scores kept of each search, for candidates that another one found (512 brings nothing)
    token_codes: int = 5_000  # codes read for late interaction: about 2 ms on one core
    threshold: float = 1e-4  # flows below it stop
    expanded: int = 256  # nodes expanded in a hop
    edges_a_node: int = 128  # edges read of a node
    most: int | None = None  # passages told at most, whatever the limit
    steps: int = 0  # sub-questions that reflection may ask after the first recall


BALANCED = Plan("BALANCED")
#: Narrower searches and the five best passages: for questions that one turn answers.
FAST = replace(BALANCED, name="FAST", pool=40, known_scores=96, seeds=30, token_codes=2_000, bridge_starts=1, most=5)
#: Reflection's steps after the first recall, for what no single passage answers.
DEEP = replace(BALANCED, name="DEEP", steps=8)


@dataclass(frozen=True, slots=True)
class Router:
    """Tries plans from light to deep until the judge has enough: each with the bar that its recall is held against; the
    last one is not judged.

    On LoCoMo a best passage that is .6 ahead of the second tells best that five passages are enough."""

    name: str
    tries: tuple[tuple[Plan, Bar], ...]
    last: Plan


ROUTED = Router("ROUTED", ((FAST, Bar(0.45, 0.5, 0.6)), (BALANCED, Bar(0.45, 0.5))), DEEP)
#: What a caller may name.
PLANS: Mapping[str, Plan | Router] = {choice.name.lower(): choice for choice in (FAST, BALANCED, DEEP, ROUTED)}


def plan_named(name: str) -> Plan | Router:
    """The plan or router of that name. Raises InputError, naming those there are."""
    if name.lower() not in PLANS:
        raise InputError(f"no plan is called {name!r}", hint=f"plans are {', '.join(PLANS)}")
    return PLANS[name.lower()]


def without_standing(plan: Plan) -> Plan:
    """The same order without a look at which statement holds."""
    return replace(plan, name=f"{plan.name} without standing", standing=0)


def without_edges(plan: Plan) -> Plan:
    """The same seeds, priors and ranking with every edge weight zero: what the graph brings is the difference."""
    return replace(plan, name=f"{plan.name} without edges", near_gain=0.0, bridge_gain=0.0, section=0.0, link_gain=0.0)
