"""Readers of every bad kind: none of them costs the others anything."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from kernelchat import Chat
from kernelchat.runtime import runtime
from kernelchat.server import sse
from kernelchat.server.thread import SEND_BUFFER
from tools.event_stream import EventReader
from tools.processes import check_python
from tools.proxy import Proxy
from tools.pushed import PATIENCE, PushedModel
from tools.reading import CUT, Server, View
from tools.talk import wait_until

TOKENS = [f"{n} 字🙂 " for n in range(300)]
WHOLE = "".join(TOKENS)
MIB = 1 << 20
TURNS = 4


def port_of(chat: Chat) -> int:
    return int(chat.endpoint.url.rpartition(":")[2])


def answers_of(reader: EventReader, count: int = 1) -> list[str]:
    """Reads one view until so many answers are complete."""
    view = View()
    view.follow(reader, lambda: [a.status for a in view.answers] == ["done"] * count)
    assert all(answer.tokens for answer in view.answers)
    return [answer.text for answer in view.answers]


@contextmanager
def raw_stream(chat: Chat, port: int, receive_buffer: int = 4096) -> Iterator[socket.socket]:
    """A connection that asked for the chat's events, and reads only if the test does."""
    endpoint = chat.endpoint
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        lines = [
            f"GET /api/sessions/{endpoint.session_id}/events HTTP/1.1",
            f"Host: 127.0.0.1:{port_of(chat)}",
            f"Authorization: Bearer {endpoint.token}",
        ]
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        yield connection


def on_server(function: Callable[[], object]) -> object:
    return runtime().thread.run(function)


class Readers:
    """Waits for HTTP readers of a chat to come or go."""

    def __init__(self, chat: Chat) -> None:
        self._session = chat._session
        self._changed: queue.SimpleQueue[int] = queue.SimpleQueue()
        on_server(lambda: self._session.on_readers_changed(self._note))

    def _note(self) -> None:
        self._changed.put(self._session.http_readers)

    def wait(self, count: int) -> None:
        while self._session.http_readers != count:
            self._changed.get(timeout=PATIENCE)


