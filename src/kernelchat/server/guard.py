"""Who gets in: every check of DESIGN.md section 7 that comes before a route, in its order.

The server listens on loopback, where any page of the browser and any user of the machine can reach
it. `Host` keeps out rebound names, `Origin` keeps out other sites' pages, the token everybody else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ErrorKind
from ..registry import Grant

MAX_BODY = 1 << 20
TOKEN_HEADER = b"x-kernelchat-token"
ALLOWED_HEADERS = "authorization, content-type, last-event-id, x-kernelchat-token"
GRANT = "kernelchat.grant"

_OPEN = re.compile(r"/|/assets/[^/]*|/api/probe|/api/exchange")


class Guard:
    """Middleware that lets only allowed requests through, and adds CORS to every answer.

    Args:
        app: the routes.
        methods: finds the methods of a path; None where there is no such path.
        port: the port that is served.
        tokens: all tokens that open something, with what they open.
        origins: origins that a view reported over its kernel's own channel.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        methods: Callable[[str], frozenset[str] | None],
        port: Callable[[], int],
        tokens: Callable[[], Iterable[tuple[str, Grant]]],
        origins: Callable[[], frozenset[str]],
    ) -> None:
        self._app = app
        self._methods = methods
        self._port = port
        self._tokens = tokens
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that is refused, hands on the others with their grant."""
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
        known = origin is not None and self._origin_allowed(origin)
        sender = _Answer(send, origin if known else None)
        refusal = self._refusal(scope, headers, stranger=origin is not None and not known)
        if refusal is not None:
            await refusal(scope, receive, sender)
            return
        body = _Limited(receive, MAX_BODY)
        await self._app(scope, body if _has_body(scope) else receive, sender)

    def _refusal(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, stranger: bool
    ) -> Response | None:
        path, method = scope["path"], scope["method"]
        if not self._host_allowed(headers):
            return refuse(421, "input", "This server answers only to its own address.")
        if stranger:
            return refuse(403, "auth", "Pages of this origin may not use this chat.")
        if method == "OPTIONS":
            return Response(status_code=204)
        methods = self._methods(path)
        if methods is not None and method not in methods:
            allowed = {"Allow": ", ".join(sorted(methods))}
            return refuse(405, "input", f"{method} is not for this address.", allowed)
        grant = self._grant(headers)
        if grant is None and not _OPEN.fullmatch(path) and not _ticketed(scope):
            needed = "A valid token is needed: send it as a bearer token."
            return refuse(401, "auth", needed, {"WWW-Authenticate": "Bearer"})
        if methods is None:
            return refuse(404, "not_found", "There is nothing at this address.")
        scope[GRANT] = grant
        return _body_refusal(headers) if method == "POST" else None

    def _host_allowed(self, headers: Mapping[bytes, bytes]) -> bool:
        host = headers.get(b"host", b"").decode("latin-1")
        port = self._port()
        if host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return True
        # The Jupyter proxy hands on the page's own Host. A rebound name cannot carry its header
        # and the token, and a page of another site is not `same-origin`.
        proxied = b"x-proxycontextpath" in headers or b"x-forwarded-context" in headers
        same_origin = headers.get(b"sec-fetch-site") == b"same-origin"
        return proxied and same_origin and self._grant(headers) is not None

    def _origin_allowed(self, origin: str) -> bool:
        if origin in self._origins():
            return True
        try:
            parts = urlsplit(origin)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return False
        if parts.scheme == "vscode-webview":
            return bool(parts.netloc) and origin == f"vscode-webview://{parts.netloc}"
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            return False
        return "@" not in parts.netloc and host is not None and _is_loopback(host)

    def _grant(self, headers: Mapping[bytes, bytes]) -> Grant | None:
        given = headers.get(TOKEN_HEADER)
        if given is None:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer":
                return None
        found = None
        for token, grant in self._tokens():
            if secrets.compare_digest(given.strip(), token.encode()):
                found = grant
        return found


def refuse(
    status: int, kind: ErrorKind, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error before a stream starts, as DESIGN.md section 3 says."""
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, headers=headers)


def _is_loopback(host: str) -> bool:
    # Nobody can own a name under .localhost (RFC 6761), and browsers look none up.
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _headers(scope: Scope) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        # Of a header sent twice neither value is trusted.
        found[name] = b"\x00" if name in found and found[name] != value else value
    return found


def _ticketed(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) == ("GET", "/api/chat/stream")


def _has_body(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _body_refusal(headers: Mapping[bytes, bytes]) -> Response | None:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        return refuse(415, "input", "Send JSON, with the content type application/json.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        return refuse(400, "input", "The length of the body is not a number.")
    return too_large() if int(length) > MAX_BODY else None


def too_large() -> JSONResponse:
    """The answer to a body over the limit."""
    return refuse(413, "input", "The message is too long: the limit is 1 MiB.")


class BodyTooLargeError(Exception):
    """More came than the limit allows; the routes answer 413."""


class _Limited:
    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise BodyTooLargeError
        return message


class _Answer:
    """Adds what every answer has: CORS where the origin is allowed, and what keeps it private."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send = send
        # Said without an origin too, or a cache would give that answer to a page that has one.
        self._headers = [(b"vary", b"Origin"), (b"x-content-type-options", b"nosniff")]
        if origin is not None:
            self._headers += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
                (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
                (b"access-control-max-age", b"600"),
            ]

    def __call__(self, message: Message) -> Awaitable[None]:
        # Not a coroutine itself: it stands before each token.
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *self._headers]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        return self._send(message)
