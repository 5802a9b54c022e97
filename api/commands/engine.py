"""moe serve and chat: an engine as a server, and to talk to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphmem.api.terminal import note, printable, say

if TYPE_CHECKING:
    from graphmem.moe_runtime import Engine

Store = Annotated[str, typer.Argument(help="Folder of a store, or smollm2.")]
Budget = Annotated[str, typer.Option(help="Expert bytes in memory: bytes, 2GiB, or a share such as 25%.")]
Policy = Annotated[str, typer.Option(help="Which experts stay: lru, lfu, shallow.")]
Prefetch = Annotated[str, typer.Option(help="auto, next, layer or off.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads that compute.")]


@contextmanager
def opened(store: str, budget: str, policy: str, prefetch: str, threads: int) -> Iterator[tuple[Engine, str]]:
    """The engine over a store, and the name it goes by."""
    from graphmem.api.engines import store_at
    from graphmem.moe_runtime import Engine as Opener

    path = store_at(store)
    size = int(budget) if budget.isdigit() else budget
    with Opener.open(path, budget=size, policy=policy, prefetch=prefetch, threads=threads) as engine:
        yield engine, Path(store).name


def serve(
    store: Store,
    *,
    host: Annotated[str, typer.Option(help="Address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0: a free one.")] = 8788,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines in.")] = False,
    budget: Budget = "25%",
    policy: Policy = "lru",
    prefetch: Prefetch = "auto",
    threads: Threads = 1,
    active: Annotated[int, typer.Option(min=1, help="Texts written at once.")] = 4,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait; more are refused with 429.")] = 32,
    kv_tokens: Annotated[int, typer.Option(min=16, help="Tokens of keys and values in memory.")] = 16_384,
    context: Annotated[int, typer.Option(min=16, help="Tokens of one prompt and its answer.")] = 4_096,
) -> None:
    """Serve a store as OpenAI does: /v1/chat/completions, /v1/completions, /v1/models, /health, /metrics."""
    from graphmem.api.app import known_hosts
    from graphmem.api.hosts import BoundedBody, KnownHostsOnly
    from graphmem.api.server import listen, run_app
    from graphmem.api.settings import read_settings
    from graphmem.moe_runtime.serve import Limits, create_app

    settings = read_settings(host=host, port=port, allow_remote=allow_remote or None)
    with (
        listen(settings) as (taken, url),
        opened(store, budget, policy, prefetch, threads) as (engine, name),
    ):
        app = create_app(engine, name, Limits(active, waiting, kv_tokens, context))
        app.add_middleware(BoundedBody, limit_bytes=settings.limits.body_bytes)
        app.add_middleware(KnownHostsOnly, hosts=known_hosts(settings))
        say(f"graphmem serves the model {name} at {url}/v1")
        if settings.allow_remote:
            note("warning: other machines may reach it and there is no login")
        run_app(app, taken)


def chat(
    store: Store,
    question: Annotated[str | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    *,
    budget: Budget = "25%",
    policy: Policy = "lru",
    prefetch: Prefetch = "auto",
    threads: Threads = 1,
    tokens: Annotated[int, typer.Option(min=1, max=4096, help="Tokens of an answer at most.")] = 256,
) -> None:
    """Talk to a model. Ctrl-D ends it."""
    from graphmem.api.engines import told

    turns: list[dict[str, str]] = []
    with opened(store, budget, policy, prefetch, threads) as (engine, _):
        for asked in [question] if question is not None else lines():
            turns.append({"role": "user", "content": asked})
            said = ""
            for piece in engine.stream(turns, max_new_tokens=tokens):
                said += piece
                print(printable(piece), end="", flush=True)
            say()
            turns.append({"role": "assistant", "content": said})
        note(told(engine.stats()))


def lines() -> Iterator[str]:
    """What is typed, line by line, until the end of input."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True, file=sys.stderr)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
