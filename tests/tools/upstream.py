"""A service that speaks OpenAI's API on a TCP port of this machine, driven by hand."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import struct
import threading
from types import TracebackType
from typing import Any, Self

from .models import chunk, sse
from .pushed import PATIENCE

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Request:
    """One request, and the connection that it came on."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self._connection = connection
        self.gone = False
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        if not head.startswith(b"POST /v1/chat/completions "):
            raise ConnectionError("this is no question")
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        self.body: dict[str, Any] = json.loads(body)

    def _receive(self) -> bytes:
        data = self._connection.recv(65536)
        if not data:
            raise ConnectionError("the client left before its request was complete")
        return data

    def begin(self) -> None:
        """Sends the head of an answer that lasts until the connection ends."""
        self.send(HEAD)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def say(self, *texts: str) -> None:
        """Sends a token each."""
        self.send(sse(*(chunk(text) for text in texts), done=False))

    def flood(self, data: bytes) -> None:
        """Sends the same again and again until the client closes the connection."""
        while True:
            self.send(data)

    def send_until_gone(self, data: bytes) -> None:
        """Sends what the client takes; `gone` says whether it closed the connection."""
        try:
            self.send(data)
        except ConnectionError:
            self.gone = True

    def finish(self) -> None:
        """Sends the end of an answer that is complete."""
        self.send(sse(chunk("", finish="stop")))
        self.end()

    def end(self) -> None:
        """Closes the connection in good order."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self._connection.close()

    def reset(self) -> None:
        """Breaks the connection."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def wait_closed(self) -> None:
        """Returns once the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while self._connection.recv(65536):
                pass
        self._connection.close()


class Upstream:
    """The service. Each request waits in it until the test takes it.

    Attributes:
        count: how many requests came.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._connections: list[socket.socket] = []
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def request(self) -> Request:
        """The next request; waits for it."""
        return self._requests.get(timeout=PATIENCE)

    def close(self) -> None:
        for each in self._connections:
            each.close()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._receive, args=(connection,), daemon=True).start()

    def _receive(self, connection: socket.socket) -> None:
        # Others of this machine may try a port that was theirs a moment ago: they ask for nothing.
        with contextlib.suppress(OSError):
            request = Request(connection)
            self.count += 1
            self._requests.put(request)
