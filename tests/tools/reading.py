"""Clients of a chat's server, and a view that keeps the fold of what it reads."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from kernelchat import Chat
from kernelchat.endpoint import Endpoint
from kernelchat.events import Snapshot, from_wire
from kernelchat.message import Message
from kernelchat.state import State

from .event_stream import EventReader, StreamEvent
from .pushed import PATIENCE

CUT = (httpx2.NetworkError, httpx2.ProtocolError)
"""What reading raises where the connection broke."""


class Server:
    """A chat's server as its clients see it.

    Args:
        chat: whose token is used.
        port: of a proxy in between; the server's own if left out.
    """

    def __init__(self, chat: Chat | Elsewhere, port: int | None = None) -> None:
        endpoint = chat.endpoint
        own = endpoint.url.rpartition(":")[2]
        self.session_id = endpoint.session_id
        self._http = httpx2.Client(
            base_url=f"http://127.0.0.1:{port or own}",
            headers={"Authorization": f"Bearer {endpoint.token}", "Host": f"127.0.0.1:{own}"},
            timeout=PATIENCE,
            trust_env=False,
        )

    def use(self, token: str) -> None:
        """From now on presents that token."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        return self._http.post(path, json=body)

    def command(self, kind: str, command_id: str, **fields: Any) -> httpx2.Response:
        body = {"type": kind, "command_id": command_id, **fields}
        return self.post(f"/api/sessions/{self.session_id}/commands", body)

    def ticket(self) -> str:
        ticket: str = self.post("/api/tickets", {}).json()["ticket"]
        return ticket

    @contextmanager
    def stream(
        self, method: str, path: str, after: int | None = None, body: object = None
    ) -> Iterator[EventReader]:
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self._http.stream(method, path, headers=headers, json=body) as response:
            if response.status_code == 204:
                yield EventReader(())
                return
            if response.status_code != 200:
                response.read()
            assert response.status_code == 200, response.text
            yield EventReader(response.iter_raw())

    @contextmanager
    def events(self, after: int | None = None) -> Iterator[EventReader]:
        """One conversation's events."""
        with self.stream("GET", f"/api/sessions/{self.session_id}/events", after) as reader:
            yield reader

    @contextmanager
    def many(self, cursors: Mapping[str, int | None]) -> Iterator[EventReader]:
        """Those of several, on one connection."""
        with self.stream("POST", "/api/events", body={"cursors": dict(cursors)}) as reader:
            yield reader

    @contextmanager
    def view_of(self, after: int | None = None) -> Iterator[EventReader]:
        """This chat's events as a page asks for them."""
        with self.many({self.session_id: after}) as reader:
            yield reader

    @contextmanager
    def asked(
        self, message: str, command_id: str, after: int | None = None
    ) -> Iterator[EventReader]:
        """The stream of one turn, by POST."""
        body = {"message": message, "command_id": command_id}
        with self.stream("POST", "/api/chat/stream", after, body) as reader:
            yield reader


class View:
    """The fold of what was read, and the cursor; each event is applied once."""

    def __init__(self) -> None:
        self.state = State()
        self.cursor: int | None = None
        self.snapshots = 0
        self.names: list[str] = []

    def take(self, event: StreamEvent) -> None:
        if event.name == "connected":
            return
        data = event.data
        known = from_wire(event.name, data)
        assert known is not None, event
        if isinstance(known, Snapshot):
            self.snapshots += 1
            self.state = State()
        else:
            assert self.cursor is not None, "a reader that has nothing begins with a snapshot"
            if data["id"] <= self.cursor:
                return
        self.state.fold(known, data["id"])
        self.cursor = data["id"]
        self.names.append(event.name)

    @property
    def messages(self) -> list[Message]:
        """The path that is shown."""
        return self.state.path()

    @property
    def answers(self) -> list[Message]:
        """All bubbles of the assistant, branches too."""
        found = (self.state.get(message_id) for message_id in self.state.ids())
        return [message for message in found if message and message.role == "assistant"]

    def follow(self, reader: EventReader, until: Callable[[], object]) -> None:
        """Takes events until that is true."""
        for event in reader:
            self.take(event)
            if until():
                return
        raise AssertionError("the stream ended too early")

    def read(self, reader: EventReader, until: str = "done") -> StreamEvent:
        """Takes events up to the first one of that name."""
        for event in reader:
            self.take(event)
            if event.name == until:
                return event
        raise AssertionError(f"the stream ended before {until!r}")


class Elsewhere:
    """A chat of another process, by what it printed of its endpoint."""

    def __init__(self, printed: str) -> None:
        self.endpoint = Endpoint(*printed.split())

    @property
    def port(self) -> int:
        return int(self.endpoint.url.rpartition(":")[2])

    def refuses(self) -> bool:
        """Whether nobody listens at its port."""
        with socket.socket() as connection:
            connection.settimeout(PATIENCE)
            return connection.connect_ex(("127.0.0.1", self.port)) != 0


@contextmanager
def reading(chat: Elsewhere) -> Iterator[tuple[EventReader, View]]:
    """A stream of its events, with its snapshot read."""
    with Server(chat) as server, server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
        yield reader, view
