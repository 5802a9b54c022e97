"""Seeds, flows and priors into one order, and each score taken apart into the paths that it is the sum of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphmem.recall.activation import Activation, Chain, Tracer
from graphmem.recall.gather import Signals
from graphmem.recall.plan import Plan
from graphmem.recall.score import Parts
from graphmem.recall.walks import champions, groups, kind_name
from graphmem.schema import Id, Path, Step

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A path that adds less than this to a score is not told on its own, but summed with its like.
MIN_PATH = 1e-12


@dataclass(frozen=True, slots=True)
class Flows:
    """What spreading gave: the seeds it started from, and where it arrived. What the bridge brings back to one of its
    starts does not count: a page with few names would lift itself (reciprocal rank .81 instead of .85)."""

    seeds: dict[int, float]
    near: Activation
    starts: dict[int, float]
    bridge: Activation
    notes: dict[int, float]  # the notes that links were followed from
    links: Activation
    above: Mapping[int, Mapping[int, float]] = field(default_factory=dict)  # derived note -> note that it is made from

    def over_links(self, numbers: Numbers, plan: Plan) -> Floats:
        """What links add to the score of each: m tanh(link_gain x flow / m), m = link_most x the best seed. So it is
        link_gain x flow while that is little, and never more than m."""
        most = plan.link_most * max(self.seeds.values(), default=0.0)
        flow = plan.link_gain * self.links.of(numbers)
        return most * np.tanh(flow / most) if most > 0 else np.zeros(len(numbers))


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages by falling score, ties by number: `order` indexes the signals' columns."""

    signals: Signals
    parts: Parts
    flows: Flows
    plan: Plan
    score: Floats
    order: Numbers
    champion: dict[int, tuple[int, float]]
    group: Numbers
    near: Tracer
    bridge: Tracer
    links: Tracer
    disagreeing: tuple[tuple[int, int, float], ...] = ()  # rows: earlier, later statement of one matter; how surely


def rank(signals: Signals, parts: Parts, flows: Flows, plan: Plan) -> Ranked:
    """O(n log n)."""
    group = groups(signals.heads.section, signals.heads.source)
    seed_at = np.array([flows.seeds.get(number, 0.0) for number in signals.numbers.tolist()])
    champion = champions(group, seed_at, signals.numbers)
    context = plan.section * np.array([champion.get(key, (0, 0.0))[1] for key in group.tolist()])
    score = (
        parts.seed
        + parts.prior
        + context
        + plan.near_gain * flows.near.of(signals.numbers)
        + flows.over_links(signals.numbers, plan)
        + plan.bridge_gain
        * np.where(np.isin(signals.numbers, list(flows.starts)), 0.0, flows.bridge.of(signals.numbers))
    )
    order = np.lexsort((signals.numbers, -score))
    tracers = Tracer(flows.near, flows.seeds), Tracer(flows.bridge, flows.starts), Tracer(flows.links, flows.notes)
    return Ranked(signals, parts, flows, plan, score, order, champion, group, *tracers)


def step_numbers(ranked: Ranked, rows: list[int]) -> set[int]:
    """Nodes that the paths of these rows pass through, and their section champions: fetch them in one call."""
    numbers = set[int]()
    for row in rows:
        number = int(ranked.signals.numbers[row])
        numbers.add(number)
        numbers.add(ranked.champion.get(int(ranked.group[row]), (number, 0.0))[0])
        for chain, _ in flow_chains(ranked, number):
            numbers.update(chain.nodes)
    return numbers


def flow_chains(ranked: Ranked, number: int) -> list[tuple[Chain, float]]:
    """Every chain of near, link and bridge flow into a node, with the gain it counts for."""
    plan = ranked.plan
    found = [(chain, plan.near_gain) for chain in ranked.near.chains(number)]
    if chains := list(ranked.links.chains(number)):
        at = np.array([number], np.int64)
        gain = float(ranked.flows.over_links(at, plan)[0] / ranked.flows.links.of(at)[0])
        found += [(chain, gain) for chain in chains]
    if number not in ranked.flows.starts:
        found += [(chain, plan.bridge_gain) for chain in ranked.bridge.chains(number)]
    return found


def paths(ranked: Ranked, row: int, ids: Mapping[int, Id]) -> tuple[Path, ...]:
    """The paths of one passage, strongest first; their weights sum to its score up to float rounding."""
    number = int(ranked.signals.numbers[row])
    here = ids[number]
    told = []
    for kind, values in (*ranked.parts.seeds.items(), *ranked.parts.priors.items()):
        if abs(weight := float(values[row])) > MIN_PATH:
            told.append(Path((Step(kind, None, here, weight),), weight))
    source, value = ranked.champion.get(int(ranked.group[row]), (number, 0.0))
    if weight := ranked.plan.section * value:
        steps = (Step("seed", None, ids[source], value), Step("PART", ids[source], here, ranked.plan.section))
        told.append(Path(steps, weight))
    for chain, gain in flow_chains(ranked, number):
        told.append(_path(chain, gain, ids))
    return tuple(sorted(told, key=lambda path: -path.weight))


def _path(chain: Chain, gain: float, ids: Mapping[int, Id]) -> Path:
    """A chain as steps: the seed with its gain, then each edge with its factor; the product is the path's weight."""
    product = float(np.prod(chain.factors))
    seed = Step("seed", None, ids[chain.nodes[0]], gain * chain.amount / product if product else 0.0)
    edges = [
        Step(kind_name(kind), ids[source], ids[target], factor)
        for kind, source, target, factor in zip(
            chain.kinds, chain.nodes[:-1], chain.nodes[1:], chain.factors, strict=True
        )
    ]
    return Path((seed, *edges), gain * chain.amount)
