"""A chat whose model is pushed by hand, served by the real server; and clients of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from json import dumps
from typing import Any

import httpx2
import pytest

from kernelchat import Chat
from kernelchat.registry import Registry
from kernelchat.runtime import runtime
from tools.event_stream import EventReader
from tools.pushed import PATIENCE, PushedModel


@dataclass
class Client:
    """A client with a chat's own token. Blocks the test's thread, the server runs on its own."""

    http: httpx2.Client
    session_id: str

    def post(self, path: str, json: Any = None, **options: Any) -> httpx2.Response:
        # As ASCII, so that half a character can be sent too.
        content = dumps({} if json is None else json)
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        return self.http.post(path, content=content, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.http.get(path, **options)

    def ticket(self) -> str:
        answer = self.post("/api/tickets")
        assert answer.status_code == 201
        ticket = answer.json()["ticket"]
        assert isinstance(ticket, str)
        return ticket

    def command(self, type_: str, command_id: str = "c1", **fields: Any) -> httpx2.Response:
        path = f"/api/sessions/{self.session_id}/commands"
        return self.post(path, {"type": type_, "command_id": command_id, **fields})

    @contextmanager
    def stream(
        self, method: str, path: str, after: str | int | None = None, **options: Any
    ) -> Iterator[EventReader]:
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self.http.stream(method, path, headers=headers, **options) as response:
            if response.status_code != 200:
                response.read()
            assert response.status_code == 200, response.text
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            yield EventReader(response.iter_raw())

    def ask(
        self, message: str, after: str | int | None = None, **fields: Any
    ) -> AbstractContextManager[EventReader]:
        """Asks by POST."""
        body = {"message": message, **fields}
        return self.stream("POST", "/api/chat/stream", after, json=body)

    @contextmanager
    def ask_by_get(
        self, ticket: str, after: str | int | None = None, message: str = "hello", **query: str
    ) -> Iterator[EventReader]:
        """Asks as an EventSource does: without the token."""
        params = {"message": message, "ticket": ticket, **query}
        with anonymous_http(str(self.http.base_url)) as http:
            anonymous = Client(http, self.session_id)
            with anonymous.stream("GET", "/api/chat/stream", after, params=params) as events:
                yield events

    def events(
        self, after: str | int | None = None, session_id: str | None = None
    ) -> AbstractContextManager[EventReader]:
        path = f"/api/sessions/{session_id or self.session_id}/events"
        return self.stream("GET", path, after)


def anonymous_http(url: str, headers: Mapping[str, str] | None = None) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False)


def client_of(chat: Chat, token: str | None = None) -> Client:
    token = token or chat.endpoint.token
    http = anonymous_http(chat.endpoint.url, {"Authorization": f"Bearer {token}"})
    return Client(http, chat.session_id)


@pytest.fixture
def registry() -> Registry:
    return runtime().registry


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(static_files: object, model: PushedModel) -> Iterator[Chat]:
    chat = Chat(model)
    yield chat
    chat.close()


@pytest.fixture
def client(chat: Chat) -> Iterator[Client]:
    client = client_of(chat)
    yield client
    client.http.close()


@pytest.fixture
def kernel(chat: Chat, registry: Registry) -> Iterator[Client]:
    """A client with the kernel's token, as views have it."""
    client = client_of(chat, registry.token)
    yield client
    client.http.close()


@pytest.fixture
def stranger(chat: Chat) -> Iterator[httpx2.Client]:
    """A client without a token."""
    with anonymous_http(chat.endpoint.url) as http:
        yield http
