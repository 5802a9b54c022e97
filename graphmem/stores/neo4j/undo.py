"""Undo of a job: what it wrote is taken back, newest first, as one new commit. What came later is never overwritten:
when anything else builds on the job's objects, nothing is touched and Conflict says what."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphmem.errors import Conflict, NotFound
from graphmem.schema import Commit, EdgeType, Id, JobState, Node, Op, Space
from graphmem.stores.chain import Entry, Logged, unpack_edges
from graphmem.stores.edgekeys import Full, Key
from graphmem.stores.images import Image, from_image, image, kind_of, older_values, pack, unpack
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS
from graphmem.stores.kinds import KIND_OF
from graphmem.stores.neo4j import edges, heads, jobs, journal, nodes, removal
from graphmem.stores.neo4j.counter import Counter, put_back
from graphmem.stores.neo4j.model import fields, labels, references
from graphmem.stores.neo4j.scrub import DROP_ALIASES, SEEN_ELSEWHERE, naming, texts_of
from graphmem.stores.neo4j.server import Tx, rows
from graphmem.stores.neo4j.write import CREATE, UPDATE, Means

STATE = "MATCH (j:_Job {space: $space, id: $job}) RETURN j.state"
COMMITS = """MATCH (c:_Commit {space: $space, job: $job}) RETURN c.seq, c.first, c.nodes, c.body ORDER BY c.seq DESC"""
THERE = "MATCH (n:Zettel) WHERE n.key >= $low AND n.key < $high RETURN n.key ORDER BY n.key"
TOUCHED = "UNWIND $keys AS key MATCH (c:_Change {key: key}) RETURN c.key, c.seq"
EDGE_CHANGES = """MATCH (c:_EdgeChange {space: $space, seq: $seq})
  RETURN c.src, c.type, c.dst, c.start, c.stop, c.weight_q8, c.reason"""
LATER_EDGE_CHANGES = """MATCH (c:_EdgeChange {space: $space}) WHERE c.seq > $seq
  RETURN c.seq, c.src, c.type, c.dst, c.start"""
PASSAGES_IN = """UNWIND $keys AS key MATCH (p:Passage {_source: key}) WHERE p.ordinal IS NOT NULL RETURN p.key
  UNION UNWIND $keys AS key MATCH (p:Passage {_section: key}) WHERE p.ordinal IS NOT NULL RETURN p.key"""
NEW_ALIASES = """MATCH (a:_Alias {space: $space}) WHERE a.seq IN $seqs RETURN a.entity, a.folded"""
STATES = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) RETURN key, n.version, n.retired IS NOT NULL"
SET_VERSIONS = "UNWIND $rows AS r MATCH (n:Zettel {key: r[0]}) SET n.version = r[1]"
BACK_FROM_RETIREMENT = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) REMOVE n.retired"
RETURN_ALIASES = """UNWIND $rows AS r MERGE (a:_Alias {space: $space, folded: r[0], entity: r[1]})
  ON CREATE SET a.passage = r[2], a.seq = r[3]"""


@dataclass(slots=True)
class Past:
    """What the job did, as what must be again. `made`: keys of its nodes that are there. `before`: key to id, image
    fields to put back and whether it was deleted or retired. `edges`: each edge's old row; None: there was none."""

    seqs: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    first_seq: dict[int, int] = field(default_factory=dict)
    before: dict[int, tuple[Id, Image, set[Op]]] = field(default_factory=dict)
    edges: dict[Key, Full | None] = field(default_factory=dict)


