"""Runs the HTTP app: takes the port first, so that a port in use is one clear error, and closes the memory last."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphmem.api.hosts import is_loopback
from graphmem.api.settings import Settings
from graphmem.errors import InputError, SettingError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graphmem.memory import Memory


@contextmanager
def listen(settings: Settings) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens where the settings say, and its URL. Raises InputError when the port is in use,
    SettingError for a host that other machines reach without `allow_remote`."""
    if not is_loopback(settings.host) and not settings.allow_remote:
        raise SettingError(
            f"{settings.host} can be reached by other machines, and there is no login",
            hint="--allow-remote (GRAPHMEM_ALLOW_REMOTE=true) says that you want that",
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((settings.host, settings.port))
            taken.listen(128)  # from now on a client waits instead of being refused
        except OSError as error:
            raise unusable(settings, error) from error
        host = f"[{settings.host}]" if family is socket.AF_INET6 else settings.host
        yield taken, f"http://{host}:{taken.getsockname()[1]}"
    finally:
        taken.close()


def unusable(settings: Settings, error: OSError) -> InputError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return InputError(f"{where} is in use", hint="--port picks another port, --port 0 a free one")
    return InputError(f"cannot listen on {where}: {error.strerror or error}", hint="--host and --port say where")


def run(settings: Settings, memory: Memory, taken: socket.socket) -> None:
    """Serves a memory until Ctrl-C or SIGTERM. It stays the caller's."""
    from graphmem.api.app import create_app

    run_app(create_app(settings, memory=memory), taken)


def run_app(app: FastAPI, taken: socket.socket) -> None:
    """Serves an app until Ctrl-C or SIGTERM."""
    import uvicorn

    def stop(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)  # uvicorn ends in order, then hands the signal on: the memory is still open
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[taken])
