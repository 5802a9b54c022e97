"""The journal: commits in a chain, and what each did, told again from ids and old values.

New nodes of a commit are one range of numbers and its new edges packed arrays; the content stands in the graph. What is
updated, deleted, retired or brought back has a _Change with the old values of the fields that changed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from graphmem.errors import NotFound
from graphmem.schema import Change, Commit, Id, Op, Space
from graphmem.stores.chain import Entry, breaks, commitment, link, pack_edges, unpack_edges
from graphmem.stores.edgekeys import NO_START, Key, edge_id
from graphmem.stores.images import Image, image, unpack
from graphmem.stores.keys import NUMBER_MASK, SPACE_BITS
from graphmem.stores.neo4j import nodes
from graphmem.stores.neo4j.counter import ADVANCE, Counter
from graphmem.stores.neo4j.nodes import Read
from graphmem.stores.neo4j.server import Tx, rows

PUT_COMMIT = "CREATE (c:_Commit) SET c = $fields"
PUT_CHANGES = """UNWIND $rows AS r CREATE (c:_Change {space: $space, seq: $seq, key: r[0], id: r[1], op: r[2],
  before: r[3]})"""
OF_TOKEN = """MATCH (c:_Commit {token: $token})
  RETURN c.seq, c.job, c.actor, c.at_us, c.cause, c.changes, c.chain"""
COMMITS = """MATCH (c:_Commit {space: $space}) WHERE c.seq > $after
  RETURN c.seq, c.job, c.actor, c.at_us, c.cause, c.changes, c.chain ORDER BY c.seq LIMIT $limit"""
SOME_COMMITS = """UNWIND $seqs AS seq MATCH (c:_Commit {space: $space, seq: seq})
  RETURN c.seq, c.job, c.actor, c.at_us, c.cause, c.changes, c.chain"""
BODY = "MATCH (c:_Commit {space: $space, seq: $seq}) RETURN c.first, c.nodes, c.body"
MADE = """MATCH (c:_Commit {space: $space}) WHERE c.first <= $number AND c.nodes > 0
  RETURN c.seq, c.first, c.nodes ORDER BY c.first DESC LIMIT 1"""
CHANGES = """MATCH (c:_Change {space: $space, seq: $seq}) WHERE c.key > 0
  RETURN c.key, c.id, c.op, c.before ORDER BY c.key"""
CHANGES_OF = "MATCH (c:_Change {space: $space, id: $id}) RETURN c.seq, c.key, c.op, c.before ORDER BY c.seq"
EDGE_CHANGES = """MATCH (c:_EdgeChange {space: $space, seq: $seq})
  RETURN c.src, c.type, c.dst, c.start, c.op, c.stop, c.weight_q8, c.reason ORDER BY c.src, c.type, c.dst, c.start"""
NEW_ALIASES = """MATCH (a:_Alias {space: $space, seq: $seq})
  RETURN a.folded, a.entity ORDER BY a.folded, a.entity"""
CHAIN = """MATCH (c:_Commit {space: $space}) WHERE c.seq > 0 RETURN c.seq, c.job, c.actor, c.cause, c.at_us, c.changes,
  c.first, c.nodes, c.body, c.salt, c.commitment, c.chain ORDER BY c.seq"""
MADE_IDS = "MATCH (n:Zettel) WHERE n.key >= $low AND n.key < $high RETURN n.id ORDER BY n.key"


def put(tx: Tx, space: Space, counter: Counter, entry: Entry, token: str) -> Commit:
    """Writes the commit, its changes and the space's counter."""
    seq, made = counter.seq + 1, len(entry.made) // 16
    at_us = time.time_ns() // 1000 if entry.at_us is None else entry.at_us
    body, salt = pack_edges(entry.edges), secrets.token_bytes(16)
    sealed = commitment(salt, entry.made, body, [(id, op.value, before) for _, id, op, before in entry.logged])
    fields = (seq, entry.job, entry.actor, entry.cause, at_us, entry.changes, entry.first, made)
    chain = link(counter.chain, fields, sealed)
    named = dict(zip("seq job actor cause at_us changes first nodes".split(), fields, strict=True))
    blobs = {"body": body, "salt": salt, "commitment": sealed, "chain": chain, "token": token, "space": space.number}
    touched = {"touched": sorted(counter.touched)} if counter.touched else {}
    if entry.logged:
        logged = [[n, id.hex(), op.value, before] for n, id, op, before in entry.logged]
        rows(tx, PUT_CHANGES, space=space.number, seq=seq, rows=logged)
    rows(tx, PUT_COMMIT, fields=named | blobs | touched)
    values = {"seq": seq, "next": entry.first + made, "chain": chain, "spread": counter.spread, **counter.tallies}
    rows(tx, ADVANCE, space=space.number, values=values)
    return Commit(space.name, seq, entry.job, entry.actor, at_us, entry.cause, entry.changes, chain.hex())


def of_token(tx: Tx, space: Space, token: str) -> Commit | None:
    """The commit that an earlier attempt of the same write left."""
    found = rows(tx, OF_TOKEN, token=token)
    return _commit(space.name, found[0]) if found else None


