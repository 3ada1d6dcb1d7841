"""The chat as a page of its own: static files, open to anybody, with no secret in them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from .guard import refuse

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src data: https: http:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
ASSETS = {"page.js": "text/javascript", "client.js": "text/javascript"}


async def index(request: Request) -> Response:
    """The page."""
    return Response(_read("page.html"), media_type="text/html", headers=HEADERS)


async def asset(request: Request) -> Response:
    """What the page loads."""
    name = request.path_params["name"]
    if name not in ASSETS:
        return refuse(404, "not_found", "There is no such file.")
    return Response(_read(name), media_type=ASSETS[name], headers=HEADERS)


@cache
def _read(name: str) -> bytes:
    return (files("kernelchat") / "static" / name).read_bytes()
