"""Requests written byte by byte: those that no decent client would send."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.pushed import PATIENCE


@dataclass(frozen=True)
class Place:
    """Where to, and what a client there may know."""

    port: int
    token: str
    session_id: str
    other_token: str
    other_session_id: str

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token, self.other_token)


@dataclass(frozen=True)
class Request:
    """A request; `{port}`, `{token}` and the other names of a place are filled in.

    A header of None is left out, one given as a list is sent as often.
    """

    method: str = "GET"
    path: str = "/api/health"
    headers: dict[str, str | list[str] | None] = field(default_factory=dict)
    body: bytes = b""
    version: str = "HTTP/1.1"

    def at(self, place: Place) -> bytes:
        names = vars(place)
        headers: dict[str, str | list[str] | None] = {
            "Host": "127.0.0.1:{port}",
            "Authorization": "Bearer {token}",
        }
        if self.body or self.method == "POST":
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        lines = [f"{self.method} {self.path.format(**names)} {self.version}"]
        for name, value in (headers | self.headers).items():
            values = [] if value is None else [value] if isinstance(value, str) else value
            lines += [f"{name}: {each.format(**names)}" for each in values]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool
    """Whether the server ended the connection by itself."""

    @property
    def kind(self) -> str:
        kind = json.loads(self.body)["error"]["kind"]
        assert isinstance(kind, str)
        return kind


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def send(place: Place, data: bytes, method: str = "GET") -> Answer:
    """Sends `data` on a connection of its own; reads one answer, and what comes after it."""
    with connect(place.port) as connection:
        # It may have answered before it heard all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        pairs = [(name.lower(), value) for name, value in response.getheaders()]
        assert len(dict(pairs)) == len(pairs), f"a header came twice: {pairs}"
        headers = dict(pairs)
        streams = headers.get("content-type", "").startswith("text/event-stream")
        body = response.readline() if streams else response.read()
        ended = not streams and _ends(connection, headers)
        response.close()
    return Answer(response.status, headers, body, ended)


def _ends(connection: socket.socket, headers: dict[str, str]) -> bool:
    if headers.get("connection", "").lower() != "close":
        return False
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def chunked(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
