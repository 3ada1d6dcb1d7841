"""The routes (DESIGN.md section 3, "Endpoints"). What comes before them is in `guard`."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .._version import PROTOCOL, __version__
from ..commands import check_id, check_text, from_wire, new_id
from ..errors import ChatError
from ..registry import Grant, Registry
from ..session import Session
from . import page
from .follow import follow
from .guard import GRANT, BodyTooLargeError, Guard, refuse, too_large
from .sse import EventResponse, encode
from .turns import AskedTurn, AskedTurns, turn_stream

PROBE_GAP = 0.15
PROBES_PER_SECOND = 50
MAX_CURSORS = 1000
_STATUS = {"not_found": 404, "auth": 401, "cancelled": 409, "rate_limit": 429}
_EVENT_ID = re.compile(r"[0-9]{1,19}")


class Server:
    """The handlers. All run on the server's loop and never block."""

    def __init__(self, registry: Registry, stopping: asyncio.Event) -> None:
        self._registry = registry
        self._stopping = stopping
        self._turns = AskedTurns()
        self._probes: deque[float] = deque(maxlen=PROBES_PER_SECOND)

    async def health(self, request: Request) -> Response:
        """Whether this is alive, and which kernel it is."""
        return JSONResponse(
            {
                "status": "ok",
                "version": __version__,
                "protocol": PROTOCOL,
                "instance": self._registry.instance,
            }
        )

    async def probe(self, request: Request) -> Response:
        """Two events apart in time, and the token over the widget's own channel."""
        challenge = check_id(request.query_params.get("c"), "c")
        widget_id = check_id(request.query_params.get("view"), "view")
        now = asyncio.get_running_loop().time()
        if len(self._probes) == PROBES_PER_SECOND and now - self._probes[0] < 1:
            return refuse(429, "rate_limit", "Too many probes: wait a second.")
        self._probes.append(now)
        instance = self._registry.instance

        async def events() -> AsyncGenerator[bytes, None]:
            self._registry.answer_probe(widget_id, challenge)
            for n in (1, 2):
                yield encode("probe", {"instance": instance, "c": challenge, "n": n})
                if n == 1:
                    await asyncio.sleep(PROBE_GAP)

        return EventResponse(events())

    async def ticket(self, request: Request) -> Response:
        """A ticket for one GET of the chat stream."""
        await _body(request)
        return JSONResponse({"ticket": self._turns.issue(_grant(request))}, 201)

    async def ask(self, request: Request) -> Response:
        """Asks by POST; the answer is the stream of that turn."""
        body = await _body(request)
        command_id = body.get("command_id")
        command_id = new_id() if command_id is None else check_id(command_id, "command_id")
        text, after = check_text(body.get("message")), _last_event_id(request)
        session = self._registry.talk(_session_id(body), _grant(request))
        return self._answer(self._turns.ask(session, text, command_id), after)

    async def ask_by_ticket(self, request: Request) -> Response:
        """Asks by GET, for an EventSource; the ticket stands for the token."""
        query = dict(request.query_params)
        ticket = self._turns.ticket(query.get("ticket", ""))
        if ticket is None:
            return refuse(401, "auth", "A fresh ticket is needed: POST /api/tickets gives one.")
        after = _last_event_id(request)
        if ticket.turn is None:
            text = check_text(query.get("message", ""))
            session = self._registry.talk(_session_id(query), ticket.grant)
            ticket.turn = self._turns.start(session, text, new_id())
        return self._answer(ticket.turn, after)

    def _answer(self, turn: AskedTurn, after: int | None) -> Response:
        if after is not None and turn.all_delivered(after):
            return Response(status_code=204)
        instance = self._registry.instance
        return EventResponse(turn_stream(turn, after, instance=instance, stopping=self._stopping))

    async def events(self, request: Request) -> Response:
        """One conversation, from `Last-Event-ID` on."""
        session = self._session(request)
        return self._follow({session: _last_event_id(request)}, with_ids=True)

    async def many_events(self, request: Request) -> Response:
        """Many conversations on one connection."""
        cursors = (await _body(request)).get("cursors")
        if not isinstance(cursors, dict) or not 0 < len(cursors) <= MAX_CURSORS:
            example = '{"cursors": {session_id: id or null}}'
            raise ChatError("input", f"Name the conversations: {example}.")
        wanted: dict[Session, int | None] = {}
        for session_id, cursor in cursors.items():
            if cursor is not None and (type(cursor) is not int or cursor < 0):
                raise ChatError("input", "A cursor is the id of an event, or null.")
            wanted[self._registry.session(session_id, _grant(request))] = cursor
        return self._follow(wanted, with_ids=False)

    def _follow(self, cursors: dict[Session, int | None], *, with_ids: bool) -> Response:
        return EventResponse(
            follow(
                cursors,
                instance=self._registry.instance,
                with_ids=with_ids,
                stopping=self._stopping,
            )
        )

    async def messages(self, request: Request) -> Response:
        """Earlier messages, 100 at a time."""
        session = self._session(request)
        before = check_id(request.query_params.get("before"), "before")
        if session.state.get(before) is None:
            raise ChatError("not_found", "There is no such message in this conversation.")
        messages, has_more = session.state.before(before)
        return JSONResponse({"messages": [m.to_wire() for m in messages], "has_more": has_more})

    async def command(self, request: Request) -> Response:
        """A command for one conversation."""
        session = self._session(request)
        command = from_wire(await _body(request))
        event_id = session.execute(command)
        # Acknowledged means kept: it outlives the process.
        await session.saved(event_id)
        return JSONResponse({"command_id": command.command_id, "event_id": event_id}, 202)

    async def kept(self, request: Request) -> Response:
        """The conversations that the chat of this one can show."""
        return await self._kept(request, {"action": "list"})

    async def keep(self, request: Request) -> Response:
        """Shows one of them, begins, renames or deletes one."""
        return await self._kept(request, await _body(request))

    async def _kept(self, request: Request, body: dict[str, Any]) -> Response:
        session_id, grant = request.path_params["session_id"], _grant(request)
        chat = self._registry.owner(session_id, grant, body.get("widget_id"))
        return JSONResponse(await chat.shelf.answer(body, grant))

    async def exchange(self, request: Request) -> Response:
        """The one-time code of a link, for the chat's own token."""
        code = (await _body(request)).get("code")
        chat = self._registry.exchange(code if isinstance(code, str) else "")
        return JSONResponse(
            {
                "token": chat.token,
                "session_id": chat.session.session_id,
                "instance": self._registry.instance,
                "config": dict(chat.page_config()),
            }
        )

    def _session(self, request: Request) -> Session:
        return self._registry.session(request.path_params["session_id"], _grant(request))


