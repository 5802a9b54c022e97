"""Jobs, their items and refusals, and use counts: beside the journal, in the same transactions.

An item that only waits is a key in its job's list; it becomes a node when something happens to it. A job over a folder
would else put a node for each file before the first note, and `MATCH (n) RETURN n LIMIT 25` would show those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphmem.errors import NotFound
from graphmem.schema import Id, Item, ItemState, Job, JobState, Refusal
from graphmem.stores.base import NO_TIME
from graphmem.stores.canonical import as_json
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.neo4j.server import Tx, rows

MAX_PROPOSAL_CHARS = 2_000

PUT_JOBS = """UNWIND $rows AS r MERGE (j:_Job {space: $space, id: r[0]})
  ON CREATE SET j.spec = r[2], j.opened_us = r[3] SET j.state = r[1], j.closed_us = r[4]"""
CLOSE_JOB = "MATCH (j:_Job {space: $space, id: $id}) SET j.state = $state, j.closed_us = $closed_us RETURN j.id"
JOBS = """MATCH (j:_Job {space: $space}) WHERE j.id IS NOT NULL
  RETURN j.id, j.state, j.spec, j.opened_us, j.closed_us ORDER BY j.opened_us, j.id"""
PUT_ITEMS = """UNWIND $rows AS r MERGE (i:_Item {space: $space, job: r[0], item: r[1]})
  SET i.state = r[2], i.cursor = r[3], i.error = r[4], i.position = r[5]"""
HELD = """UNWIND $rows AS r MATCH (i:_Item {space: $space, job: r[0], item: r[1]}) RETURN i.job, i.item"""
WAITING = "UNWIND $jobs AS id MATCH (j:_Job {space: $space, id: id}) RETURN j.id, coalesce(j.waiting, [])"
SET_WAITING = "UNWIND $rows AS r MATCH (j:_Job {space: $space, id: r[0]}) SET j.waiting = r[1]"
# A job that ends has come to all its items: each has its node.
SETTLE = """MATCH (j:_Job {space: $space, id: $id}) WHERE j.waiting IS NOT NULL
  AND all(key IN j.waiting WHERE EXISTS { (:_Item {space: $space, job: $id, item: key}) }) REMOVE j.waiting"""
ITEMS = """MATCH (i:_Item {space: $space, job: $job}) WHERE i.item IS NOT NULL
  RETURN i.job, i.item, i.state, i.cursor, i.error, i.position ORDER BY i.item"""
PUT_REFUSALS = """UNWIND $rows AS r CREATE (f:_Refusal {space: $space, number: r[0], job: $job, token: $token,
  step: r[1], input: r[2], reason: r[3], proposal: r[4]})"""
REFUSED = "MATCH (f:_Refusal {token: $token}) RETURN f.token LIMIT 1"
REFUSALS = """MATCH (f:_Refusal {space: $space}) WHERE f.number > 0 AND ($job IS NULL OR f.job = $job)
  RETURN f.step, f.input, f.reason, f.proposal ORDER BY f.number LIMIT $limit"""
COUNT_USE = """UNWIND $ids AS id MATCH (n:Zettel {space: $space, id: id}) MERGE (u:_Usage {key: n.key})
  ON CREATE SET u.used = 0, u.last_us = $now_us, u.space = $space
  SET u.used = u.used + $step, u.last_us = CASE WHEN u.last_us < $now_us THEN $now_us ELSE u.last_us END"""


def put_jobs(tx: Tx, space: int, jobs: Sequence[Job]) -> None:
    """As they are told; a job that is there gets the state and closing time."""
    told = [[job.id, job.state.value, as_json(job.spec), job.opened_us, job.closed_us] for job in jobs]
    rows(tx, PUT_JOBS, space=space, rows=told)


def close_job(tx: Tx, space: int, job: Id, state: JobState, now_us: int) -> None:
    """An open state opens it again: a job that is resumed has not been closed."""
    closed_us = None if state == JobState.OPEN else now_us
    if not rows(tx, CLOSE_JOB, space=space, id=job, state=state.value, closed_us=closed_us):
        raise NotFound(f"no job {job}", hint="`graphmem jobs list` shows them")
    if closed_us is not None:
        rows(tx, SETTLE, space=space, id=job)


def jobs(read: Read, space: int) -> list[Job]:
    return [
        Job(id, JobState(state), json.loads(spec), opened_us, closed_us)
        for id, state, spec, opened_us, closed_us in read(JOBS, {"space": space})
    ]


def put_items(tx: Tx, space: int, items: Sequence[Item]) -> None:
    """An item that only waits and has no node joins its job's list, if there is the job."""
    idle = {(i.job, i.key) for i in items if i == Item(i.job, i.key, ItemState.PENDING)}
    if idle:
        idle -= {(job, key) for job, key in rows(tx, HELD, space=space, rows=[list(at) for at in sorted(idle)])}
        idle = _put_waiting(tx, space, idle)
    told = [[i.job, i.key, i.state.value, i.cursor, i.error, i.position] for i in items if (i.job, i.key) not in idle]
    if told:
        rows(tx, PUT_ITEMS, space=space, rows=told)


def _put_waiting(tx: Tx, space: int, idle: set[tuple[Id, str]]) -> set[tuple[Id, str]]:
    """Those of jobs that are there."""
    lists: dict[Id, list[str]] = {}
    for job, waiting in rows(tx, WAITING, space=space, jobs=sorted({job for job, _ in idle})):
        lists[job] = waiting
    joined = {job: dict.fromkeys(waiting) for job, waiting in lists.items()}
    put = {at for at in idle if at[0] in joined}
    for job, key in sorted(put):
        joined[job][key] = None
    changed = [[job, list(keys)] for job, keys in joined.items() if len(keys) > len(lists[job])]
    if changed:
        rows(tx, SET_WAITING, space=space, rows=changed)
    return put


def items(read: Read, space: int, job: Id) -> list[Item]:
    found = {
        key: Item(of, key, ItemState(state), cursor, error, position)
        for of, key, state, cursor, error, position in read(ITEMS, {"space": space, "job": job})
    }
    for _, waiting in read(WAITING, {"space": space, "jobs": [job]}):
        for key in waiting:
            found.setdefault(key, Item(job, key, ItemState.PENDING))
    return [found[key] for key in sorted(found)]


def put_refusals(tx: Tx, counter: Counter, job: Id | None, refusals: Sequence[Refusal], token: str) -> None:
    if not refusals:
        return
    first = counter.tallies["refusals"] + 1
    counter.count("refusals", len(refusals))
    told = [[first + i, r.step, r.input_id, r.reason, r.proposal[:MAX_PROPOSAL_CHARS]] for i, r in enumerate(refusals)]
    rows(tx, PUT_REFUSALS, space=counter.space, job=job, token=token, rows=told)


def refused(tx: Tx, token: str) -> bool:
    """Whether an earlier attempt of the same write left refusals."""
    return bool(rows(tx, REFUSED, token=token))


def refusals(read: Read, space: int, job: Id | None, limit: int) -> list[Refusal]:
    asked: Mapping[str, Any] = {"space": space, "job": job, "limit": limit}
    return [Refusal(*row) for row in read(REFUSALS, asked)]


def count_use(tx: Tx, space: int, ids: Sequence[Id], now_us: int, *, useful: bool) -> None:
    last_us, step = (now_us, 1) if useful else (NO_TIME, -1)
    rows(tx, COUNT_USE, space=space, ids=sorted(set(ids)), now_us=last_us, step=step)
