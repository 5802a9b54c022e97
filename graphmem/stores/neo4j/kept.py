"""Recalls kept to be looked at: what was found and what led there, as nodes beside the memory.

(:Recall)-[:FOUND {rank, score}]->(:Note); (:Recall)-[:STARTS]->(:Step)-[:LEADS_TO]->(:Step) ..., each (:Step)-[:AT]->
the node that activation reached. They are a view, no part of the memory: not journaled, in no digest, no copy takes
them along; they hold no text of the memory but the question. Whatever is forgotten takes all of its space's with it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from graphmem.schema import Id, Recall, Space
from graphmem.schema.results import Path
from graphmem.stores.neo4j.server import Tx, rows

#: How many a space keeps: the newest. And how many paths of a hit, the strongest.
KEPT = 20
PATHS = 3

PUT = """CREATE (r:Recall {space: $space, id: $id, question: $question, plan: $plan, seq: $seq, at_us: $at_us})
  WITH r UNWIND $hits AS h MATCH (n:Zettel {space: $space, id: h[0]})
  CREATE (r)-[:FOUND {rank: h[1], score: h[2]}]->(n)"""
PUT_STEPS = """UNWIND $steps AS s MATCH (n:Zettel {space: $space, id: s[3]})
  CREATE (:Step {space: $space, recall: $id, number: s[0], kind: s[2], factor: s[4], says: s[5]})-[:AT]->(n)"""
START = """MATCH (r:Recall {space: $space, id: $id}) MATCH (s:Step {space: $space, recall: $id})
  WHERE s.number IN $first CREATE (r)-[:STARTS]->(s)"""
LEAD = """UNWIND $steps AS pair MATCH (a:Step {space: $space, recall: $id, number: pair[1]})
  MATCH (b:Step {space: $space, recall: $id, number: pair[0]}) CREATE (a)-[:LEADS_TO]->(b)"""
THERE = "MATCH (r:Recall {id: $id}) RETURN r.id"
DROP_OLD = """MATCH (r:Recall {space: $space}) WITH r ORDER BY r.at_us DESC SKIP $kept
  OPTIONAL MATCH (s:Step {space: $space, recall: r.id}) DETACH DELETE s, r"""
DROP = "MATCH (n:Recall|Step) WHERE n.space = $space DETACH DELETE n"

Row = list[Any]  # number, number of the step before (-1: none), kind, node, factor, kind in words


def keep(tx: Tx, space: Space, recalled: Recall, id: Id) -> None:
    """Writes one recall; an older one goes when there are KEPT already."""
    hits = [[hit.note.id, rank, hit.score] for rank, hit in enumerate(recalled.hits, 1)]
    steps = tree([path for hit in recalled.hits for path in strongest(hit.paths)])
    named = {"space": space.number, "id": id}
    about = {"question": recalled.question, "plan": recalled.plan, "seq": recalled.seq}
    rows(tx, PUT, hits=hits, at_us=time.time_ns() // 1000, **about, **named)
    if steps:
        rows(tx, PUT_STEPS, steps=steps, **named)
        rows(tx, START, first=[step[0] for step in steps if step[1] < 0], **named)
        rows(tx, LEAD, steps=[step[:2] for step in steps if step[1] >= 0], **named)
    rows(tx, DROP_OLD, space=space.number, kept=KEPT)


def is_there(tx: Tx, id: Id) -> bool:
    """Whether an attempt that was not acknowledged was kept after all."""
    return bool(rows(tx, THERE, id=id))


def strongest(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: -path.weight)[:PATHS]


def words(kind: str) -> str:
    """A kind of step, short enough for a node's caption: `vector`, `next`, `back: part`."""
    plain = kind.lower().rpartition(":")[2].replace("_", " ")
    return f"back: {plain[1:]}" if plain.startswith("~") else plain


def tree(paths: Sequence[Path]) -> list[Row]:
    """The steps of all paths, those that begin alike together: each once, after the one it follows."""
    steps: list[Row] = []
    known: dict[tuple[int, str, Id], int] = {}
    for path in paths:
        before = -1
        for step in path.steps:
            key = (before, step.kind, step.dst)
            if key not in known:
                known[key] = len(steps)
                steps.append([len(steps), before, step.kind, step.dst, step.weight, words(step.kind)])
            before = known[key]
    return steps
