"""A proxy that a browser can be sent through: the server behind it sees its own address."""

from __future__ import annotations

import contextlib
import socket

from tools.proxy import PIECE, Proxy


class CuttingProxy(Proxy):
    """As `Proxy`, for clients that put the proxy's own address into `Host`.

    The server would refuse that name. The head of a request is looked for in what the client sends
    at once: so browsers send it.
    """

    def __init__(self, port: int) -> None:
        self._refusing = False
        super().__init__(port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """Ends all connections, and each new one at once."""
        self._refusing = True
        self.drop()

    def admit(self) -> None:
        """Lets connections through again."""
        self._refusing = False

    def _connect(self, client: socket.socket) -> None:
        if self._refusing:
            client.close()
        else:
            super()._connect(client)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        ours, theirs = (f"\r\nHost: 127.0.0.1:{p}\r\n".encode() for p in (self.port, self._server))
        with contextlib.suppress(OSError):
            while data := client.recv(PIECE):
                server.sendall(data.replace(ours, theirs, 1))
        # Wakes the other direction, which ends both.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
