"""What the server may be sent by those it does not want, and the status that each must get."""

from __future__ import annotations

from kernelchat.server.guard import MAX_BODY
from server.raw import Request, chunked

EVIL = "http://evil.example"
LAB = "http://localhost:8888"
STREAM = "/api/chat/stream"
EVENTS = "/api/sessions/{session_id}/events"
COMMANDS = "/api/sessions/{session_id}/commands"
ASK = b'{"message": "hello"}'
CHUNKED: dict[str, str | list[str] | None] = {
    "Content-Length": None,
    "Transfer-Encoding": "chunked",
}
UPGRADE: dict[str, str | list[str] | None] = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def host(value: str | list[str] | None, version: str = "HTTP/1.1") -> Request:
    return Request(headers={"Host": value}, version=version)


def origin(value: str | list[str], **more: str | None) -> Request:
    return Request(headers={"Origin": value, **more})


def post(path: str, body: bytes = b"{}", **headers: str | None) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", path, dict(named), body)


def token(value: str | None, path: str = "/api/health") -> Request:
    return Request(path=path, headers={"Authorization": value})


def preflight(of: str, path: str = STREAM) -> Request:
    asked: dict[str, str | list[str] | None] = {
        "Origin": of,
        "Authorization": None,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return Request("OPTIONS", path, asked)


def path(value: str, token_: str | None = "Bearer {token}") -> Request:
    return Request(path=value, headers={"Authorization": token_})


ATTACKS: dict[str, tuple[Request, int]] = {
    # Names that lead here, and requests that were meant for somebody else.
    "rebound name": (host("evil.example:{port}"), 421),
    "name that begins like ours": (host("localhost.evil.example:{port}"), 421),
    "address that begins like ours": (host("127.0.0.1.evil.example:{port}"), 421),
    "another port": (host("127.0.0.1:1"), 421),
    "no port": (host("localhost"), 421),
    "all addresses": (host("0.0.0.0:{port}"), 421),
    "user in the name": (host("localhost:{port}@evil.example"), 421),
    "two names in one": (host("localhost:{port}, evil.example"), 421),
    "no name, old HTTP": (host(None, "HTTP/1.0"), 421),
    "no name": (host(None), 400),
    "two names": (host(["127.0.0.1:{port}", "evil.example"]), 400),
    "no name, later HTTP": (Request("PRI", "*", {"Host": None}, version="HTTP/2.0"), 421),
    "only says to be proxied": (
        Request(
            headers={"Host": "hub.example", "X-ProxyContextPath": "/", "X-Forwarded-Host": "x"}
        ),
        421,
    ),
    "a good name in the line, a bad one below": (
        Request(path="http://127.0.0.1:{port}/api/health", headers={"Host": "evil.example"}),
        421,
    ),
    "a line for a proxy": (path("http://evil.example/api/health"), 404),
    # Pages of other sites.
    "no origin to speak of": (origin("null"), 403),
    "empty origin": (origin(""), 403),
    "stranger": (origin(EVIL), 403),
    "stranger without a token": (origin(EVIL, Authorization=None), 403),
    "stranger at an open address": (
        Request(path="/", headers={"Origin": EVIL, "Authorization": None}),
        403,
    ),
    "stranger with a ticket to try": (
        Request(path=STREAM + "?message=x&ticket=x", headers={"Origin": EVIL}),
        403,
    ),
    "origin that begins like ours": (origin("http://localhost.evil.example"), 403),
    "address as a user": (origin("http://127.0.0.1@evil.example"), 403),
    "name as a part": (origin("http://evil.example/localhost"), 403),
    "two origins": (origin([LAB, EVIL]), 403),
    "a list of origins": (origin(f"{LAB} {EVIL}"), 403),
    "wrong scheme": (origin("ftp://localhost"), 403),
    "page of the machine": (origin(LAB), 200),
    "VS Code": (origin("vscode-webview://0d1kqk5oqf"), 200),
    "almost VS Code": (origin("vscode-webview://"), 403),
    # Preflights.
    "preflight of the machine": (preflight(LAB), 204),
    "preflight to nowhere": (preflight(LAB, "/nowhere"), 204),
    "preflight of a stranger": (preflight(EVIL), 403),
    "preflight under a rebound name": (
        Request("OPTIONS", STREAM, {"Host": "evil.example", "Origin": LAB}),
        421,
    ),
    "options for all": (Request("OPTIONS", "*", {"Authorization": None}), 204),
    # What a form of any page can send without asking.
    "form to the stream": (post(STREAM, ASK, Content_Type="text/plain"), 415),
    "form without a token": (
        post(STREAM, ASK, Content_Type="text/plain", Authorization=None),
        401,
    ),
    "form to the exchange": (
        post("/api/exchange", b'{"code": "x"}', Content_Type="text/plain", Authorization=None),
        415,
    ),
    "encoded form": (
        post(STREAM, b"message=x", Content_Type="application/x-www-form-urlencoded"),
        415,
    ),
    "multipart form": (post(STREAM, b"--x--", Content_Type="multipart/form-data; boundary=x"), 415),
    "JSON in an odd coat": (post(STREAM, ASK, Content_Type="text/plain; application/json"), 415),
    "no type": (post(STREAM, ASK, Content_Type=None), 415),
    # Verbs.
    "put": (Request("PUT", STREAM), 405),
    "delete": (Request("DELETE", EVENTS), 405),
    "patch": (Request("PATCH", COMMANDS), 405),
    "head": (Request("HEAD", "/"), 405),
    "head of a stream": (Request("HEAD", EVENTS), 405),
    "trace": (Request("TRACE", "/"), 405),
    "get where one posts": (Request("GET", "/api/tickets"), 405),
    "post where one gets": (post("/api/health"), 405),
    "wrong verb without a token": (Request("PUT", STREAM, {"Authorization": None}), 405),
    "small letters": (Request("get", "/api/health"), 405),
    "tunnel": (Request("CONNECT", "evil.example:80"), 404),
    # Tokens.
    "no token": (token(None), 401),
    "empty token": (token("Bearer "), 401),
    "wrong token": (token("Bearer wrong"), 401),
    "token without a scheme": (token("{token}"), 401),
    "token as a password": (token("Basic {token}"), 401),
    "two tokens": (Request(headers={"Authorization": ["Bearer {token}", "Bearer x"]}), 401),
    "token in the address": (path("/api/health?token={token}", None), 401),
    "token as a ticket": (path(STREAM + "?message=x&ticket={token}", None), 401),
    "token in a cookie": (
        Request(headers={"Authorization": None, "Cookie": "token={token}"}),
        401,
    ),
    "token of another chat": (token("Bearer {other_token}", EVENTS), 404),
    "another chat's talk": (path("/api/sessions/{other_session_id}/events"), 404),
    "ask in another chat": (
        post(STREAM, b'{"message": "x", "session_id": "OTHER"}'),
        404,
    ),
    "follow another chat": (post("/api/events", b'{"cursors": {"OTHER": null}}'), 404),
    "made-up code": (post("/api/exchange", b'{"code": "x"}', Authorization=None), 401),
    # Bodies.
    "says to be large": (post(STREAM, b"", Content_Length=str(MAX_BODY + 1)), 413),
    "says to be huge": (post(STREAM, b"", Content_Length="9" * 20), 413),
    "says to be without end": (post(STREAM, b"", Content_Length="9" * 5000), 400),
    "a message of two megabytes": (
        post(STREAM, b'{"message": "%s"}' % (b"x" * 2_000_000)),
        413,
    ),
    "large in pieces": (
        Request("POST", STREAM, CHUNKED, chunked([b"x" * 65536] * 17)),
        413,
    ),
    "less than nothing": (post(STREAM, b"", Content_Length="-1"), 400),
    "no number": (post(STREAM, b"", Content_Length="1e3"), 400),
    "two lengths": (Request("POST", STREAM, {"Content-Length": ["2", "3"]}, b"{}"), 400),
    "odd coding": (
        Request("POST", STREAM, {"Content-Length": None, "Transfer-Encoding": "gzip"}, b"x"),
        400,
    ),
    "deep lists": (post(STREAM, b"[" * 400_000), 400),
    "deep objects": (post(STREAM, b'{"a":' * 150_000), 400),
    "deep message": (post(STREAM, b'{"message":' + b"[" * 990 + b"]" * 990 + b"}"), 400),
    "endless number": (post(STREAM, b'{"message": ' + b"9" * 10_000 + b"}"), 400),
    "broken JSON": (post(STREAM, b'{"message": "hel'), 400),
    "two bodies": (post(STREAM, ASK + ASK), 400),
    "no object": (post(STREAM, b'["message"]'), 400),
    "no body": (post(STREAM, b""), 400),
    "broken UTF-8": (post(STREAM, b'{"message": "\xff\xfe"}'), 400),
    "half a character": (post(STREAM, b'{"message": "\\ud800"}'), 400),
    "only space": (post(STREAM, b'{"message": " \\n\\u3000"}'), 400),
    "no text": (post(STREAM, b'{"message": {"toString": 1}}'), 400),
    "a name with a line in it": (
        post(STREAM, b'{"message": "x", "session_id": "a\\r\\nid: 1"}'),
        400,
    ),
    "a name that is none": (post(STREAM, b'{"message": "x", "session_id": 7}'), 400),
    "a command with a line in it": (
        post(STREAM, b'{"message": "x", "command_id": "a\\n\\ndata: x"}'),
        400,
    ),
    "an unknown command": (post(COMMANDS, b'{"type": "x", "command_id": "c"}'), 400),
    "a command of the library": (post(COMMANDS, b'{"type": "__class__", "command_id": "c"}'), 400),
    # Cursors.
    "junk for a cursor": (Request(path=EVENTS, headers={"Last-Event-ID": "1; DROP"}), 400),
    "cursor below nothing": (Request(path=EVENTS, headers={"Last-Event-ID": "-1"}), 400),
    "cursor without end": (Request(path=EVENTS, headers={"Last-Event-ID": "9" * 5000}), 400),
    "two cursors": (Request(path=EVENTS, headers={"Last-Event-ID": ["1", "2"]}), 200),
    "cursor at a question": (
        Request("POST", STREAM, {"Last-Event-ID": "x"}, ASK),
        400,
    ),
    "message that is none": (path("/api/sessions/{session_id}/messages?before=%0d%0aX:1"), 400),
    # Addresses.
    "up": (path("/api/../api/health"), 404),
    "up, encoded": (path("/api/%2e%2e/health"), 404),
    "two slashes": (path("//api/health"), 404),
    "another host": (path("//evil.example/api/health"), 404),
    "a slash more": (path("/api/health/"), 404),
    "a slash more, stranger": (path("/api/probe/", None), 401),
    "large letters": (path("/API/health"), 404),
    "out of the assets": (path("/assets/../chat.py", None), 401),
    "out of the assets, encoded": (path("/assets/%2e%2e%2fchat.py", None), 401),
    "out of the assets, twice encoded": (path("/assets/%252e%252e%252fchat.py", None), 404),
    "out of the assets, other slash": (path("/assets/..%5cchat.py", None), 404),
    "a file that is not for pages": (path("/assets/widget.js", None), 404),
    "the folder": (path("/assets/", None), 404),
    "nothing behind a zero": (path("/assets/page.js%00.png", None), 404),
    "a talk with a slash": (path("/api/sessions/a%2fb/events"), 404),
    "a talk above": (path("/api/sessions/%2e%2e/events"), 404),
    "documentation": (path("/docs"), 404),
    "schema": (path("/openapi.json", None), 401),
    # Upgrades.
    "websocket": (Request(path="/", headers=UPGRADE), 200),
    "websocket without a token": (
        Request(path=EVENTS, headers={**UPGRADE, "Authorization": None}),
        401,
    ),
    "websocket of a stranger": (Request(path="/", headers={**UPGRADE, "Origin": EVIL}), 403),
    "newer HTTP": (
        Request(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}),
        200,
    ),
}

BROKEN: dict[str, bytes] = {
    "nonsense": b"hello\r\n\r\n",
    "zeros": b"\x00" * 64 + b"\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "space in the address": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw letters in the address": "GET /你好 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "zero in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: a\x00b\r\n\r\n",
    "header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n",
    "space in a header's name": b"GET / HTTP/1.1\r\nHost: x\r\nA b: x\r\n\r\n",
    "header without an end": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000,
    "address without an end": b"GET /" + b"a" * 100_000,
    "headers without an end": b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 20_000,
}
