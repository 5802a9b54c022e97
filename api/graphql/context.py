"""What resolvers share: the memory, a bounded way to call it in threads, and batched look-ups of one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext

from graphmem.api.settings import Limits
from graphmem.schema import LINK_KINDS, Edge, Id, Node

if TYPE_CHECKING:
    from graphmem.memory import Memory

T = TypeVar("T")


class Gate:
    """Runs calls into the synchronous memory in threads, at most so many at once; the rest wait their turn."""

    def __init__(self, threads: int) -> None:
        self._limiter = anyio.CapacityLimiter(threads)

    async def run(self, call: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)


class Context(BaseContext):
    """One request. Nodes and links asked for by many fields are read together, once."""

    def __init__(self, memory: Memory, gate: Gate, limits: Limits) -> None:
        super().__init__()
        self.memory, self.gate, self.limits = memory, gate, limits
        self.nodes: DataLoader[Id, Node | None] = DataLoader(load_fn=self._load_nodes)
        self.links: DataLoader[Id, list[Edge]] = DataLoader(load_fn=self._load_links)

    def deadline(self, asked_s: float | None) -> float:
        """The seconds a question may take: what was asked for, within the limit."""
        return min(asked_s, self.limits.deadline_s) if asked_s is not None else self.limits.deadline_s

    async def _load_nodes(self, ids: list[Id]) -> list[Node | None]:
        found = await self.gate.run(lambda: self._get(ids))
        return [found.get(id) for id in ids]

    def _get(self, ids: list[Id]) -> Mapping[Id, Node]:
        with self.memory.reader(deadline_s=self.limits.deadline_s) as reader:
            return reader.get(ids)

    async def _load_links(self, ids: list[Id]) -> list[list[Edge]]:
        edges = await self.gate.run(lambda: self._edges(ids))
        return [[edge for edge in edges if id in (edge.src, edge.dst)] for id in ids]

    def _edges(self, ids: list[Id]) -> list[Edge]:
        with self.memory.reader(deadline_s=self.limits.deadline_s) as reader:
            return reader.edges(ids, LINK_KINDS)
