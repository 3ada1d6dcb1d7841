"""The way of an answer from a model thread to the server's loop (DESIGN.md section 5)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

from .base import Delta

T = TypeVar("T")

THREAD_NAME = "kernelchat-model"
MAX_WAITING = 1 << 20
"""Characters that may wait for the reader before the model is made to wait."""
_COST = 64  # what a piece costs beside its text, so that empty pieces cannot pile up either
_BURST = 64  # pieces handed on before other tasks of the loop get their chance
CLOSE_TIMEOUT = 1.0

log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818  # a signal, not an error
    """The reader has gone: nobody wants the rest of the answer."""


class Channel:
    """One answer: one producer on a model thread, one reader on the server's loop.

    Each counter and flag has one writer, so no lock is needed and the reader's loop never waits
    for the producer. `put`, `end` and `attach` belong to the producer, the rest to the reader.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.closed = False
        self._loop = loop
        self._items: deque[Delta] = deque()
        self._put = 0
        self._taken = 0
        self._waiting = False
        self._ended = False
        self._error: BaseException | None = None
        self._wake_due = False
        self._news = asyncio.Event()
        self._notify: Callable[[], object] = _nothing

    def attach(self, notify: Callable[[], object]) -> None:
        """From now on `notify` is called when there is room again, or the reader has gone."""
        self._notify = notify
        if self.closed:
            notify()

    @property
    def full(self) -> bool:
        """Whether more than `MAX_WAITING` characters wait for the reader."""
        return self._put - self._taken > MAX_WAITING and not self.closed

    def must_wait(self) -> bool:
        """Whether the producer should wait; it will be notified. Clear what you wait on first."""
        # Set before `full` is read, and read by the reader after it took: one of the two sees
        # the other, so no notification is lost.
        self._waiting = True
        return self.full

    def put(self, delta: Delta) -> None:
        """Hands on a piece.

        Raises:
            Stopped: the reader has gone.
        """
        if self.closed:
            raise Stopped
        self._items.append(delta)
        self._put += _cost(delta)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come; the reader raises `error`."""
        self._error = error
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if not self._wake_due:
            self._wake_due = True
            try:
                self._loop.call_soon_threadsafe(self._woken)
            except RuntimeError:  # the reader's loop is closed, and the reader gone with it
                self.closed = True

    def _woken(self) -> None:
        self._wake_due = False
        self._news.set()

    def close(self) -> None:
        """The reader wants no more."""
        self.closed = True
        self._notify()

    async def read(self) -> AsyncGenerator[Delta, None]:
        """The pieces, in order."""
        burst = 0
        while True:
            self._news.clear()
            ended = self._ended
            while self._items:
                delta = self._items.popleft()
                self._taken += _cost(delta)
                if self._waiting and not self.full:
                    self._waiting = False
                    self._notify()
                yield delta
                burst += 1
                if burst % _BURST == 0:
                    await asyncio.sleep(0)
            if ended:
                if self._error is not None:
                    raise self._error
                return
            await self._news.wait()


def _cost(delta: Delta) -> int:
    return _COST + len(delta.text) + len(delta.reasoning)


def _nothing() -> None:
    """Nobody produces yet."""


class UserLoop:
    """An event loop on a daemon thread of its own, for a user's async code.

    It is not the server's loop: code that blocks there stalls itself only. The thread starts at
    once and ends with `aclose`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._close_asked = asyncio.Event()
        self._on_end: Callable[[], None] = _nothing
        self._tasks: set[asyncio.Task[None]] = set()
        threading.Thread(target=self._run, name=THREAD_NAME, daemon=True).start()

    def spawn(
        self,
        job: Callable[[], Coroutine[Any, Any, None]],
        context: Context,
        on_cancel: Callable[[], None],
    ) -> None:
        """Runs `job()` as a task in `context`. Any thread may call this.

        `on_cancel` is called should the loop end before `job` was done.

        Raises:
            RuntimeError: the loop is closed.
        """
        self._loop.call_soon_threadsafe(self._begin, job, context, on_cancel)

    def _begin(
        self,
        job: Callable[[], Coroutine[Any, Any, None]],
        context: Context,
        on_cancel: Callable[[], None],
    ) -> None:
        task = self._loop.create_task(job(), context=context)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                on_cancel()

        task.add_done_callback(done)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._closing:
            try:
                self._loop.run_until_complete(self._close_asked.wait())
            except (KeyboardInterrupt, SystemExit) as error:
                # A task that the user's code left behind called sys.exit(); asyncio lets that
                # through, but it must not end the thread that the next answers need.
                log.debug("a task of the model raised %s", type(error).__name__)
        try:
            self._loop.run_until_complete(self._wind_down())
        finally:
            self._loop.close()
            self._on_end()

    async def _wind_down(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
        await self._loop.shutdown_asyncgens()

    async def aclose(self) -> None:
        """Cancels what runs and ends the thread; waits up to 1 s, since code there may block."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        def on_end() -> None:
            try:
                loop.call_soon_threadsafe(over.set)
            except RuntimeError as error:  # the loop that waited is closed
                log.debug("a model thread ended late: %s", error)

        self._on_end = on_end
        self._closing = True
        self._loop.call_soon_threadsafe(self._close_asked.set)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await over.wait()
        except TimeoutError:
            log.debug("the model's own code blocks its thread, which ends when that returns")


async def on_thread(function: Callable[[], T]) -> T:
    """`function()` on a daemon thread, awaited. Not an executor: those hold up the exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(future.set_result, function())
        except Exception as error:  # noqa: BLE001  # the caller raises it
            settle = partial(future.set_exception, error)

        def deliver() -> None:
            if not future.cancelled():
                settle()

        try:
            loop.call_soon_threadsafe(deliver)
        except RuntimeError as error:  # the loop is closed, nobody waits any more
            log.debug("a result came too late: %s", error)

    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
    return await future