def test_an_answer_goes_on_when_all_readers_have_gone(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    readers = Readers(chat)
    reply = chat.ask("question")
    call = model.call()
    with server.events() as one, server.view_of() as other:
        call.push("half ")
        for reader in (one, other):
            reader.next("snapshot")
    readers.wait(0)
    assert not call.closed.is_set()
    call.push("an ")
    wait_until(chat._session.log, lambda: reply.text == "half an ")
    call.end("answer")
    assert reply.result(timeout=PATIENCE) == "half an answer"
    assert len(model.calls) == 1


def test_the_asker_of_a_turn_may_leave_too(chat: Chat, model: PushedModel, server: Server) -> None:
    with server.asked("question", "c1") as reader:
        call = model.call()
        call.push("half ")
        reader.next("token")
    wait_until(chat._session.log, lambda: chat.messages[-1].text == "half ")
    call.end("done")
    wait_until(chat._session.log, lambda: chat.messages[-1].status == "done")
    assert chat.messages[-1].text == "half done"


def test_seven_tabs_of_one_chat(chat: Chat, model: PushedModel) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(7) as pool:
        servers = [stack.enter_context(Server(chat)) for _ in range(7)]
        streams = [stack.enter_context(server.view_of()) for server in servers]
        answers = [pool.submit(answers_of, stream) for stream in streams]
        Readers(chat).wait(7)
        chat.ask("question")
        model.call().end(*TOKENS)
        assert [answer.result(PATIENCE) for answer in answers] == [[WHOLE]] * 7


def test_ten_chats_on_one_connection(static_files: object) -> None:
    models = [PushedModel() for _ in range(10)]
    chats = [Chat(model) for model in models]
    token = runtime().registry.token
    views = {chat.session_id: View() for chat in chats}
    with Server(chats[0]) as server, ExitStack() as stack:
        server.use(token)
        reader = stack.enter_context(server.many(dict.fromkeys(views)))
        for chat in chats:
            chat.ask(f"question of {chat.session_id}")
        calls = [model.call() for model in models]
        for token_ in TOKENS:
            for call in calls:
                call.push(token_)
        for call in calls:
            call.end()
        left = set(views)
        while left:
            event = reader.next()
            session_id = event.data["session_id"]
            views[session_id].take(event)
            if event.name == "done":
                left.discard(session_id)
    for chat in chats:
        assert views[chat.session_id].answers[0].text == WHOLE
        assert views[chat.session_id].messages == chat.messages
        chat.close()


def test_a_reader_at_1_kb_a_second(chat: Chat, model: PushedModel) -> None:
    # Much text in few events, since each weighs a hundred bytes on the wire.
    text = ["x" * 400] * 3
    with Proxy(port_of(chat), buffer=2048) as proxy:
        proxy.slow(1024)
        with (
            Server(chat, proxy.port) as slow,
            Server(chat) as fast,
            ThreadPoolExecutor(1) as pool,
            fast.events() as fast_reader,
        ):
            at_leisure = pool.submit(lambda: read_alone(slow))
            Readers(chat).wait(2)
            reply = chat.ask("question")
            model.call().end(*text)
            assert answers_of(fast_reader) == ["".join(text)]
            assert reply.result() == "".join(text)
            assert not at_leisure.done()
            assert at_leisure.result(PATIENCE) == ["".join(text)]


def read_alone(server: Server) -> list[str]:
    with server.events() as reader:
        return answers_of(reader)


@pytest.mark.parametrize("gone", ["stops reading", "without a word"])
def test_a_reader_that_takes_nothing_costs_little_and_is_let_go(
    chat: Chat, model: PushedModel, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    readers = Readers(chat)
    monkeypatch.setattr(sse, "SEND_TIMEOUT", 1.0)
    with (
        Proxy(port_of(chat), buffer=4096) as proxy,
        raw_stream(chat, proxy.port if gone == "without a word" else port_of(chat)),
        Server(chat) as server,
        server.events() as reader,
        ThreadPoolExecutor(1) as pool,
    ):
        proxy.blackhole()
        readers.wait(2)
        answer = pool.submit(answers_of, reader, TURNS)
        most = 0
        for _ in range(TURNS):
            reply = chat.ask("question")
            call = model.call()
            for _ in range(50):
                call.push("a" * 20_000)
            call.end()
            assert len(reply.result(PATIENCE)) == 1_000_000
            most = max(most, waiting_bytes())
        # The other reader noticed nothing of it.
        assert [len(text) for text in answer.result(PATIENCE)] == [1_000_000] * TURNS
        # What it took in before it stopped is its own.
        assert 0 < most <= 512 * 1024
        assert most + 2 * SEND_BUFFER <= MIB
        readers.wait(1)


def waiting_bytes() -> int:
    """What the server holds for the connection that takes least."""
    server = runtime().thread._server
    assert server is not None
    connections = tuple(server.server_state.connections)
    return max(each.transport.get_write_buffer_size() for each in connections)


def test_the_system_holds_little_for_a_reader_that_takes_nothing(
    chat: Chat, server: Server
) -> None:
    with server.events():
        uvicorn = runtime().thread._server
        assert uvicorn is not None
        for each in tuple(uvicorn.server_state.connections):
            own = each.transport.get_extra_info("socket")
            # Linux says twice what was asked for.
            assert own.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER


def test_a_reader_that_was_let_go_comes_back(chat: Chat, model: PushedModel) -> None:
    readers = Readers(chat)
    with Proxy(port_of(chat)) as proxy, Server(chat, proxy.port) as server:
        view = View()
        with server.events() as reader:
            view.read(reader, "snapshot")
            chat.ask("question")
            call = model.call()
            call.push("one ")
            view.read(reader, "token")
            proxy.blackhole()
            call.push("two ")
            proxy.drop()
            with pytest.raises(CUT):
                view.read(reader, "done")
        readers.wait(0)
        proxy.flow()
        with server.events(view.cursor) as reader:
            call.end("three")
            view.read(reader, "done")
    assert view.answers[0].text == "one two three"
    assert view.snapshots == 1


@pytest.mark.parametrize(
    "close",
    ["thread.run(thread._server.servers[0].close)", "os.close(thread._socket.detach())"],
    ids=["socket", "descriptor"],
)
def test_a_chat_whose_port_is_closed_goes_on(static_files: object, close: str) -> None:
    # In a process of its own, since all chats of a process share the port.
    said = check_python(
        f"""
        import os, queue
        from kernelchat import Chat, ChatError
        from kernelchat.runtime import runtime
        from tools.reading import CUT, Server, View
        from tools.pushed import PATIENCE, PushedModel

        model, frames = PushedModel(), queue.SimpleQueue()
        chat = Chat(model)
        chat._carrier._post = frames.put
        thread = runtime().thread
        with Server(chat) as server, Server(chat) as late:
            with server.events() as reader:
                view = View()
                view.read(reader, "snapshot")
                chat.ask("one")
                call = model.call()
                call.push("half ")
                view.read(reader, "token")
                {close}
                # Who is connected stays so.
                call.end("done")
                view.read(reader, "done")
                assert view.answers[0].text == "half done"
            try:
                late.ticket()
            except CUT:
                print("refused")
        reply = chat.ask("two")
        model.call().end("over the comm")
        assert reply.result(timeout=PATIENCE) == "over the comm"
        names = []
        while "done" not in names:
            names += [event["event"] for event in frames.get(timeout=PATIENCE)["events"]]
        try:
            chat.endpoint
        except ChatError as error:
            print(error)
        other = Chat(script=["hi"])
        print(other.ask("hello").result(timeout=PATIENCE))
        other.close()
        chat.close()
        """
    )
    assert said.splitlines() == [
        "refused",
        "The chat's port was closed: restart the kernel.",
        "hi",
    ]
