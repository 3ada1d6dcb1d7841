"""The comm carrier: a conversation over the widget's own channel to its views.

It works in every host, and it is how views are woken: as long as no HTTP reader follows a
conversation its events go out here, in numbered frames. A frame holds the events after id `after`;
a view applies it when it has event `after`, and says `hello` with its cursor otherwise.

`receive` may be called on any thread (ipykernel runs comm handlers on the main thread, on subshell
threads, or inside somebody's `await`); everything else runs on the server's loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .commands import from_wire
from .errors import ChatError
from .log import Entry
from .session import Session

logger = logging.getLogger(__name__)

FRAME_VERSION = 1
MAX_FRAME = 256 * 1024
PACE = 0.04
MAX_VIEWS = 64
WAKE_EVERY = 1.0
TRANSPORTS = frozenset({"direct", "proxy", "comm"})

Post = Callable[[Mapping[str, Any]], None]


class Pacer:
    """Lets at most 25 frames a second out of this kernel, for all its chats together.

    jupyter_server drops what comes faster than about 1,000 messages a second, silently. The first
    frame after a pause goes at once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float = PACE) -> None:
        self._loop = loop
        self._seconds = seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, flush: Callable[[], None]) -> None:
        """Calls `flush` when its turn comes, once however often it asked."""
        if flush in self._waiting:
            return
        self._waiting.append(flush)
        if self._timer is None:
            # Not at once: what was appended in the same step belongs into the same frame.
            self._timer = self._loop.call_later(0, self._next)

    def later(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        """Calls `function` on the loop after so many seconds."""
        return self._loop.call_later(seconds, function)

    def _next(self) -> None:
        self._timer = None
        if self._waiting:
            flush = self._waiting.popleft()
            self._timer = self._loop.call_later(self._seconds, self._next)
            flush()


class CommCarrier:
    """Carries one conversation to and from the views of one widget.

    Args:
        session: the conversation.
        post: sends a custom message to all views; any thread.
        pacer: the kernel's.
        hop: runs a function on the server's loop; any thread.
        on_view: told of a view's transport and the origin of its page.
    """

    def __init__(
        self,
        session: Session,
        post: Post,
        pacer: Pacer,
        hop: Callable[..., object],
        on_view: Callable[[str, str], None],
    ) -> None:
        self._session = session
        self._post = post
        self._pacer = pacer
        self._hop = hop
        self._on_view = on_view
        self._cursor = session.log.last_id
        self._views_on_comm: dict[str, None] = {}
        self._woken = self._cursor
        self._wake_timer: asyncio.TimerHandle | None = None
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._undo = [
            session.log.subscribe(self._on_event),
            session.on_readers_changed(self._on_readers),
        ]

    def receive(self, content: object) -> None:
        """Takes a message from a view. Any thread, never blocks."""
        self._hop(self._receive, content)

    def turned_to(self, session: Session) -> CommCarrier:
        """The carrier of the conversation that these views show from now on; this one is closed.

        What there is goes out at once: the views' hello may have to wait for a running cell.
        """
        self.close()
        turned = type(self)(session, self._post, self._pacer, self._hop, self._on_view)
        turned._frame(None)
        return turned

    def close(self) -> None:
        """Carries nothing any more, but what waits still goes out."""
        for undo in self._undo:
            undo()
        self._undo = []
        self._flush()

    # from the views

    def _receive(self, content: object) -> None:
        if not isinstance(content, Mapping):
            return
        match content.get("type"):
            case "hello":
                self._hello(content)
            case "command":
                self._command(content.get("command"), self._astray(content))
            case other:
                # A newer page may know words that this kernel does not.
                logger.debug("a view said %.40r, which this version does not know", other)

    def _hello(self, content: Mapping[str, Any]) -> None:
        view, transport = str(content.get("view"))[:64], content.get("transport")
        if not isinstance(transport, str) or transport not in TRANSPORTS or self._astray(content):
            return
        self._on_view(transport, str(content.get("origin", ""))[:256])
        if transport != "comm":
            self._views_on_comm.pop(view, None)
            return
        self._views_on_comm[view] = None
        if len(self._views_on_comm) > MAX_VIEWS:
            self._views_on_comm.pop(next(iter(self._views_on_comm)))
        after = content.get("after")
        self._frame(after if type(after) is int else None)

    def _astray(self, content: Mapping[str, Any]) -> bool:
        # A view that does not know yet that its chat has turned to another conversation.
        own = self._session.session_id
        return bool(content.get("session_id", own) != own)

    def _command(self, data: object, astray: bool) -> None:
        command_id = data.get("command_id") if isinstance(data, Mapping) else None
        try:
            if astray:
                raise ChatError("not_found", "This chat shows another conversation now.")
            command = from_wire(data)
            event_id = self._session.execute(command)
        except ChatError as error:
            refusal = {"kind": error.kind, "message": error.message}
            self._post({"type": "ack", "command_id": command_id, "error": refusal})
            return
        if not self._session.keeps:
            self._ack(command.command_id, event_id)
            return
        acknowledged = self._ack_when_saved(command.command_id, event_id)
        task = asyncio.get_running_loop().create_task(acknowledged)
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _ack_when_saved(self, command_id: str, event_id: int) -> None:
        # Acknowledged means kept: it outlives the process.
        await self._session.saved(event_id)
        self._ack(command_id, event_id)

    def _ack(self, command_id: str, event_id: int) -> None:
        self._post({"type": "ack", "command_id": command_id, "event_id": event_id})

    # to the views

    @property
    def _needed(self) -> bool:
        return self._session.http_readers == 0 or bool(self._views_on_comm)

    def _on_event(self) -> None:
        if self._needed:
            self._pacer.ask(self._flush)
        elif self._wake_timer is None:
            self._pacer.ask(self._wake)
            self._wake_timer = self._pacer.later(WAKE_EVERY, self._wake_again)

    def _wake(self) -> None:
        # One page reads over HTTP. The others may have no stream, since none is kept while nothing
        # goes on: an empty frame tells them how far the log is, and they look for themselves.
        if self._needed:
            return
        self._woken = self._session.log.last_id
        self._post({"type": "frame", "v": FRAME_VERSION, "after": self._woken, "events": []})

    def _wake_again(self) -> None:
        # Once more if something came since: a wake may be lost, and the last must tell of the end.
        self._wake_timer = None
        if self._undo and not self._needed and self._session.log.last_id > self._woken:
            self._on_event()

    def _on_readers(self) -> None:
        if self._needed:
            if self._session.idle:
                # The reader left since nothing goes on: it has everything, say nothing twice.
                self._cursor = self._session.log.last_id
            self._on_event()

    def _flush(self) -> None:
        if not self._needed:
            self._cursor = self._session.log.last_id
            return
        if self._cursor < self._session.log.last_id:
            self._cursor = self._frame(self._cursor)
            if self._cursor < self._session.log.last_id:
                self._pacer.ask(self._flush)

    def _frame(self, after: int | None) -> int:
        log = self._session.log
        entries = None if after is None else log.read(after)
        if entries is None:
            after = None
            entries = [Entry(log.last_id, log.session_id, self._session.state.snapshot())]
        events: list[dict[str, Any]] = []
        size, last = 0, after or 0
        for entry in entries:
            events.append({"event": entry.event.name, "data": entry.wire()})
            last = entry.id
            size += len(entry.data)
            if size >= MAX_FRAME:
                break
        self._post({"type": "frame", "v": FRAME_VERSION, "after": after, "events": events})
        return last
