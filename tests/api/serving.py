"""A real server on a free port, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from graphmem.api.app import create_app
from graphmem.api.server import listen
from graphmem.api.settings import Settings


@contextmanager
def served(memory: Any = None, **given: Any) -> Iterator[str]:
    """The URL of a server over `memory`, or over the store that the settings name."""
    settings = Settings(port=0, **given)
    with listen(settings) as (taken, url):
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, memory=memory), log_level="error", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            assert server.started, "the server did not start"
            yield url
        finally:
            server.should_exit = True
            thread.join(10)


def until(holds: Any, timeout_s: float = 10.0) -> None:
    """Waits until something holds; AssertionError when it never does."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