def undo(tx: Tx, within: Space, counter: Counter, job: Id, means: Means) -> Commit | None:
    """None when the job wrote nothing, or is undone already."""
    space = within.number
    state = rows(tx, STATE, space=space, job=job)
    past = read(tx, space, job)
    if not state and not past.seqs:
        raise NotFound(f"no job {job}", hint="`graphmem jobs list` shows them")
    if not past.seqs or (state and state[0][0] == JobState.UNDONE.value):
        put_back(tx, counter)
        return None
    refuse_what_is_built_on(tx, space, past)
    seq = counter.seq + 1
    now = nodes.load(nodes.within(tx), sorted(past.before))
    for n in [n for n, (_, known, _) in past.before.items() if n not in now and not known]:
        del past.before[n]  # erased since: there is nothing to put back
    removed, gone = removal.delete_logged(tx, counter, sorted(past.made))
    logged = put_nodes_back(tx, space, counter, past, now)
    changes = put_edges_back(tx, space, counter, past)
    changes += drop_aliases(tx, space, past)
    returned = [n for n, (_, _, ops) in past.before.items() if ops & {Op.DELETE, Op.RETIRE}]
    removal.bring_back(tx, counter, sorted(returned), means.writer, means.vocabulary)
    heads.renew(tx, sorted(past.before))
    changes += edges.log(tx, space, seq, Op.DELETE, gone)
    everything = sorted([*logged, *removed])
    if state:
        jobs.close_job(tx, space, job, JobState.UNDONE, time.time_ns() // 1000)
    entry = Entry(None, "user", f"undo {job}", counter.next, b"", [], everything, changes + len(everything))
    return journal.put(tx, within, counter, entry, means.token)


def read(tx: Tx, space: int, job: Id) -> Past:
    """The job's commits, newest first, so that the oldest values win."""
    past, base, ranges = Past(), space << SPACE_BITS, list[range]()
    for seq, first, made, body in rows(tx, COMMITS, space=space, job=job):
        past.seqs.add(seq)
        ranges.append(range(base + first, base + first + made))
        there = [n for (n,) in rows(tx, THERE, low=base + first, high=base + first + made)]
        past.made.update(there)
        past.first_seq.update(dict.fromkeys(there, seq))
        for n, id, op, before in rows(tx, journal.CHANGES, space=space, seq=seq):
            _, known, ops = past.before.get(n, ("", {}, set[Op]()))
            older = unpack(before) if before is not None else {}
            past.before[n] = (id, {**known, **older}, ops | {Op(op)})
            past.first_seq[n] = seq
        past.edges.update(dict.fromkeys(unpack_edges(space, body)))
        for src, type, dst, start, *value in rows(tx, EDGE_CHANGES, space=space, seq=seq):
            past.edges[src, type, dst, start] = (src, type, dst, start, *value)
    for n in [n for n in past.before if any(n in numbers for numbers in ranges)]:
        del past.before[n]  # the job made it: it goes as a whole, or is gone already
    return past


def refuse_what_is_built_on(tx: Tx, space: int, past: Past) -> None:
    for n, seq in rows(tx, TOUCHED, keys=sorted(past.first_seq)):
        if seq not in past.seqs and seq > past.first_seq[n]:
            raise _built_on(tx, n, f"commit {seq} changed it")
    made = sorted(past.made)
    for full in edges.incident(tx, made):
        if full[:4] not in past.edges:
            n = full[0] if full[0] in past.made else full[2]
            raise _built_on(tx, n, "an edge was added to it later")
    for (n,) in rows(tx, PASSAGES_IN, keys=made):
        if n not in past.made:
            raise _built_on(tx, n, "it was added later to a source of the job")
    for seq, *at in rows(tx, LATER_EDGE_CHANGES, space=space, seq=min(past.seqs)):
        if seq not in past.seqs and tuple(at) in past.edges:
            raise _built_on(tx, at[0], f"commit {seq} changed an edge of it")


def _built_on(tx: Tx, n: int, why: str) -> Conflict:
    id = nodes.ids_of(nodes.within(tx), [n]).get(n, f"number {n & NUMBER_MASK}")
    return Conflict(f"the job cannot be undone: node {id}: {why}", hint="undo what came later first")


def put_nodes_back(tx: Tx, space: int, counter: Counter, past: Past, now: Mapping[int, Node]) -> list[Logged]:
    """Nodes with their old values; those that were deleted, under their old numbers. `now`: what is there of them."""
    keys = sorted(past.before)
    states = {n: (version, retired) for n, version, retired in rows(tx, STATES, keys=keys)}
    images = {n: {**(image(now[n]) if n in now else {}), **past.before[n][1]} for n in keys}
    texts, at = _named(tx, space, list(images.values()))
    logged: list[Logged] = []
    for n in keys:
        id, _, ops = past.before[n]
        before = dict(images[n])
        names, version = before.pop("aliases", ()), before.pop("version", 0)
        kind = KIND_OF[type(now[n])] if n in now else kind_of(before)
        node = from_image(kind, id, before, texts, 0)
        at[id] = n
        columns = [*fields(node), *references(node, at.__getitem__)]
        raw = bytes.fromhex(id)
        if n in now:
            version, retired = states[n]
            if kind in UPDATE and not (ops <= {Op.RETIRE}):
                rows(tx, UPDATE[kind], rows=[[n, version + 1, labels(node), *columns]])
            rows(tx, SET_VERSIONS, rows=[[n, version + 1]])
            if Op.RETIRE in ops and retired:
                rows(tx, BACK_FROM_RETIREMENT, keys=[n])
                counter.count("retired", -1)
                counter.count_nodes([int(kind)], 1)
            old: dict[str, Any] = older_values(image(now[n]), before)
            logged.append((n, raw, Op.UPDATE, pack(old | ({"retired": True} if Op.RETIRE in ops else {}))))
        else:
            more = [None, None, None] if "speaker" in before else []
            rows(tx, CREATE[kind], space=space, rows=[[n, id, labels(node), None, *columns, *more]])
            rows(tx, SET_VERSIONS, rows=[[n, version + 1]])
            rows(tx, RETURN_ALIASES, space=space, rows=[[f, n, passage, seq] for f, passage, seq in names])
            counter.count_nodes([int(kind)], 1)
            logged.append((n, raw, Op.INSERT, None))
    return logged


def _named(tx: Tx, space: int, images: Sequence[Image]) -> tuple[dict[Id, str], dict[Id, int]]:
    """Texts of the passages that these images quote, and keys of all nodes that they name."""
    ids: set[Id] = set()
    for known in images:
        ids.update(span[0] for span in known.get("spans", ()))
        ids.update(known.get("parents", ()))
        ids.update(member[1] for member in known.get("members", ()))
        ids.update(known[name] for name in ("source", "section") if known.get(name))
    at = {id: found.n for id, found in nodes.find(nodes.within(tx), space, sorted(ids)).items()}
    texts = nodes.texts(nodes.within(tx), sorted(at.values()))
    return {id: texts[n] for id, n in at.items() if n in texts}, at


def put_edges_back(tx: Tx, space: int, counter: Counter, past: Past) -> int:
    """Edges between nodes that stay, as they were before the job. How many changes that is."""
    wanted = {at: old for at, old in past.edges.items() if at[0] not in past.made and at[2] not in past.made}
    there = {full[:4]: full for full in edges.between(tx, {at[:3] for at in wanted}).values() if full[:4] in wanted}
    gone = [there[at] for at, old in wanted.items() if old is None and at in there]
    known = nodes.ids_of(nodes.within(tx), sorted({n for at in wanted for n in (at[0], at[2])}))
    back = [old for at, old in wanted.items() if old is not None and at[0] in known and at[2] in known]
    seq = counter.seq + 1
    changes = edges.log(tx, space, seq, Op.DELETE, gone)
    changes += edges.log(tx, space, seq, Op.UPDATE, [there[full[:4]] for full in back if full[:4] in there])
    changes += edges.log(tx, space, seq, Op.INSERT, [full for full in back if full[:4] not in there])
    edges.remove(tx, gone)
    counter.count("edges", edges.restore(tx, back) - len(gone))
    heads.renew_with_notes(tx, (row[0] for row in (*gone, *back) if row[1] == EdgeType.SPEAKER))
    return changes


def drop_aliases(tx: Tx, space: int, past: Past) -> int:
    """The job's names for entities that stay, unless what came later spells them too."""
    found = rows(tx, NEW_ALIASES, space=space, seqs=sorted(past.seqs))
    stay = [(entity, folded) for entity, folded in found if entity not in past.made]
    spelled = {entity: texts_of(tx, naming(tx, entity, past.made)) for entity in {entity for entity, _ in stay}}
    dropped = []
    for entity, folded in stay:
        where = next((n for n, text in spelled[entity] if folded in text), None)
        if where is None:
            dropped.append([folded, entity])
        else:
            rows(tx, SEEN_ELSEWHERE, space=space, rows=[[folded, entity, where]])
    if dropped:
        rows(tx, DROP_ALIASES, space=space, rows=dropped)
    return len(dropped)
