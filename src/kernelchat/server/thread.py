"""The server's thread: one event loop, and uvicorn on it once somebody needs HTTP.

The only file that starts threads for the server. uvicorn does not tell open streams that it is
closing (Kludex/uvicorn#2913), so `stopping` is set first and every stream watches it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, NoReturn, TypeVar

import uvicorn
from starlette.types import ASGIApp

from .protocol import MAX_HEAD, Protocol

logger = logging.getLogger(__name__)
T = TypeVar("T")

SLICE = 0.1

NAME = "kernelchat-server"
START_TIMEOUT = 5.0
STOP_TIMEOUT = 1.5
ABORT_AFTER = 0.6
BACKLOG = 512
SEND_BUFFER = 128 * 1024
ENDED = "The chat's server has ended: restart the kernel."


class ServerThread:
    """An event loop on a daemon thread, and an HTTP server on 127.0.0.1 there.

    Attributes:
        loop: the loop; only `call` and `submit` may be used from other threads.
        stopping: set on the loop when all streams must end.
        port: where HTTP is served, 0 while it is not.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.stopping = asyncio.Event()
        self.port = 0
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the loop runs. False in a forked child."""
        return self._thread.is_alive()

    @property
    def serving(self) -> bool:
        """Whether clients can connect: not once somebody has closed the socket under us."""
        try:
            accepts = self._socket and self._socket.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            )
        except OSError:
            return False
        return bool(self.port and accepts)

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Runs `function` on the loop soon. From any thread, never blocks.

        Raises:
            RuntimeError: the loop is closed.
        """
        self.loop.call_soon_threadsafe(function, *args)

    def run(self, function: Callable[..., T], *args: object) -> T:
        """Runs `function` on the loop and returns its result. Blocks the caller until then.

        Raises:
            RuntimeError: the thread has ended.
        """
        if threading.current_thread() is self._thread:
            return function(*args)
        answer: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()

        def work() -> None:
            try:
                value = function(*args)
            except Exception as error:  # noqa: BLE001 - raised again where it was asked for
                answer.put(partial(_raise, error))
            else:
                answer.put(lambda: value)

        self.call(work)
        return self._answer(answer)

    def _answer(self, answer: queue.SimpleQueue[Callable[[], T]]) -> T:
        # In slices, so that Ctrl-C ends the wait, and so does the end of the thread.
        while self.alive:
            try:
                return answer.get(timeout=SLICE)()
            except queue.Empty:
                continue
        raise RuntimeError(ENDED)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs `coroutine` on the loop; the future can be waited for on any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs `coroutine` on the loop and returns its result. Blocks the caller until then.

        Not on the loop's own thread.

        Raises:
            RuntimeError: the thread has ended.
        """
        answer: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()

        async def work() -> None:
            try:
                value = await coroutine
            except Exception as error:  # noqa: BLE001 - raised again where it was asked for
                answer.put(partial(_raise, error))
            else:
                answer.put(lambda: value)

        self.submit(work())
        return self._answer(answer)

    def listen(self, app: ASGIApp) -> int:
        """Serves `app` on a free port of 127.0.0.1; returns the port. Blocks for milliseconds.

        Raises:
            OSError: no port could be had.
            RuntimeError: the server did not come up within 5 s.
        """
        # There, so that two threads that ask at once get one server.
        server = self.run(self._begin, app)
        # Polled, since the main thread must take no lock that Ctrl-C could leave behind.
        until = time.monotonic() + START_TIMEOUT
        while not server.started:
            if time.monotonic() > until or not self.alive:
                raise RuntimeError(
                    "The chat's server did not start within 5 s; restart the kernel and try again."
                )
            time.sleep(0.002)
        if not self.port:
            raise RuntimeError(ENDED)
        return self.port

    def stop(self) -> None:
        """Ends all streams, the server and the thread. Blocks for at most 1.5 s; twice is fine."""
        if not self.alive or self.loop.is_closed():
            return
        self.call(self._stop)
        self._thread.join(STOP_TIMEOUT)

    def forget(self) -> None:
        """Lets go of what a forked child inherited. Other threads do not exist there."""
        if self._server is not None:
            # Else a stream whose kernel is gone would stay open as long as the child lives.
            for connection in self._server.server_state.connections:
                _give_up(connection.transport.get_extra_info("socket").fileno())
        if self._socket is not None:
            self._socket.close()
        self.port = 0

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            pending = asyncio.all_tasks(self.loop)
            for task in pending:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def _begin(self, app: ASGIApp) -> uvicorn.Server:
        if self._server is None:
            # asyncio sets TCP_NODELAY only where the protocol is named. Without it a token now and
            # then waits for the browser's delayed acknowledgement of the one before: 40 ms.
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            # The system would let a reader that stops reading cost 4 MiB of memory.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            bound.bind(("127.0.0.1", 0))
            bound.set_inheritable(False)
            server = uvicorn.Server(_config(app))
            self._socket, self._server, self.port = bound, server, bound.getsockname()[1]
            serving = server.serve(sockets=[bound])
            self._serving = self.loop.create_task(serving, name="kernelchat-http")
            self._serving.add_done_callback(self._served)
        return self._server

    def _served(self, task: asyncio.Task[None]) -> None:
        self.port = 0
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the chat's server ended: %s", error, exc_info=error)
        if self.stopping.is_set():
            self.loop.stop()

    def _stop(self) -> None:
        self.stopping.set()
        if self._server is None or self._serving is None or self._serving.done():
            self.loop.stop()
        else:
            self._server.should_exit = True
            # Who sends half a request, or takes no answer, would hold up the end.
            self.loop.call_later(ABORT_AFTER, self._abort_connections, self._server)

    def _abort_connections(self, server: uvicorn.Server) -> None:
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()


def _config(app: ASGIApp) -> uvicorn.Config:
    # No `access_log=False`: that silences the user's own uvicorn servers too.
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )


def _give_up(descriptor: int) -> None:
    # The objects that hold the descriptor will close it once more: it must stay theirs.
    if descriptor < 0:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _raise(error: Exception) -> NoReturn:
    raise error
