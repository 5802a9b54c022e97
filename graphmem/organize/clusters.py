"""Notes as a graph, and the communities in it (Louvain, Blondel 2008; a fixed seed)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from graphmem.organize.eras import Bonds
from graphmem.stores.base import Floats, Numbers

#: Rows of a similarity block: 1,024 x 5,000 notes are 20 MB.
BLOCK = 1_024
#: A community that is too large is divided at twice the resolution, at most so often.
DIVISIONS = 3
SEED = 0


@dataclass(frozen=True, slots=True)
class Gathering:
    """How notes gather in scenes. On five LoCoMo conversations two turns of one speaker that a multi-hop question needs
    share a scene in 42 % of cases, 12 times as often as two of the same speaker's turns by chance, in scenes of 9 notes
    (`SECTION=scenes`); with 96 facts in 48 %, 9 times, 13 notes; with 32 in 31 %, 15 times, 5 notes."""

    neighbours: int = 8
    likeness: float = 0.4  # cosine from which two notes are joined
    entity: float = 0.2  # what a shared entity adds
    link: float = 0.3  # what a link adds, times its weight
    common: int = 20  # an entity of more notes joins none
    facts: int = 64  # the resolution is one for so many notes: scenes are as large in a small memory as in a full era
    least: int = 3  # notes of a scene
    most: int = 32


def nearest(vectors: Floats, count: int) -> tuple[Numbers, Floats]:
    """Rows of the `count` most alike of each row, and their cosines, (n, count). O(n^2) in blocks."""
    count = min(count, len(vectors) - 1)
    rows, cosines = [], []
    for at in range(0, len(vectors), BLOCK):
        block = (vectors[at : at + BLOCK] @ vectors.T).round(4)
        block[np.arange(len(block)), np.arange(at, at + len(block))] = -2
        best = np.argsort(-block, axis=1, kind="stable")[:, :count]
        rows.append(best)
        cosines.append(np.take_along_axis(block, best, axis=1))
    return np.concatenate(rows), np.concatenate(cosines)


def weights(vectors: Floats, bonds: Bonds, by: Gathering) -> dict[tuple[int, int], float]:
    """The edges of the graph: at most neighbours + common / 2 a note and entity."""
    joined: dict[tuple[int, int], float] = {}
    rows, cosines = nearest(vectors, by.neighbours)
    for row, (others, near) in enumerate(zip(rows.tolist(), cosines.tolist(), strict=True)):
        for other, cosine in zip(others, near, strict=True):
            if cosine >= by.likeness:
                joined[min(row, other), max(row, other)] = cosine
    for one, other in entity_pairs(bonds, by.common):
        joined[one, other] = joined.get((one, other), 0.0) + by.entity
    for (one, other), weight in zip(bonds.linked.tolist(), bonds.weights.tolist(), strict=True):
        pair = min(one, other), max(one, other)
        joined[pair] = joined.get(pair, 0.0) + by.link * weight
    return joined


def entity_pairs(bonds: Bonds, common: int) -> Iterator[tuple[int, int]]:
    order = np.lexsort((bonds.row, bonds.entity))
    entity, row = bonds.entity[order], bonds.row[order]
    for part in np.split(row, np.flatnonzero(np.diff(entity)) + 1):
        naming = sorted(set(part.tolist()))
        if 1 < len(naming) <= common:
            yield from combinations(naming, 2)


def communities(vectors: Floats, bonds: Bonds, by: Gathering) -> list[list[int]]:
    """Rows of each scene, ascending; scenes by their first row."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(len(vectors)))
    graph.add_weighted_edges_from(
        (one, other, weight) for (one, other), weight in sorted(weights(vectors, bonds, by).items())
    )
    found = divided(graph, max(1.0, len(vectors) / by.facts), by.most, DIVISIONS)
    return sorted(rows for rows in found if len(rows) >= by.least)


def divided(graph: Any, resolution: float, most: int, times: int) -> Iterator[list[int]]:
    from networkx.algorithms.community import louvain_communities

    for part in louvain_communities(graph, weight="weight", resolution=resolution, seed=SEED):
        rows = sorted(part)
        if len(rows) > most and times:
            inside = graph.__class__(graph.subgraph(rows))
            yield from divided(inside, 2 * resolution, most, times - 1)
        else:
            yield rows
