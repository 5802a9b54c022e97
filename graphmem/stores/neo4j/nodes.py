"""Nodes by id and by key. `Read` asks one statement, within a transaction or in one of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphmem.schema import Id, Node
from graphmem.stores.batchwrite import Stored
from graphmem.stores.neo4j.model import FIELDS, QUOTED, node
from graphmem.stores.neo4j.server import Rows, Tx, pairs

Read = Callable[[str, Mapping[str, Any]], Rows]

FIND = """UNWIND $ids AS id MATCH (n:Zettel {space: $space, id: id})
  RETURN id, n.key, n._kind, n.version, n.retired IS NOT NULL"""
IDS = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) RETURN key, n.id"
LOAD = f"""UNWIND $keys AS key MATCH (n:Zettel {{key: key}})
  RETURN key, n._kind, n.id, n.version, {FIELDS}, {QUOTED}"""
LOAD_IDS = f"""UNWIND $ids AS id MATCH (n:Zettel {{space: $space, id: id}})
  RETURN n.key, n._kind, n.id, n.version, {FIELDS}, {QUOTED}"""
TEXTS = "UNWIND $keys AS key MATCH (p:Passage {key: key}) RETURN key, p.text"


def within(tx: Tx) -> Read:
    """Reads in the transaction."""
    return lambda statement, parameters: tx.run(statement, dict(parameters)).values()


def find(read: Read, space: int, ids: Sequence[Id]) -> dict[Id, Stored]:
    found = read(FIND, {"space": space, "ids": list(ids)}) if ids else ()
    return {id: Stored(n, kind, version, retired) for id, n, kind, version, retired in found}


def ids_of(read: Read, keys: Sequence[int]) -> dict[int, Id]:
    """Key to id, for those that are there."""
    return pairs(read(IDS, {"keys": list(keys)})) if len(keys) else {}


def load(read: Read, keys: Sequence[int]) -> dict[int, Node]:
    """The nodes with these keys, those that are there."""
    found = read(LOAD, {"keys": list(keys)}) if len(keys) else ()
    return {n: node(kind, id, version, fields, quoted) for n, kind, id, version, fields, quoted in found}


def load_ids(read: Read, space: int, ids: Sequence[Id]) -> dict[Id, Node]:
    found = read(LOAD_IDS, {"space": space, "ids": list(ids)}) if ids else ()
    return {id: node(kind, id, version, fields, quoted) for _, kind, id, version, fields, quoted in found}


def texts(read: Read, keys: Sequence[int]) -> dict[int, str]:
    return pairs(read(TEXTS, {"keys": list(keys)})) if len(keys) else {}
