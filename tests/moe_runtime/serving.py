"""A real server on a free port over a small engine with random weights, in a thread of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import uvicorn

from graphmem.moe_runtime import Engine
from graphmem.moe_runtime.serve import Limits, Scheduler, create_app
from graphmem.moe_runtime.training.tiny import Recipe, byte_tokenizer, fresh

SMALL = Recipe(layers=2, hidden=64, experts=8, expert_width=32)


def small_store(folder: Path) -> Path:
    """A packed store of a small Qwen3-MoE over bytes, random but not dull: its text differs from prompt to prompt."""
    torch.manual_seed(0)
    model = fresh(SMALL).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 2 * parameter.shape[-1] ** -0.5)
    model.save_pretrained(folder / "checkpoint")
    byte_tokenizer().save_pretrained(folder / "checkpoint")
    Engine.pack(folder / "checkpoint", folder / "store")
    return folder / "store"


@contextmanager
def served(engine: Engine, limits: Limits | None = None) -> Iterator[tuple[str, Scheduler]]:
    """The server's base URL and its queue."""
    app = create_app(engine, "small", limits)
    taken = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{taken.getsockname()[1]}", app.state.scheduler
    finally:
        server.should_exit = True
        thread.join(10)
        taken.close()


def until(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Waits until something holds; AssertionError when it never does."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
