"""An OpenAI-compatible HTTP server over one engine: chat and text completions, streamed or whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from graphmem.moe_runtime.errors import InputError
from graphmem.moe_runtime.serve import protocol
from graphmem.moe_runtime.serve.metrics import exposition
from graphmem.moe_runtime.serve.scheduler import Limits, Piece, QueueFull, Scheduler, Served, Ticket

EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no"}
#: Seconds after which a client that was turned away may ask again.
RETRY_S = 1


def create_app(engine: Served, name: str, limits: Limits | None = None) -> FastAPI:
    """The app; `engine` stays the caller's. `name` is the model's name in /v1/models. `app.state.scheduler` is the
    queue, from start to end of the app's lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.scheduler = Scheduler(engine, limits)
        try:
            yield
        finally:
            await asyncio.to_thread(app.state.scheduler.close)

    app = FastAPI(title="graphmem moe", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.name = name
    add_completions(app)
    add_pages(app)
    app.add_exception_handler(InputError, told_bad)
    app.add_exception_handler(QueueFull, told_full)
    return app


def add_completions(app: FastAPI) -> None:
    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await body_of(request)
        tokenizer = request.app.state.scheduler.engine.tokenizer
        return begun(request, await asyncio.to_thread(protocol.chat_request, body, tokenizer), "chat.completion")

    @app.post("/v1/completions")
    async def complete(request: Request) -> Response:
        body = await body_of(request)
        tokenizer = request.app.state.scheduler.engine.tokenizer
        return begun(request, await asyncio.to_thread(protocol.text_request, body, tokenizer), "text_completion")


def add_pages(app: FastAPI) -> None:
    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        return {"object": "list", "data": [model_card(request.app.state.name)]}

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> Response:
        if name != request.app.state.name:
            body = protocol.failure(f"there is no model {name!r}", "invalid_request_error", code="model_not_found")
            return JSONResponse(body, status_code=404)
        return JSONResponse(model_card(name))

    @app.get("/health")
    async def health(request: Request) -> dict[str, Any]:
        return {"status": "ok", "model": request.app.state.name, **request.app.state.scheduler.load()}

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        return PlainTextResponse(exposition(request.app.state.scheduler), media_type="text/plain; version=0.0.4")


def model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "graphmem"}


async def body_of(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError("the body is not JSON") from error
    if not isinstance(body, dict):
        raise InputError("the body is not a JSON object")
    wanted = body.get("model")
    if wanted is not None and wanted != request.app.state.name:
        raise InputError(f"model {wanted!r} is not served here, {request.app.state.name!r} is", position="model")
    return body


def begun(request: Request, asked: protocol.Asked, kind: protocol.Kind) -> Response:
    """Takes a place in the queue, before a status is sent. Raises QueueFull."""
    state = request.app.state
    talk = Talk(state.scheduler, asked)
    reply = protocol.Reply(kind, state.name, len(asked.request.prompt))
    return Streamed(talk, reply) if asked.stream else Whole(talk, reply)


class Talk:
    """One request in the queue, seen from the event loop."""

    def __init__(self, scheduler: Scheduler, asked: protocol.Asked) -> None:
        self.scheduler, self.asked = scheduler, asked
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()  # bounded by the tokens asked for
        self.ticket: Ticket = scheduler.submit(asked.request, self._tell)

    def _tell(self, piece: Piece) -> None:
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def pieces(self) -> AsyncIterator[Piece]:
        while True:
            piece = await self._pieces.get()
            yield piece
            if piece.finish:
                return

    @property
    def tokens(self) -> int:
        return len(self.ticket.writing.written) if self.ticket.writing is not None else 0

    def cancel(self) -> None:
        self.scheduler.cancel(self.ticket)


class Answering(Response):
    """Sends while the scheduler writes; cancels when the client goes, whatever was being done then."""

    def __init__(self, talk: Talk, reply: protocol.Reply) -> None:
        self.talk, self.reply = talk, reply
        self.status_code, self.background = 200, None
        self.init_headers(EVENTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self.send(scope, receive, send))
        watching = asyncio.create_task(self._gone(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            self.talk.cancel()
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


class Whole(Answering):
    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = ""
        async for piece in self.talk.pieces():
            text += piece.text
        if piece.finish in ("error", "cancelled"):
            body = protocol.failure(piece.error or "the server is stopping", "server_error")
            response = JSONResponse(body, status_code=500 if piece.finish == "error" else 503)
        else:
            response = JSONResponse(self.reply.whole(text, piece.finish, self.talk.tokens))
        await response(scope, receive, send)


class Streamed(Answering):
    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        first = True
        async for piece in self.talk.pieces():
            for body in self.bodies(piece, first=first):
                await event(send, json.dumps(body, ensure_ascii=False))
            first = False
        await event(send, "[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def bodies(self, piece: Piece, *, first: bool) -> list[dict[str, Any]]:
        """What one piece becomes on the wire."""
        if piece.finish in ("error", "cancelled"):
            return [protocol.failure(piece.error or "the server is stopping", "server_error")]
        bodies = [self.reply.chunk(piece.text, first=first)] if piece.text or first else []
        if piece.finish:
            bodies.append(self.reply.chunk("", piece.finish))
        if piece.finish and self.talk.asked.usage:
            bodies.append(self.reply.closing_usage(self.talk.tokens))
        return bodies


async def event(send: Send, data: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def told_bad(_: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    text = f"{error.message}. {error.hint}" if error.hint else error.message
    return JSONResponse(protocol.failure(text, "invalid_request_error", error.position or None), status_code=400)


async def told_full(_: Request, error: Exception) -> Response:
    body = protocol.failure(str(error), "rate_limit_error", code="queue_full")
    return JSONResponse(body, status_code=429, headers={"retry-after": str(RETRY_S)})
