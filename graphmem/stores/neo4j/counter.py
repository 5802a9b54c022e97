"""The space's counter node: the first thing that a write takes, so that commit order is sequence order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphmem.errors import NotFound
from graphmem.schema import NodeKind, Space
from graphmem.stores.neo4j.server import Tx, rows

# The increment takes the node's lock; what is read after it nobody else changes.
TAKE = "MATCH (c:_Counter {space: $space}) SET c.seq = c.seq + 1 RETURN properties(c)"
PUT_BACK = "MATCH (c:_Counter {space: $space}) SET c.seq = $seq"
LOOK = "MATCH (c:_Counter {space: $space}) RETURN properties(c)"
ADVANCE = "MATCH (c:_Counter {space: $space}) SET c += $values"

#: What is counted beside nodes of each kind: all kept exactly, in the transaction that changes it.
TALLIES = (
    *(kind.name.lower() for kind in NodeKind),
    "retired",
    "edges",
    "passage_vectors",  # of live nodes
    "note_vectors",
    "other_vectors",
    "docs",  # live passages, and their terms
    "length",
    "terms",  # distinct ones
    "refusals",  # ever
)
VECTORS = {int(NodeKind.PASSAGE): "passage_vectors", int(NodeKind.NOTE): "note_vectors"}


@dataclass(slots=True)
class Counter:
    """Where the space stood before this transaction, and what the transaction adds to it.

    `spread`: terms are counted in 2**spread buckets."""

    space: int
    seq: int
    next: int
    chain: bytes
    spread: int
    tallies: dict[str, int]
    touched: set[int] = field(default_factory=set)  # older keys whose vectors changed, came or went

    @classmethod
    def of(cls, values: dict[str, Any], *, taken: bool = False) -> Counter:
        tallies = {name: values.get(name, 0) for name in TALLIES}
        seq = values["seq"] - taken
        return cls(values["space"], seq, values["next"], bytes(values["chain"]), values.get("spread", 0), tallies)

    def count(self, name: str, by: int) -> None:
        self.tallies[name] += by

    def count_nodes(self, kinds: list[int], by: int) -> None:
        for kind in kinds:
            self.tallies[NodeKind(kind).name.lower()] += by

    def count_vectors(self, kinds: list[int], by: int) -> None:
        for kind in kinds:
            self.tallies[VECTORS.get(kind, "other_vectors")] += by

    @property
    def vectors(self) -> int:
        return self.tallies["passage_vectors"] + self.tallies["note_vectors"] + self.tallies["other_vectors"]

    def counts(self) -> dict[str, int]:
        """As `Reader.counts` tells it."""
        named = [*(kind.name.lower() for kind in NodeKind), "retired", "edges"]
        return {name: self.tallies[name] for name in named} | {"commits": self.seq, "vectors": self.vectors}


def take(tx: Tx, space: Space) -> Counter:
    """The counter, locked until the transaction ends. NotFound when the space was erased."""
    found = rows(tx, TAKE, space=space.number)
    if not found:
        raise absent(space)
    return Counter.of(found[0][0], taken=True)


def put_back(tx: Tx, counter: Counter) -> None:
    """What was counted without a commit."""
    rows(tx, ADVANCE, space=counter.space, values={"seq": counter.seq, **counter.tallies, "spread": counter.spread})


def absent(space: Space) -> NotFound:
    return NotFound(f"no space {space.name!r} in this store", hint="it was erased; open it again")
