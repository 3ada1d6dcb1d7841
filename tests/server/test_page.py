"""How a view or a page proves itself and gets its token; health, and the page of its own."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from kernelchat import Chat, __version__
from kernelchat import registry as registry_module
from kernelchat.registry import Registry
from kernelchat.server.app import PROBES_PER_SECOND, Server
from kernelchat.server.page import ASSETS, CSP
from server.conftest import Client, anonymous_http
from tools.event_stream import EventReader
from tools.pushed import PATIENCE, PushedModel


class Posts:
    """What a widget's views are told."""

    def __init__(self, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
        self.grants: list[Mapping[str, Any]] = []
        self.come = threading.Event()
        monkeypatch.setattr(chat._registration, "send", self._send)

    def _send(self, content: Mapping[str, Any]) -> None:
        self.grants.append(content)
        self.come.set()


def test_the_probe_proves_the_kernel_and_hands_the_token_to_its_own_views(
    chat: Chat,
    stranger: httpx2.Client,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    posts = Posts(chat, monkeypatch)
    query = {"c": "challenge-1", "view": chat.widget_id}
    with stranger.stream("GET", "/api/probe", params=query) as response:
        events = EventReader(response.iter_raw())
        first = events.next()
        # The second one is still to come: it is sent after a pause.
        assert posts.come.wait(PATIENCE)
        (second,) = events.rest()

    for n, event in enumerate((first, second), 1):
        assert event.name == "probe"
        assert event.data == {"instance": registry.instance, "c": "challenge-1", "n": n}
    assert posts.grants == [{"type": "grant", "c": "challenge-1", "token": registry.token}]


def test_the_probes_two_events_come_apart(chat: Chat, stranger: httpx2.Client) -> None:
    query = {"c": "c1", "view": chat.widget_id}
    with stranger.stream("GET", "/api/probe", params=query) as response:
        events = EventReader(response.iter_raw())
        events.next()
        before = time.monotonic()
        events.next()
        assert time.monotonic() - before >= 0.1


def test_a_probe_for_nobody_tells_nobody(
    chat: Chat, stranger: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = Posts(chat, monkeypatch)
    answer = stranger.get("/api/probe", params={"c": "c1", "view": "unknown"})

    assert answer.status_code == 200
    assert posts.grants == []


@pytest.mark.parametrize(
    "query", ["", "c=a", "view=a", "c=&view=a", "c=a%0Ab&view=a", "c=a&view=<"]
)
def test_a_probe_takes_only_plain_names(stranger: httpx2.Client, query: str) -> None:
    assert stranger.get(f"/api/probe?{query}").status_code == 400


async def test_too_many_probes_are_put_off(registry: Registry) -> None:
    server = Server(registry, asyncio.Event())
    query = b"c=c1&view=unknown"
    request = Request({"type": "http", "method": "GET", "headers": [], "query_string": query})
    statuses = [(await server.probe(request)).status_code for _ in range(PROBES_PER_SECOND + 1)]

    assert statuses == [200] * PROBES_PER_SECOND + [429]


# health and the page


def test_health(client: Client, registry: Registry) -> None:
    assert client.get("/api/health").json() == {
        "status": "ok",
        "version": __version__,
        "protocol": 1,
        "instance": registry.instance,
    }


def test_the_page_is_open_and_holds_no_secret(
    chat: Chat, stranger: httpx2.Client, registry: Registry
) -> None:
    page = stranger.get("/")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    sources = set(re.findall(r'src="/?(assets/[^"]+)"', page.text))
    for name in ASSETS:
        asset = stranger.get(f"/assets/{name}")
        assert asset.headers["content-type"] == "text/javascript; charset=utf-8"
        assert asset.status_code == 200
        for secret in (registry.token, chat.endpoint.token):
            assert secret not in asset.text
            assert secret not in page.text
        assert asset.headers["content-security-policy"] == CSP
    assert sources
    assert sources <= {f"assets/{name}" for name in ASSETS}
    assert page.headers["content-security-policy"] == CSP
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert stranger.get("/assets/widget.js").status_code == 404


def test_a_link_is_good_once_and_for_its_own_chat(
    chat: Chat, stranger: httpx2.Client, registry: Registry
) -> None:
    other = Chat(PushedModel())
    address, _, code = chat.link().partition("#code=")
    assert address == f"{chat.endpoint.url}/"
    answer = stranger.post("/api/exchange", json={"code": code})

    assert answer.status_code == 200
    body = answer.json()
    assert body["token"] == chat.endpoint.token
    assert body["session_id"] == chat.session_id
    assert body["instance"] == registry.instance
    assert body["config"]["title"] == chat.title
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {body['token']}"}
    with anonymous_http(chat.endpoint.url, headers) as page:
        path = f"/api/sessions/{other.session_id}/events"
        assert page.get(path).status_code == 404
    again = stranger.post("/api/exchange", json={"code": code})
    assert (again.status_code, again.json()["error"]["kind"]) == (401, "auth")
    assert "chat.link()" in again.json()["error"]["message"]
    other.close()


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": None}, {"code": ["x"]}, {"code": "x"}])
def test_what_is_no_code_opens_nothing(stranger: httpx2.Client, body: dict[str, Any]) -> None:
    assert stranger.post("/api/exchange", json=body).status_code == 401


def test_a_link_lapses(
    chat: Chat, stranger: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "LINK_LIVES", -1.0)
    _, _, code = chat.link().partition("#code=")

    assert stranger.post("/api/exchange", json={"code": code}).status_code == 401


def test_a_link_of_a_closed_chat_opens_nothing(
    static_files: object, stranger: httpx2.Client
) -> None:
    chat = Chat(PushedModel())
    _, _, code = chat.link().partition("#code=")
    chat.close()

    assert stranger.post("/api/exchange", json={"code": code}).status_code == 401
