"""The server's thread: how it starts and ends, and whom it leaves alone."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kernelchat import Chat
from kernelchat.server import sse
from kernelchat.server.sse import EventResponse
from kernelchat.server.thread import STOP_TIMEOUT, ServerThread
from kernelchat.session import Session
from server.raw import Place, Request, connect, send
from tools.pushed import PATIENCE, PushedModel


@pytest.fixture
def thread() -> Iterator[ServerThread]:
    thread = ServerThread()
    yield thread
    thread.stop()
    assert not thread.alive


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"here")(scope, receive, send)


def place_of(port: int) -> Place:
    return Place(port, "none", "none", "none", "none")


def test_it_serves_on_loopback_only_and_in_its_own_thread(thread: ServerThread) -> None:
    assert thread.port == 0
    port = thread.listen(app)

    assert send(place_of(port), Request().at(place_of(port))).body == b"here"
    assert thread._socket is not None
    assert thread._socket.getsockname() == ("127.0.0.1", port)
    assert not thread._socket.get_inheritable()
    names = [(t.name, t.daemon) for t in threading.enumerate() if t is thread._thread]
    assert names == [("kernelchat-server", True)]


def test_asked_by_many_threads_at_once_it_listens_once(thread: ServerThread) -> None:
    with ThreadPoolExecutor(8) as pool:
        ports = set(pool.map(lambda _: thread.listen(app), range(8)))

    assert ports == {thread.port}


def test_it_ends_with_streams_open_and_with_requests_cut_in_half(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    thread = ServerThread()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/body":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        stream = sse.pump(
            [],
            prelude=b": hello\n\n",
            collect=lambda: b"",
            over=lambda: False,
            stopping=thread.stopping,
        )
        await EventResponse(stream)(scope, receive, send)

    place = place_of(thread.listen(endless))
    connections = [connect(place.port) for _ in range(4)]
    for connection in connections[:2]:
        connection.sendall(Request().at(place))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    half = Request("POST", "/body", {"Content-Length": "9"}).at(place)
    connections[2].sendall(half)
    connections[3].sendall(half[:20])
    thread.stop()

    assert not thread._thread.is_alive()
    assert thread.port == 0
    for connection in connections:
        with connection:
            while connection.recv(65536):
                pass
    with pytest.raises(ConnectionRefusedError):
        connect(place.port)
    thread.stop()
    assert capfd.readouterr() == ("", "")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_what_the_loop_cannot_do_is_raised_where_it_was_asked(thread: ServerThread) -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        thread.run(fail)
    assert thread.run(lambda: 7) == 7


def test_who_asks_a_thread_that_ended_is_told() -> None:
    thread = ServerThread()
    thread.stop()

    with pytest.raises(RuntimeError):
        thread.listen(app)


def test_the_users_own_uvicorn_keeps_its_logs(thread: ServerThread) -> None:
    access, errors = (logging.getLogger(f"uvicorn.{name}") for name in ("access", "error"))
    handler = logging.NullHandler()
    access.addHandler(handler)

    def kept() -> list[object]:
        # Copies: other tests may have left handlers of their own there.
        return [
            (log.propagate, log.level, log.disabled, log.handlers[:]) for log in (access, errors)
        ]

    before = kept()
    thread.listen(app)

    assert handler in access.handlers
    assert kept() == before
    access.removeHandler(handler)


def test_a_fault_of_ours_is_answered_as_json_and_logged_for_us(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(chat._session.state, "before", fail)
    monkeypatch.setattr(chat._session.state, "get", lambda _: True)
    endpoint = chat.endpoint
    port = int(endpoint.url.rpartition(":")[2])
    place = Place(port, endpoint.token, endpoint.session_id, "none", "none")
    request = Request(path="/api/sessions/{session_id}/messages?before=m1")
    answer = send(place, request.at(place))

    assert (answer.status, answer.kind) == (500, "server")
    assert b"secret detail" not in answer.body
    # Logged once it was answered: before the next request is.
    assert send(place, Request().at(place)).status == 200
    assert {record.name for record in caplog.records} == {"kernelchat.server.protocol"}


def test_a_reader_that_takes_nothing_is_let_go_with_its_connection(
    static_files: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sse, "SEND_TIMEOUT", 0.2)
    # uvicorn waits before a send, not after it: the next one finds out.
    monkeypatch.setattr(sse, "HEARTBEAT", 0.05)
    much = {"role": "assistant", "content": "x" * 8_000_000}
    chat = Chat(PushedModel(), messages=[much])
    session: Session = chat._session
    endpoint = chat.endpoint
    port = int(endpoint.url.rpartition(":")[2])
    place = Place(port, endpoint.token, endpoint.session_id, "none", "none")
    left, counts = threading.Event(), list[int]()

    def changed() -> None:
        counts.append(session.http_readers)
        if counts[-1] == 0:
            left.set()

    session.on_readers_changed(changed)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(PATIENCE)
        reader.connect(("127.0.0.1", port))
        reader.sendall(Request(path="/api/sessions/{session_id}/events").at(place))
        assert left.wait(PATIENCE)
        # What the kernel's buffers held still comes, then the connection is gone.
        got = 0
        try:
            while data := reader.recv(1 << 20):
                got += len(data)
        except ConnectionResetError:
            got += 1
    assert counts == [1, 0]
    assert 0 < got < 8_000_000
    assert send(place, Request().at(place)).status == 200
    chat.close()
    assert caplog.records == []


def test_stopping_takes_less_than_it_may() -> None:
    assert STOP_TIMEOUT < 2
    thread = ServerThread()
    asyncio.run_coroutine_threadsafe(asyncio.Event().wait(), thread.loop)
    thread.stop()

    assert not thread._thread.is_alive()
