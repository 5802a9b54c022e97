"""Jobs, their items and refusals, and use counts: beside the journal, in the same transactions."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence

from graphmem.errors import NotFound
from graphmem.schema import Id, Item, ItemState, Job, JobState, Refusal
from graphmem.stores.base import NO_TIME
from graphmem.stores.canonical import as_json
from graphmem.stores.sqlite.keys import listed

MAX_PROPOSAL_CHARS = 2_000

PUT_JOB = "INSERT INTO job VALUES(?, ?, ?, ?, ?, NULL)"
REPEAT_JOB = """INSERT INTO job VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(space, id) DO UPDATE SET
  state = excluded.state, closed_us = excluded.closed_us"""
CLOSE_JOB = "UPDATE job SET state = ?, closed_us = ? WHERE space = ? AND id = ?"
JOBS = "SELECT id, state, spec, opened_us, closed_us FROM job WHERE space = ? ORDER BY opened_us, id"
PUT_ITEM = """INSERT INTO item VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(space, job, key) DO UPDATE SET
  state = excluded.state, cursor = excluded.cursor, error = excluded.error, position = excluded.position"""
ITEMS = "SELECT job, key, state, cursor, error, position FROM item WHERE space = ? AND job = ? ORDER BY key"
PUT_REFUSAL = "INSERT INTO refusal(space, job, step, input, reason, proposal) VALUES(?, ?, ?, ?, ?, ?)"
REFUSALS = """SELECT step, input, reason, proposal FROM refusal WHERE space = ?1 AND (?2 IS NULL OR job = ?2)
  ORDER BY number LIMIT ?3"""
COUNT_USE = """INSERT INTO usage SELECT value, ?3, ?2 FROM json_each(?1) WHERE true
  ON CONFLICT(n) DO UPDATE SET used = used + excluded.used, last_us = max(last_us, excluded.last_us)"""
USAGE = "SELECT n, used, last_us FROM json_each(?) asked CROSS JOIN usage ON n = asked.value"


def open_job(db: sqlite3.Connection, space: int, spec: Mapping[str, object]) -> Job:
    job = Job(secrets.token_hex(16), JobState.OPEN, dict(spec), time.time_ns() // 1000)
    db.execute(PUT_JOB, (space, job.id, job.state.value, as_json(job.spec), job.opened_us))
    return job


def put_jobs(db: sqlite3.Connection, space: int, jobs: Sequence[Job]) -> None:
    rows = [(space, job.id, job.state.value, as_json(job.spec), job.opened_us, job.closed_us) for job in jobs]
    db.executemany(REPEAT_JOB, rows)


def close_job(db: sqlite3.Connection, space: int, job: Id, state: JobState) -> None:
    """An open state opens it again: a job that is resumed has not been closed."""
    closed_us = None if state == JobState.OPEN else time.time_ns() // 1000
    if not db.execute(CLOSE_JOB, (state.value, closed_us, space, job)).rowcount:
        raise NotFound(f"no job {job}", hint="`graphmem jobs list` shows them")


def jobs(db: sqlite3.Connection, space: int) -> list[Job]:
    return [
        Job(id, JobState(state), json.loads(spec), opened_us, closed_us)
        for id, state, spec, opened_us, closed_us in db.execute(JOBS, (space,))
    ]


def put_items(db: sqlite3.Connection, space: int, items: Sequence[Item]) -> None:
    db.executemany(
        PUT_ITEM,
        [(space, item.job, item.key, item.state.value, item.cursor, item.error, item.position) for item in items],
    )


def items(db: sqlite3.Connection, space: int, job: Id) -> list[Item]:
    return [
        Item(of, key, ItemState(state), cursor, error, position)
        for of, key, state, cursor, error, position in db.execute(ITEMS, (space, job))
    ]


def put_refusals(db: sqlite3.Connection, space: int, job: Id | None, refusals: Sequence[Refusal]) -> None:
    db.executemany(
        PUT_REFUSAL,
        [(space, job, r.step, r.input_id, r.reason, r.proposal[:MAX_PROPOSAL_CHARS]) for r in refusals],
    )


def refusals(db: sqlite3.Connection, space: int, job: Id | None, limit: int) -> list[Refusal]:
    return [Refusal(*row) for row in db.execute(REFUSALS, (space, job, limit))]


def count_use(db: sqlite3.Connection, keys: Sequence[int], now_us: int, *, useful: bool) -> None:
    db.execute(COUNT_USE, (listed(list(keys)), now_us if useful else NO_TIME, 1 if useful else -1))


def usage(db: sqlite3.Connection, keys: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Count and last use of those that were ever counted."""
    return {n: (used, last_us) for n, used, last_us in db.execute(USAGE, (listed(list(keys)),))}
