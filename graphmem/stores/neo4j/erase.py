"""Forgetting: what is named and all that stems from it leaves every node, index and the journal.

What stays of it: a tombstone with a random id and counts, and commits that still verify (their commitments are salted,
the salts are dropped). What no client can reach, the certificate names: transaction logs and freed pages.
"""

from __future__ import annotations

import json
import secrets
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence

from graphmem.errors import NotFound
from graphmem.schema import ForgetReport, Id, NodeKind, Space
from graphmem.stores.canonical import as_json
from graphmem.stores.chain import Entry
from graphmem.stores.keys import SPACE_BITS
from graphmem.stores.neo4j import journal, kept, nodes, scrub
from graphmem.stores.neo4j.closure import past_deletes, reached
from graphmem.stores.neo4j.counter import Counter
from graphmem.stores.neo4j.removal import remove
from graphmem.stores.neo4j.server import Server, Tx, rows

KINDS = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) RETURN n._kind, count(*)"
DELETED = "UNWIND $ids AS id MATCH (c:_Change {space: $space, id: id}) RETURN c.id, c.key"
COMMITS = "MATCH (c:_Commit {space: $space}) WHERE c.seq > 0 RETURN c.seq, c.first, c.nodes, c.job ORDER BY c.first"
NULL_BEFORES = (
    """UNWIND $rows AS r MATCH (c:_Change {key: r[0]}) REMOVE c.before SET c.id = r[1] RETURN DISTINCT c.seq"""
)
DROP_EDGE_CHANGES = (
    "UNWIND $keys AS key MATCH (c:_EdgeChange {src: key}) WITH c, c.seq AS seq DELETE c RETURN seq",
    "UNWIND $keys AS key MATCH (c:_EdgeChange {dst: key}) WITH c, c.seq AS seq DELETE c RETURN seq",
)
DROP_SALTS = "UNWIND $seqs AS seq MATCH (c:_Commit {space: $space, seq: seq}) REMOVE c.salt"
PUT_TOMBSTONE = """MERGE (t:_Tombstone {id: $id}) SET t.space = $space, t.at_us = $at_us, t.actor = $actor,
  t.counts = $counts"""
TOMBSTONE = "MATCH (t:_Tombstone {id: $id}) RETURN t.counts"

# A space goes in two steps: at once its counter, so that nobody finds it any more, then in batches what it held.
DROP_COUNTER = """MATCH (c:_Counter {space: $space}) DELETE c
  WITH count(*) AS gone MATCH (m:_Meta {name: 'graphmem'}) SET m.erasing = coalesce(m.erasing, []) + $space"""
ERASING = "MATCH (m:_Meta {name: 'graphmem'}) RETURN coalesce(m.erasing, [])"
ERASED = "MATCH (m:_Meta {name: 'graphmem'}) SET m.erasing = [s IN m.erasing WHERE s <> $space]"
DROP_NODES = """MATCH (n:Zettel) WHERE n.key >= $low AND n.key < $high
  CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 2000 ROWS"""
PLUMBING = "_Alias _Commit _Change _EdgeChange _Job _Item _Refusal _Terms _Usage".split()
DROP_PLUMBING = tuple(
    f"MATCH (n:{label}) WHERE n.space = $space CALL (n) {{ DELETE n }} IN TRANSACTIONS OF 5000 ROWS"
    for label in PLUMBING
)
DROP_SHOWN = "MATCH (s:Space) WHERE s.graphmem = $space DELETE s"

STILL_THERE = (
    "the server's transaction logs, and pages that it freed and has not used again, may hold erased bytes: let the "
    "logs rotate and be pruned (db.tx_log.rotation.retention_policy, CALL db.checkpoint()), erase older backups"
)


