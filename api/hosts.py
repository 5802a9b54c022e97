"""Who may talk to the server: a page on another site must not reach a memory on this machine (DNS rebinding, CSRF)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

#: What a link on another site may lead to.
PAGES = frozenset({"/", "/graphql"})
FOREIGN = "requests from pages of other sites are refused"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hostname(where: str) -> str:
    """The name in a Host header or an Origin, without port and brackets; "" when it is no such thing."""
    try:
        return (urlsplit(where if "//" in where else f"//{where}").hostname or "").lower()
    except ValueError:
        return ""


class KnownHostsOnly:
    """Refuses a Host that is not ours, and an Origin that is not the page we served. `hosts` None: any Host."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None) -> None:
        self.app = app
        self.hosts = None if hosts is None else LOOPBACK_NAMES | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := self.problem(Headers(scope=scope), scope["path"])):
            await JSONResponse({"error": problem}, status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def problem(self, headers: Headers, path: str) -> str:
        """Why this request is refused; empty when it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.hosts is not None and hostname(host) not in self.hosts:
            return "this server does not answer to that host name; GRAPHMEM_ALLOWED_HOSTS adds names"
        if origin is not None and netloc(origin) != host.lower():
            return FOREIGN
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and path not in PAGES:
            return FOREIGN  # a picture or script of another page that asks for our stream carries no Origin
        return ""


def netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class BoundedBody:
    """Refuses a request body above `limit_bytes`, whether or not it says its length."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self.app, self.limit_bytes = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > self.limit_bytes:
            await too_long(self.limit_bytes)(scope, receive, send)
            return
        seen, started = 0, False

        async def counted() -> dict[str, object]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit_bytes:
                raise BodyTooLong
            return dict(message)

        async def noted(message: dict[str, object]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, noted)  # type: ignore[arg-type]
        except BodyTooLong:
            if not started:
                await too_long(self.limit_bytes)(scope, receive, send)


class BodyTooLong(Exception):
    """The body went past the limit; never leaves this module."""


def too_long(limit_bytes: int) -> JSONResponse:
    return JSONResponse({"error": f"the request is longer than {limit_bytes} bytes"}, status_code=413)
