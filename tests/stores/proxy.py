"""A TCP proxy that breaks connections when it is told to: a network between a real driver and a real server."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress

COMMIT = b"\x00\x02\xb0\x12\x00\x00"  # a Bolt message of two bytes: a structure without fields, tag 0x12
CHUNK = 65_536


class Proxy:
    """Forwards from a free port to `host:port`. `lose_commits` connections are broken around their next COMMIT: before
    it reaches the server, or (`after`) once the server has done it but before the client is told."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lose_commits, self.after, self.lost = 0, False, 0
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            try:
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(CHUNK)  # type: ignore[union-attr]
                        if not data or (key.fileobj is client and self._breaks(data, server)):
                            return
                        key.data.sendall(data)
            except (OSError, ValueError):
                return
            finally:
                self._close((client, server))

    def _breaks(self, data: bytes, server: socket.socket) -> bool:
        with self._lock:
            if COMMIT not in data or not self.lose_commits:
                return False
            self.lose_commits -= 1
            self.lost += 1
        if self.after:
            server.sendall(data)
            server.recv(CHUNK)  # the server's word that it is done
        return True

    def cut(self) -> None:
        """Breaks every connection there is."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()
        time.sleep(0.05)
