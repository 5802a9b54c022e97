"""Heads of live nodes as one packed property, made from the truth when what they tell changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphmem.schema import NodeKind
from graphmem.stores.base import NO_TIME
from graphmem.stores.headrows import HeadRows, blank
from graphmem.stores.keys import NUMBER_MASK
from graphmem.stores.neo4j.nodes import Read, within
from graphmem.stores.neo4j.server import Tx, rows

# What a live node's head tells: its kind, and of its passage key, source, section, ordinal, time, form and speaker.
OF_TRUTH = f"""UNWIND $keys AS key MATCH (n:Zettel {{key: key}}) WHERE n.retired IS NULL
  OPTIONAL MATCH (p:Zettel {{key: CASE n._kind WHEN {int(NodeKind.PASSAGE)} THEN n.key ELSE n._owner END}})
  RETURN key, n._kind, p.key, p._source, p._section, p.ordinal, p.at_us, p.form,
    COLLECT {{ MATCH (p)-[:SPEAKER]->(e:Zettel) RETURN e.key ORDER BY e.key LIMIT 1 }} ORDER BY key"""
PUT = "UNWIND $rows AS r MATCH (n:Zettel {key: r[0]}) SET n._head = r[1]"
QUOTING = "UNWIND $keys AS key MATCH (:Zettel {key: key})<-[:FROM]-(n:Zettel) RETURN DISTINCT n.key"


def of_truth(read: Read, keys: Sequence[int]) -> tuple[list[int], HeadRows]:
    """The heads that live nodes among these keys should have, ascending by key."""
    found = read(OF_TRUTH, {"keys": sorted(set(keys))}) if keys else ()
    made = blank(len(found))
    for i, (_, kind, owner, source, section, ordinal, at_us, form, speaker) in enumerate(found):
        if owner is None:
            made[i]["kind"] = kind
            continue
        numbers = (owner, source, section or 0, speaker[0] if speaker else 0)
        at = NO_TIME if at_us is None else at_us
        made[i] = (kind, form, *(n & NUMBER_MASK for n in numbers), ordinal, at)
    return [row[0] for row in found], made


def put(tx: Tx, keys: Sequence[int], made: HeadRows) -> None:
    if len(keys):
        rows(tx, PUT, rows=[[n, row.tobytes()] for n, row in zip(keys, made, strict=True)])


def renew(tx: Tx, keys: Iterable[int]) -> None:
    """Writes the heads of these nodes anew."""
    put(tx, *of_truth(within(tx), sorted(set(keys))))


def renew_with_notes(tx: Tx, passages: Iterable[int]) -> None:
    """Likewise these passages' heads and those of what quotes them: the speaker of a passage stands in all of them."""
    keys = sorted(set(passages))
    if keys:
        quoting = {row[0] for row in rows(tx, QUOTING, keys=keys)}
        renew(tx, quoting.union(keys))