def check(read: Read, space: int, counter: Counter) -> list[str]:
    """Where the chain does not verify."""
    found = read(CHAIN, {"space": space})
    return breaks(found, lambda seq, made, of: _opens(read, space, seq, made, of=of), (counter.seq, counter.chain))


def _opens(read: Read, space: int, seq: int, range: tuple[int, int], *, of: tuple[bytes, bytes, bytes]) -> bool:
    """Whether the commit's changes, as far as they are all there, give its commitment again."""
    (first, made), (salt, body, sealed) = range, of
    base = space << SPACE_BITS
    ids = read(MADE_IDS, {"low": base + first, "high": base + first + made})
    if len(ids) != made:
        return True  # some were deleted since: their ids are with their deletion, the chain still holds
    told = read(CHANGES, {"space": space, "seq": seq})
    logged = [(bytes.fromhex(id), op, before) for _, id, op, before in told]
    return commitment(salt, b"".join(bytes.fromhex(id) for (id,) in ids), body, logged) == sealed


# -- reading


def commits(read: Read, space: Space, after: int, limit: int) -> list[Commit]:
    found = read(COMMITS, {"space": space.number, "after": after, "limit": limit})
    return [_commit(space.name, row) for row in found]


def _commit(name: str, row: Sequence[Any]) -> Commit:
    seq, job, actor, at_us, cause, changes, chain = row
    return Commit(name, seq, job, actor, at_us, cause, changes, chain.hex())


def changes(read: Read, space: int, seq: int) -> list[Change]:
    """What one commit did: nodes, then aliases and edges (their ids spell their ends). What was erased is left out."""
    found = read(BODY, {"space": space, "seq": seq})
    if not found:
        raise NotFound(f"no commit {seq}", hint="`commits` lists them")
    first, made, body = found[0]
    low = (space << SPACE_BITS) + first
    logged = read(CHANGES, {"space": space, "seq": seq})
    gone = {row[0] for row in logged}
    ids = nodes.ids_of(read, [n for n in range(low, low + made) if n not in gone])
    told = [Change(seq, id, Op.INSERT, None) for _, id in sorted(ids.items())]
    for _, id, op, before in logged:
        full = _before(read, space, id, seq) if before is not None else None
        told.append(Change(seq, id, Op(op), full))
    return told + _alias_changes(read, space, seq) + _edge_changes(read, space, seq, unpack_edges(space, body))


def _alias_changes(read: Read, space: int, seq: int) -> list[Change]:
    found = read(NEW_ALIASES, {"space": space, "seq": seq})
    ids = nodes.ids_of(read, [entity for _, entity in found])
    return [Change(seq, f"{ids[entity]}:alias:{folded}", Op.INSERT, None) for folded, entity in found if entity in ids]


def _edge_changes(read: Read, space: int, seq: int, new: list[Key]) -> list[Change]:
    old = read(EDGE_CHANGES, {"space": space, "seq": seq})
    ids = nodes.ids_of(read, sorted({n for row in (*new, *old) for n in (row[0], row[2])}))
    told = [Change(seq, edge_id(ids, at), Op.INSERT, None) for at in new if at[0] in ids and at[2] in ids]
    for src, type, dst, start, op, stop, weight, reason in old:
        if src in ids and dst in ids:
            before = {"weight_q8": weight, "reason": reason, "end": None if stop == NO_START else stop}
            told.append(Change(seq, edge_id(ids, (src, type, dst, start)), Op(op), before))
    return told


def history(read: Read, space: Space, id: Id) -> list[tuple[Commit, Change]]:
    """All that happened to a node, oldest first, with full before-images."""
    logged = read(CHANGES_OF, {"space": space.number, "id": id})
    now = nodes.find(read, space.number, [id]).get(id)
    lives = {row[1] for row in logged} | ({now.n} if now else set())
    told: dict[int, Change] = {}
    for n in lives:
        number = n & NUMBER_MASK
        made = read(MADE, {"space": space.number, "number": number})
        if made and number < made[0][1] + made[0][2]:
            told[made[0][0]] = Change(made[0][0], id, Op.INSERT, None)
    images = _images(read, now.n if now else None, [(row[0], row[3]) for row in logged])
    for (seq, _, op, _), full in zip(logged, images, strict=True):
        told[seq] = Change(seq, id, Op(op), full)
    found = read(SOME_COMMITS, {"space": space.number, "seqs": sorted(told)})
    commits = {row[0]: _commit(space.name, row) for row in found}
    return [(commits[seq], change) for seq, change in sorted(told.items())]


def _before(read: Read, space: int, id: Id, seq: int) -> Image | None:
    told = read(CHANGES_OF, {"space": space, "id": id})
    now = nodes.find(read, space, [id]).get(id)
    return _images(read, now.n if now else None, [(row[0], row[3]) for row in told if row[0] >= seq])[0]


def _images(read: Read, n: int | None, logged: Sequence[tuple[int, bytes | None]]) -> list[Image | None]:
    """Before-images of changes in order of time: each is the next one's, with the old values put back."""
    node = nodes.load(read, [n]).get(n) if n is not None else None
    current: Image = image(node) if node is not None else {}
    images: list[Image | None] = []
    for _, before in reversed(logged):
        if before is None:
            images.append(None)
            continue
        current = {**current, **unpack(before)}
        images.append(current)
    return images[::-1]