def forget(tx: Tx, space: Space, counter: Counter, ids: Sequence[Id], *, actor: str, token: str) -> ForgetReport:
    """Within one transaction. NotFound when an id is neither there nor in the journal; then nothing is erased."""
    number = space.number
    live, past = _named(tx, number, ids)
    gone = reached(tx, live)
    names = nodes.ids_of(nodes.within(tx), sorted(gone))
    past |= past_deletes(tx, number, {*names.values(), *ids}, gone)
    counts = _counts(tx, gone, past)
    text = scrub.Text.of(tx, number, gone)
    seqs, jobs = _commits_of(tx, number, gone | past)
    counts["edges"] = len(remove(tx, counter, sorted(gone)))
    changed = text.scrub(tx, jobs)
    rows(tx, kept.DROP, space=number)  # a question may tell what is to be forgotten
    hidden = [[key, secrets.token_hex(16)] for key in sorted(gone | past | changed)]
    seqs |= {row[0] for row in rows(tx, NULL_BEFORES, rows=hidden)}
    for statement in DROP_EDGE_CHANGES:
        seqs |= {row[0] for row in rows(tx, statement, keys=sorted(gone))}
    rows(tx, DROP_SALTS, space=number, seqs=sorted(seqs))
    _put_tombstone(tx, token, number, actor, counts)
    entry = Entry(None, actor, "forget", counter.next, b"", [], [], sum(counts.values()))
    journal.put(tx, space, counter, entry, token)
    return ForgetReport(token, counts, (STILL_THERE,))


def _named(tx: Tx, space: int, ids: Sequence[Id]) -> tuple[list[int], set[int]]:
    found = nodes.find(nodes.within(tx), space, list(dict.fromkeys(ids)))
    lost = [id for id in ids if id not in found]
    deleted = rows(tx, DELETED, space=space, ids=lost) if lost else []
    for id in lost:
        if id not in {row[0] for row in deleted}:
            raise NotFound(f"no node {id} to forget", hint="it may be forgotten already")
    return [stored.n for stored in found.values()], {key for _, key in deleted}


def _counts(tx: Tx, gone: set[int], past: set[int]) -> dict[str, int]:
    counts = Tally[str]()
    for kind, count in rows(tx, KINDS, keys=sorted(gone)):
        counts[NodeKind(kind).name.lower()] += count
    if past - gone:
        counts["journaled"] = len(past - gone)
    return dict(counts)


def _commits_of(tx: Tx, space: int, keys: set[int]) -> tuple[set[int], set[Id]]:
    """Commits that made these nodes, and their jobs."""
    base, seqs, jobs = space << SPACE_BITS, set[int](), set[Id]()
    numbers = sorted(keys)
    for seq, first, made, job in rows(tx, COMMITS, space=space):
        at = bisect_left(numbers, base + first)
        if at < len(numbers) and numbers[at] < base + first + made:
            seqs.add(seq)
            if job is not None:
                jobs.add(job)
    return seqs, jobs


def _put_tombstone(tx: Tx, id: Id, space: int, actor: str, counts: dict[str, int]) -> None:
    rows(tx, PUT_TOMBSTONE, id=id, space=space, at_us=time.time_ns() // 1000, actor=actor, counts=as_json(counts))


def drop_counter(tx: Tx, space: Space, counter: Counter, token: str) -> ForgetReport:
    """A space is gone for everybody, its key included: what ids anyone noted can no longer be traced to their texts."""
    counts = {name: count for name, count in counter.counts().items() if count and name not in ("commits", "vectors")}
    counts.pop("retired", None)
    counts.setdefault("edges", 0)
    rows(tx, DROP_COUNTER, space=space.number)
    _put_tombstone(tx, token, space.number, "user", counts)
    return ForgetReport(token, counts, (STILL_THERE,))


def sweep(server: Server) -> None:
    """Erases what erased spaces held, also what an erasure that was killed has left."""
    for space in server.schema(ERASING)[0][0]:
        low = space << SPACE_BITS
        server.schema(DROP_NODES, {"low": low, "high": low + (1 << SPACE_BITS)})
        for statement in (kept.DROP, *DROP_PLUMBING):
            server.schema(statement, {"space": space})
        server.schema(DROP_SHOWN, {"space": space})
        server.schema(ERASED, {"space": space})


def of_token(tx: Tx, token: str) -> ForgetReport | None:
    """The certificate of an earlier attempt that was kept."""
    found = rows(tx, TOMBSTONE, id=token)
    return ForgetReport(token, json.loads(found[0][0]), (STILL_THERE,)) if found else None
