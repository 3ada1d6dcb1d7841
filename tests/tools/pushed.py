"""A model pushed by hand, so that no test waits for time to pass."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Sequence

from kernelchat.models.base import BuiltinModel, Delta, ModelMessage

PATIENCE = 30.0
"""Seconds after which a test gives up: only a failure takes so long."""


class Call:
    """One call of the model. `push`, `end` and `fail` may be called from any thread."""

    def __init__(self, messages: Sequence[ModelMessage]) -> None:
        self.messages = list(messages)
        self.closed = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Delta | str | BaseException | None] = asyncio.Queue()

    def push(self, *pieces: Delta | str) -> None:
        for piece in pieces:
            self._put(piece)

    def end(self, *last: Delta | str) -> None:
        self.push(*last)
        self._put(None)

    def fail(self, error: BaseException) -> None:
        self._put(error)

    def _put(self, piece: Delta | str | BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def stream(self) -> AsyncIterator[Delta | str]:
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed.set()


class PushedModel(BuiltinModel):
    """Answers with what the test pushes into its calls."""

    label = "pushed"

    def __init__(self, *, needs_finish: bool = False) -> None:
        self.needs_finish = needs_finish
        self.calls: list[Call] = []
        self.closed = threading.Event()
        self._new: queue.SimpleQueue[Call] = queue.SimpleQueue()

    def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta | str]:
        call = Call(messages)
        self.calls.append(call)
        self._new.put(call)
        return call.stream()

    def call(self) -> Call:
        """The next call; waits for it. Not on the loop that runs the turn."""
        return self._new.get(timeout=PATIENCE)

    async def called(self) -> Call:
        """The next call, awaited on the loop that runs the turn."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return self._new.get_nowait()
                except queue.Empty:
                    await asyncio.sleep(0)

    async def aclose(self) -> None:
        self.closed.set()
