"""The HTTP app: GraphQL with GraphiQL, the answer stream, a health check and a start page. Nothing comes from a CDN."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from strawberry.fastapi import GraphQLRouter

import graphmem
from graphmem.api.generators import close, generator_of, nobody, proposer_of
from graphmem.api.graphql.context import Context, Gate
from graphmem.api.graphql.limits import extensions_of
from graphmem.api.graphql.schema import build_schema
from graphmem.api.hosts import BoundedBody, KnownHostsOnly, is_loopback
from graphmem.api.settings import Settings, read_settings
from graphmem.api.stream import AnswerStream
from graphmem.construct import Caps
from graphmem.errors import GraphmemError, InputError, StoreError

if TYPE_CHECKING:
    from graphmem.answer import Generator
    from graphmem.memory import Memory

#: Status of an error by its exit code; anything else is 500.
STATUS = {2: 400, 3: 404, 4: 503, 5: 503, 6: 409}
STATIC = files("graphmem.api") / "static"
#: GraphiQL and React as a package of files carries them (nothing of it is imported), by the SHA-256 of each.
GRAPHIQL_PACKAGE = "graphene_django_graphiql_static"
GRAPHIQL = {
    "graphiql.min.css": "c6cd4b83f01c5e1ff4975d77bc957184dce6dec0155fbf9cc4d9190eba8a7b9d",
    "graphiql.min.js": "c564de05b95d184e2c5ba5ceaf2635821f6bf92f2d5777b74d91004ff6b591d1",
    "react-dom.production.min.js": "9db33292007ab6c38527b39d5663e976a305564e19b2a5a8713ea2b2c00f505d",
    "react.production.min.js": "229bbf4d0e7488209564152c6723497f1ac3934136ca1684233d2fa88fa4146f",
}
MEDIA_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
#: GraphiQL sets styles inline and carries its fonts as data; no script runs that we did not serve.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


def create_app(settings: Settings | None = None, *, memory: Memory | None = None) -> FastAPI:
    """The app over the memory that the settings name (opened at start, closed at the end) or over a given one, which
    stays the caller's."""
    chosen = settings if settings is not None else read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.gate = Gate(chosen.limits.threads)
        if memory is not None:
            app.state.memory = memory
            yield
            return
        generator = await app.state.gate.run(lambda: generator_of(chosen.llm))
        try:
            app.state.memory = await app.state.gate.run(lambda: opened(chosen, generator))
            try:
                yield
            finally:
                app.state.memory.close()
        finally:
            close(generator)

    app = FastAPI(title="graphmem", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings = chosen
    add_pages(app, chosen)
    add_graphql(app, chosen)
    add_stream(app, chosen)
    app.add_exception_handler(GraphmemError, told)
    app.add_middleware(BoundedBody, limit_bytes=chosen.limits.body_bytes)
    app.add_middleware(KnownHostsOnly, hosts=known_hosts(chosen))
    return app


def opened(settings: Settings, generator: Generator | None = None) -> Memory:
    """The memory that the settings name; `generator` writes its answers, proposes if the settings say so, and stays the
    caller's. Raises SettingError when it is to propose and there is none."""
    proposer = None
    if settings.propose:
        if generator is None:
            raise nobody()
        proposer = proposer_of(generator, Caps(**settings.caps.model_dump()))
    return graphmem.open(settings.store, space=settings.space, generator=generator, proposer=proposer)


def known_hosts(settings: Settings) -> tuple[str, ...] | None:
    """The names we answer to beside loopback; None (any) only for a host opened to other machines without a list."""
    if settings.allowed_hosts or is_loopback(settings.host):
        return (settings.host, *settings.allowed_hosts)
    return None


async def told(_: Request, error: Exception) -> Response:
    assert isinstance(error, GraphmemError)
    body = {"error": str(error), **extensions_of(error)}
    return JSONResponse(body, status_code=STATUS.get(error.exit_code, 500))


def add_graphql(app: FastAPI, settings: Settings) -> None:
    """POST only: a GET would let a link run a query, and GET is GraphiQL's page."""

    async def context(request: Request) -> Context:
        state = request.app.state
        return Context(state.memory, state.gate, settings.limits)

    router: GraphQLRouter[Context, None] = GraphQLRouter(
        build_schema(settings.limits), context_getter=context, graphql_ide=None, allow_queries_via_get=False
    )
    app.include_router(router, prefix="/graphql")


def add_stream(app: FastAPI, settings: Settings) -> None:
    @app.get("/answer/stream")
    async def answer_stream(request: Request, question: str = "", limit: int = 10) -> Response:
        if not question.strip():
            raise InputError("the question is blank", hint="ask with ?question=…")
        if len(question) > settings.limits.query_chars or not 1 <= limit <= settings.limits.hits:
            raise InputError("the question is too long or the limit out of range", hint="ask for less at once")
        state = request.app.state
        pieces = state.memory.stream(question, limit=limit, deadline_s=settings.limits.deadline_s)
        return AnswerStream(pieces, state.memory, state.gate)


def add_pages(app: FastAPI, settings: Settings) -> None:
    @app.get("/healthz")
    async def healthz(request: Request) -> Response:
        """200 when the store answers, 503 when it does not."""
        state = request.app.state
        try:
            await state.gate.run(state.memory.counts)
        except StoreError as error:
            return JSONResponse({"status": "down", "error": str(error)}, status_code=503)
        return JSONResponse({"status": "ok", "version": graphmem.__version__})

    @app.get("/", response_class=HTMLResponse)
    async def start(request: Request) -> Response:
        state = request.app.state
        counts, sampled = await state.gate.run(lambda: told_at_start(state.memory))
        reach = "this machine only" if is_loopback(settings.host) else "open to other machines"
        return page(
            "start.html",
            version=graphmem.__version__,
            space=state.memory.space.name,
            reach=reach,
            sampled=str(sampled).lower(),
            counts=tiles(counts),
        )

    @app.get("/graphql", response_class=HTMLResponse)
    async def graphiql() -> Response:
        return page("graphiql.html", version=graphmem.__version__)

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        return static_file(name)


#: The sample's conversation: where it is, the start page offers questions about it.
SAMPLE = ("conversation", "sample/three-friends.jsonl")


def told_at_start(memory: Memory) -> tuple[dict[str, int], bool]:
    """The counts, and whether the sample is in."""
    with memory.reader() as reader:
        return reader.counts(), reader.find_source(*SAMPLE) is not None


#: What the start page counts, as the store names it and as people read it.
TILES = (("passage", "passages"), ("note", "notes"), ("entity", "names"), ("hyperedge", "events"))


def tiles(counts: dict[str, int]) -> str:
    """The counts as list items; a store that names them in the plural is understood as well."""
    shown = [(counts.get(one, counts.get(many, 0)), many) for one, many in TILES]
    return "".join(f"<li><b>{count:,}</b> {name}</li>" for count, name in shown)


def page(name: str, **values: str) -> HTMLResponse:
    """A page of static/ with {{names}} filled in: `counts` is markup of ours, all others are escaped."""
    body = (STATIC / name).read_text(encoding="utf-8")
    for key, value in values.items():
        body = body.replace("{{" + key + "}}", value if key == "counts" else html.escape(value))
    headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    return HTMLResponse(body, headers=headers)


def static_file(name: str) -> Response:
    """A script or style: ours from static/, GraphiQL's from its package. 404 when there is none."""
    file = graphiql_file(name) if name in GRAPHIQL else STATIC / name
    suffix = name.rsplit(".", 1)[-1]
    if suffix not in MEDIA_TYPES or "/" in name or not file.is_file():
        return JSONResponse({"error": "no such file"}, status_code=404)
    body = file.read_bytes()
    if name in GRAPHIQL and sha256(body).hexdigest() != GRAPHIQL[name]:
        return JSONResponse({"error": f"{name} is not the file that was published: reinstall"}, status_code=500)
    headers: dict[str, Any] = {"x-content-type-options": "nosniff", "cache-control": "public, max-age=3600"}
    return Response(body, media_type=MEDIA_TYPES[suffix], headers=headers)


def graphiql_file(name: str) -> Path:
    """Where the package of GraphiQL's files keeps one; a path that is no file when the package is missing."""
    spec = find_spec(GRAPHIQL_PACKAGE)
    home = Path(spec.origin).parent if spec is not None and spec.origin else Path("missing")
    return home / "static" / GRAPHIQL_PACKAGE / name
