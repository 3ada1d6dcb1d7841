"""A TCP proxy that is as bad as a network can be: it cuts, dawdles, or takes nothing any more."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from types import TracebackType
from typing import Self

PIECE = 64 * 1024


class Proxy:
    """Hands on bytes to and from a port of this machine. Methods may be called from any thread.

    Args:
        port: the server's.
        buffer: bytes that the proxy's socket to the server takes in by itself, so that the server
            soon notices a proxy that reads nothing. None leaves that to the system.
    """

    def __init__(self, port: int, *, buffer: int | None = None) -> None:
        self._server = port
        self._buffer = buffer
        self._cuts: deque[int] = deque()
        self._rate: int | None = None
        self._open = threading.Event()
        self._open.set()
        self._over = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def cut(self, *after: int) -> None:
        """The next connections end once they brought so many bytes to the client."""
        self._cuts.extend(after)

    def slow(self, rate: int) -> None:
        """From now on connections bring so many bytes a second to their clients."""
        self._rate = rate

    def blackhole(self) -> None:
        """Takes nothing from the server any more, and says so to nobody."""
        self._open.clear()

    def flow(self) -> None:
        """Ends a black hole."""
        self._open.set()

    def drop(self) -> None:
        """Ends all connections that stand now."""
        for each in tuple(self._sockets):
            _end(each)

    def close(self) -> None:
        """Ends everything."""
        self._over.set()
        self._open.set()
        _end(self._listener)
        self.drop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        left = self._cuts.popleft() if self._cuts else None
        server = socket.socket()
        if self._buffer is not None:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        self._sockets |= {client, server}
        try:
            server.connect(("127.0.0.1", self._server))
        except OSError:
            _end(client)
            return
        threading.Thread(target=self._up, args=(client, server), daemon=True).start()
        self._down(client, server, left)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(PIECE):
                server.sendall(data)
        _end(server)

    def _down(self, client: socket.socket, server: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                self._open.wait()
                most = PIECE if left is None else min(PIECE, left)
                if self._rate is not None:
                    most = min(most, max(1, self._rate // 10))
                data = server.recv(most)
                if not data:
                    break
                client.sendall(data)
                if left is not None:
                    left -= len(data)
                if self._rate is not None:
                    self._over.wait(len(data) / self._rate)
        _end(client)
        _end(server)
        self._sockets -= {client, server}


def _end(each: socket.socket) -> None:
    # A thread that waits in recv or accept is only woken by a shutdown.
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
