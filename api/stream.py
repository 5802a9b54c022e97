"""The answer as server-sent events: `token` as text comes, `citations`, then `done`; `error` instead when it fails.

The core's generator is stepped in a thread and closed when the client goes, whatever it was doing then.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphmem.api.graphql.context import Gate
from graphmem.api.graphql.limits import UNEXPECTED, extensions_of
from graphmem.api.wire import answer_json
from graphmem.errors import GraphmemError

if TYPE_CHECKING:
    from graphmem.memory import Memory
    from graphmem.schema import Answer

LOG = logging.getLogger("graphmem.api")
HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Finished:
    answer: Answer


def step(pieces: Generator[str, None, Answer]) -> str | Finished:
    """The next piece of text, or the whole answer at the end."""
    try:
        return next(pieces)
    except StopIteration as stop:
        return Finished(stop.value)


def event(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class AnswerStream(Response):
    """Streams one answer. `pieces` is closed before this returns, also when the client goes."""

    def __init__(self, pieces: Generator[str, None, Answer], memory: Memory, gate: Gate) -> None:
        self.pieces, self.memory, self.gate = pieces, memory, gate
        self.status_code, self.background = 200, None
        self.init_headers(HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, Request(scope, receive), group.cancel_scope)
                await self._send_events(send)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self.gate.run(self.pieces.close)

    async def _watch(self, request: Request, scope: anyio.CancelScope) -> None:
        """Cancels the stream when the client goes."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _send_events(self, send: Send) -> None:
        try:
            while not isinstance(piece := await self.gate.run(lambda: step(self.pieces)), Finished):
                await self._body(send, event("token", {"text": piece}))
            for closing in await self.gate.run(lambda: closing_events(self.memory, piece.answer)):
                await self._body(send, closing)
        except GraphmemError as error:
            await self._body(send, event("error", {"message": str(error), **extensions_of(error)}))
        except Exception:
            LOG.exception("unexpected error in the answer stream")
            await self._body(send, event("error", {"message": UNEXPECTED, "code": "UNEXPECTED"}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})


def closing_events(memory: Memory, answer: Answer) -> list[bytes]:
    ids = sorted({id for c in answer.citations for id in (c.passage.source, c.passage.section) if id})
    with memory.reader() as reader:
        told = answer_json(answer, reader.get(ids))
    citations = told.pop("citations")
    told.pop("recall")
    return [event("citations", citations), event("done", told)]
