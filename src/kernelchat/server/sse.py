"""Server-Sent Events: how entries of a log become bytes, and the streams that carry them.

Written here since sse-starlette replaces `uvicorn.Server.handle_exit` for the whole process when
it is imported. The format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..log import EventLog, dumps
from .protocol import ABORT

MAX_SEND = 256 * 1024
HEARTBEAT = 10.0
SEND_TIMEOUT = 30.0
RETRY_MS = 500
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
PRELUDE = b"retry: %d\n\n" % RETRY_MS
BEAT = b": keep-alive\n\n"


def encode(name: str, data: str | Mapping[str, Any], event_id: int | None = None) -> bytes:
    """One event as bytes. `data` is JSON on one line, or what becomes that."""
    text = data if isinstance(data, str) else dumps(data)
    head = f"event: {name}\n" if event_id is None else f"id: {event_id}\nevent: {name}\n"
    # Half a character that slipped in becomes JSON's own escape; strict, it would end all streams.
    return f"{head}data: {text}\n\n".encode(errors="backslashreplace")


class EventResponse(StreamingResponse):
    """A stream of events. A reader that takes nothing for 30 s is let go."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers=HEADERS)
        self._events = events
        self._abort: Callable[[], None] = _nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        self._abort = scope.get("state", {}).get(ABORT, _nothing)
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Sends the stream; returns when it ended or the reader took nothing for too long."""
        patience = Patience()

        async def bounded(message: Any) -> None:
            body = message.get("body", b"")
            if len(body) <= MAX_SEND:
                patience.begin()
                await send(message)
                patience.end()
                return
            # The connection keeps a copy of what it was given: of a long talk a part at a time.
            for start in range(0, len(body), MAX_SEND):
                patience.begin()
                await send({**message, "body": body[start : start + MAX_SEND]})
                patience.end()

        try:
            await super().stream_response(bounded)
        except asyncio.CancelledError:
            if not patience.take_back():
                raise
            self._abort()
            # Once around, so that the connection is known as lost before this answer is.
            await asyncio.sleep(0)
        finally:
            patience.stop()
            # A reader that leaves during a send leaves the generator suspended: end it now.
            await self._events.aclose()


def _nothing() -> None:
    """What an abort does where the server offers none."""


class Patience:
    """Cancels the current task when one send takes too long. One timer, however many sends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._since: float | None = None
        self._lost = False
        self._timer = self._loop.call_later(SEND_TIMEOUT, self._check)

    def begin(self) -> None:
        """A send begins."""
        self._since = self._loop.time()

    def end(self) -> None:
        """It is through."""
        self._since = None

    def take_back(self) -> bool:
        """Whether the task was cancelled by this and nobody else; it is not cancelled then."""
        return self._lost and self._task is not None and self._task.uncancel() == 0

    def stop(self) -> None:
        """No more is sent."""
        self._timer.cancel()

    def _check(self) -> None:
        left = SEND_TIMEOUT
        if self._since is not None:
            left = self._since + SEND_TIMEOUT - self._loop.time()
        if left <= 0 and self._task is not None:
            self._lost = True
            self._task.cancel()
            return
        self._timer = self._loop.call_later(max(left, 0.001), self._check)


class Signal:
    """Wakes one coroutine; set on the loop's own thread. Cheaper than an Event with a time-out."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wakes who waits, or who waits next."""
        self._set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Returns once `set` was called since the last return."""
        if not self._set:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._set = False


class Pulse:
    """Sets a signal when nothing was sent for ten seconds. One timer, however much is sent."""

    def __init__(self, signal: Signal, seconds: float | None = None) -> None:
        self.due = False
        self._seconds = HEARTBEAT if seconds is None else seconds
        self._loop = asyncio.get_running_loop()
        self._signal = signal
        self._sent = self._loop.time()
        self._timer = self._loop.call_later(self._seconds, self._check)

    def sent(self) -> None:
        """Something was sent."""
        self.due = False
        self._sent = self._loop.time()

    def stop(self) -> None:
        """No more pulses."""
        self._timer.cancel()

    def _check(self) -> None:
        left = self._sent + self._seconds - self._loop.time()
        if left <= 0:
            self.due = True
            self._signal.set()
            left = self._seconds
        self._timer = self._loop.call_later(left, self._check)


async def pump(
    logs: Sequence[EventLog],
    *,
    prelude: bytes,
    collect: Callable[[], bytes],
    over: Callable[[], bool],
    stopping: asyncio.Event,
) -> AsyncGenerator[bytes, None]:
    """The bytes of one reader: all that waits in one send, a comment when nothing comes.

    Args:
        logs: what wakes it.
        prelude: sent first, at once.
        collect: takes what waits, b"" if nothing does.
        over: asked when nothing waits; True ends the stream.
        stopping: set when the server ends.
    """
    signal = Signal()
    pulse = Pulse(signal)
    undo = [log.subscribe(signal.set) for log in logs]
    watch = asyncio.ensure_future(stopping.wait())
    watch.add_done_callback(lambda _: signal.set())
    try:
        yield PRELUDE + prelude
        while not stopping.is_set():
            chunk = collect()
            if chunk:
                yield chunk
                pulse.sent()
                continue
            if over():
                return
            if pulse.due:
                yield BEAT
                pulse.sent()
            await signal.wait()
    finally:
        watch.cancel()
        pulse.stop()
        for end in undo:
            end()