def create_app(registry: Registry, *, port: Callable[[], int], stopping: asyncio.Event) -> ASGIApp:
    """The ASGI application. `port` is asked at each request, `stopping` ends all streams."""
    server = Server(registry, stopping)
    routes = [
        Route("/", page.index),
        Route("/assets/{name}", page.asset),
        Route("/api/health", server.health),
        Route("/api/probe", server.probe),
        Route("/api/exchange", server.exchange, methods=["POST"]),
        Route("/api/tickets", server.ticket, methods=["POST"]),
        Route("/api/chat/stream", server.ask_by_ticket),
        Route("/api/chat/stream", server.ask, methods=["POST"]),
        Route("/api/events", server.many_events, methods=["POST"]),
        Route("/api/sessions/{session_id}/events", server.events),
        Route("/api/sessions/{session_id}/messages", server.messages),
        Route("/api/sessions/{session_id}/commands", server.command, methods=["POST"]),
        Route("/api/sessions/{session_id}/kept", server.kept),
        Route("/api/sessions/{session_id}/kept", server.keep, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            ChatError: _refused,
            BodyTooLargeError: _too_large,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
    )
    return Guard(
        app,
        methods=lambda path: _methods(routes, path),
        port=port,
        tokens=registry.tokens,
        origins=lambda: registry.origins,
    )


def _methods(routes: list[Route], path: str) -> frozenset[str] | None:
    found: set[str] = set()
    for route in routes:
        if route.path_regex.match(path):
            found |= route.methods or set()
    # HEAD of an endless stream has no answer, and nobody here needs one.
    return frozenset(found - {"HEAD"}) or None


def _grant(request: Request) -> Grant:
    grant: Grant = request.scope[GRANT]
    return grant


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        raise ChatError("input", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ChatError("input", "The body must be a JSON object.")
    return body


def _session_id(values: dict[str, Any]) -> str | None:
    session_id = values.get("session_id")
    return None if session_id in (None, "") else check_id(session_id, "session_id")


def _last_event_id(request: Request) -> int | None:
    value = request.headers.get("last-event-id", "")
    if not value:
        return None
    if not _EVENT_ID.fullmatch(value):
        raise ChatError("input", "Last-Event-ID must be the id of an event.")
    return int(value)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ChatError)
    return refuse(_STATUS.get(error.kind, 400), error.kind, error.message)


async def _too_large(request: Request, error: Exception) -> Response:
    return too_large()


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


async def _broken(request: Request, error: Exception) -> Response:
    # Starlette raises it again, for the log.
    return refuse(500, "server", "The chat's server failed at this request.")
