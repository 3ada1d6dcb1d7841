"""Who gets in, one check at a time and in their order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kernelchat.registry import Grant
from kernelchat.server.guard import GRANT, MAX_BODY, Guard

PORT = 4711
TOKEN = "t" * 43
REPORTED = "https://hub.example"
METHODS = {
    "/": {"GET"},
    "/api/health": {"GET"},
    "/api/probe": {"GET"},
    "/api/exchange": {"POST"},
    "/api/tickets": {"POST"},
    "/api/chat/stream": {"GET", "POST"},
}
GOOD = {
    "host": f"127.0.0.1:{PORT}",
    "origin": "http://localhost:8888",
    "authorization": f"Bearer {TOKEN}",
    "content-type": "application/json",
    "content-length": "2",
}
# What of a good request is made wrong, with the status that says so, in the order of the checks.
FAULTS: dict[int, Mapping[str, str]] = {
    421: {"host": "localhost.evil.example:4711"},
    403: {"origin": "http://evil.example"},
    405: {},
    401: {"authorization": "Bearer wrong"},
    415: {"content-type": "text/plain"},
    413: {"content-length": str(MAX_BODY + 1)},
}


class Answer:
    def __init__(self, messages: list[Any], scope: Scope) -> None:
        self.status: int = messages[0]["status"]
        pairs = [(k.decode(), v.decode("latin-1")) for k, v in messages[0]["headers"]]
        self.headers = dict(pairs)
        assert len(self.headers) == len(pairs)
        self.body = b"".join(m.get("body", b"") for m in messages[1:])
        self.scope = scope


async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"in")(scope, receive, send)


def guard() -> Guard:
    return Guard(
        let_in,
        methods=lambda path: frozenset(METHODS[path]) if path in METHODS else None,
        port=lambda: PORT,
        tokens=lambda: iter([("k" * 43, Grant()), (TOKEN, Grant("w1"))]),
        origins=lambda: frozenset({REPORTED}),
    )


def ask(
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
) -> Answer:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in pairs]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    asyncio.run(guard()(scope, receive, send))
    return Answer(sent, scope)


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in GOOD.items() if name not in names}


def test_a_good_request_comes_in_with_its_grant() -> None:
    answer = ask("POST", "/api/tickets", GOOD)

    assert (answer.status, answer.body) == (200, b"in")
    assert answer.scope[GRANT] == Grant("w1")


@pytest.mark.parametrize(
    "faults",
    [c for n in range(1, len(FAULTS) + 1) for c in itertools.combinations(FAULTS, n)],
    ids=str,
)
def test_the_first_fault_is_the_one_that_counts(faults: tuple[int, ...]) -> None:
    headers = dict(GOOD)
    for fault in faults:
        headers |= FAULTS[fault]

    answer = ask("PUT" if 405 in faults else "POST", "/api/tickets", headers)

    assert answer.status == faults[0]
    assert set(json.loads(answer.body)["error"]) == {"kind", "message"}
    assert answer.headers["vary"] == "Origin"
    assert answer.headers["cache-control"] == "no-store"
    allowed = None if 403 in faults else GOOD["origin"]
    assert answer.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:8888",
        "https://localhost:8888",
        "http://127.0.0.1:8888",
        "http://127.1.2.3",
        "http://[::1]:8888",
        "http://lab.localhost:8888",
        "vscode-webview://0d1kqk5o",
        REPORTED,
    ],
)
def test_pages_of_this_machine_and_reported_ones_are_let_in(origin: str) -> None:
    answer = ask("GET", "/api/health", {**GOOD, "origin": origin})

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "http://evil.example",
        "http://localhost.evil.example",
        "http://evil-localhost",
        "http://127.0.0.1.evil.example",
        "http://127.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil@localhost",
        "http://localhost@evil.example:80",
        "http://localhost:8888/",
        "http://localhost:8888/path",
        "http://localhost:notaport",
        "http://[::1",
        "http://localhost http://evil.example",
        "http://localhost,http://evil.example",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://[::]",
        "ftp://localhost",
        "file://",
        "data://localhost",
        "chrome-extension://abc",
        "vscode-webview:",
        "vscode-webview://",
        "vscode-webview://a/b",
        "https://hub.example.evil.example",
        "http://hub.example",
        "http://\xe9vil.example",
    ],
)
def test_pages_of_strangers_are_kept_out(origin: str) -> None:
    answer = ask("GET", "/api/health", {**GOOD, "origin": origin})

    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255)))
def test_no_origin_breaks_the_check(origin: str) -> None:
    assert ask("GET", "/api/health", {**GOOD, "origin": origin}).status in (200, 403)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "127.0.0.1",
        f"localhost:{PORT + 1}",
        f"localhost.evil.example:{PORT}",
        f"127.0.0.1.evil.example:{PORT}",
        f"evil.example:{PORT}",
        f"localhost:{PORT}@evil.example",
        f"user@localhost:{PORT}",
        f"LOCALHOST.:{PORT}",
        f"127.0.0.2:{PORT}",
        f"[::1]:{PORT}",
        f"0.0.0.0:{PORT}",
        f"localhost:{PORT} ",
    ],
)
def test_only_its_own_address_is_answered(host: str) -> None:
    assert ask("GET", "/api/health", {**GOOD, "host": host}).status == 421


def test_a_request_without_a_host_is_not_answered() -> None:
    assert ask("GET", "/api/health", without("host")).status == 421


PROXIED = {
    **without("authorization", "origin"),
    "host": "hub.example",
    "x-proxycontextpath": "/user/a/proxy/4711",
    "sec-fetch-site": "same-origin",
    "x-kernelchat-token": TOKEN,
}


def test_the_jupyter_proxy_may_bring_its_own_host() -> None:
    assert ask("GET", "/api/health", PROXIED).status == 200
    assert ask("GET", "/api/health", {**PROXIED, "origin": REPORTED}).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-kernelchat-token": "wrong"},
        {"x-kernelchat-token": ""},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_what_only_looks_like_the_proxy_is_not_answered(wrong: dict[str, str]) -> None:
    assert ask("GET", "/api/health", {**PROXIED, **wrong}).status == 421


@pytest.mark.parametrize("missing", ["x-proxycontextpath", "sec-fetch-site", "x-kernelchat-token"])
def test_the_proxy_brings_all_that_proves_it(missing: str) -> None:
    headers = {name: value for name, value in PROXIED.items() if name != missing}

    assert ask("GET", "/api/health", headers).status == 421


@pytest.mark.parametrize(
    "given",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"authorization": f"Bearer  {TOKEN} "},
        {"x-kernelchat-token": TOKEN},
        {"x-kernelchat-token": TOKEN, "authorization": "token of-jupyter"},
    ],
)
def test_a_token_comes_in_either_header(given: dict[str, str]) -> None:
    assert ask("GET", "/api/health", without("authorization") | given).status == 200


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}t"},
        {"authorization": "Bearer \xe9"},
        {"x-kernelchat-token": ""},
        {"x-kernelchat-token": "wrong", "authorization": f"Bearer {TOKEN}"},
    ],
)
def test_without_the_token_nothing_opens(given: dict[str, str]) -> None:
    answer = ask("GET", "/api/health", without("authorization") | given)

    assert answer.status == 401
    assert TOKEN not in answer.body.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/probe"),
        ("POST", "/api/exchange"),
        ("GET", "/api/chat/stream"),
    ],
)
def test_what_needs_no_token_by_design(method: str, path: str) -> None:
    assert ask(method, path, without("authorization")).status == 200


def test_unknown_addresses_are_only_told_to_who_has_a_token() -> None:
    assert ask("GET", "/nowhere", GOOD).status == 404
    assert ask("GET", "/nowhere", without("authorization")).status == 401
    assert ask("GET", "/assets/../api/health", without("authorization")).status == 401


@pytest.mark.parametrize(
    ("name", "status"), [("host", 421), ("origin", 403), ("authorization", 401)]
)
def test_of_a_header_sent_twice_neither_is_trusted(name: str, status: int) -> None:
    other = (name, "other")

    assert ask("GET", "/api/health", [*GOOD.items(), other]).status == status
    assert ask("GET", "/api/health", [other, *GOOD.items()]).status == status
    assert ask("GET", "/api/health", [*GOOD.items(), (name, GOOD[name])]).status == 200


def test_a_preflight_is_answered_before_everything_but_host_and_origin() -> None:
    answer = ask("OPTIONS", "/nowhere", without("authorization", "content-type"))

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == GOOD["origin"]
    assert answer.headers["access-control-allow-headers"] == (
        "authorization, content-type, last-event-id, x-kernelchat-token"
    )
    assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"


def test_a_wrong_method_says_which_are_right() -> None:
    answer = ask("DELETE", "/api/chat/stream", GOOD)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_json_is_json_however_it_is_written(content_type: str) -> None:
    assert ask("POST", "/api/tickets", {**GOOD, "content-type": content_type}).status == 200


@pytest.mark.parametrize(
    "content_type", ["", "text/json", "application/jsonp", "application/json2"]
)
def test_nothing_else_is(content_type: str) -> None:
    assert ask("POST", "/api/tickets", {**GOOD, "content-type": content_type}).status == 415
