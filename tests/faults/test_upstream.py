"""What a model's service can do to an answer, over a real connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kernelchat import Chat, ChatError
from kernelchat.conversation import MAX_ANSWER_BYTES
from kernelchat.events import Notice
from kernelchat.message import Message
from kernelchat.runtime import runtime
from tools.models import chunk, sse
from tools.proxy import Proxy
from tools.reading import Server, View
from tools.talk import wait_until
from tools.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def chat(static_files: object, upstream: Upstream) -> Iterator[Chat]:
    with asking(upstream) as chat:
        yield chat


@contextmanager
def asking(upstream: Upstream, **options: float) -> Iterator[Chat]:
    chat = Chat("m", base_url=upstream.base_url, max_retries=0, **options)  # type: ignore[arg-type]
    # Importing the SDK may take longer than a test's short deadlines.
    runtime().thread.wait(chat._model.warm())
    yield chat
    chat.close()


def failed(chat: Chat) -> Message:
    """The answer, after its failure was seen as an exception and on the wire."""
    with Server(chat) as server, server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
    assert view.messages == chat.messages
    answer = view.messages[-1]
    assert answer.status == "failed"
    assert view.state.status == "idle"
    return answer


def test_a_service_that_never_answers(static_files: object, upstream: Upstream) -> None:
    with asking(upstream, first_token_timeout=0.2) as chat:
        reply = chat.ask("hello")
        request = upstream.request()
        with pytest.raises(ChatError) as caught:
            reply.result(timeout=30)
        assert caught.value.kind == "timeout"
        assert "0.2 s" in caught.value.message
        assert caught.value.retryable
        request.wait_closed()
        assert failed(chat).text == ""


def test_a_service_that_sends_comments_only(static_files: object, upstream: Upstream) -> None:
    # The SDK's own time-out is per read, so a service that keeps the line alive defeats it.
    with asking(upstream, first_token_timeout=0.5) as chat:
        reply = chat.ask("hello")
        request = upstream.request()
        request.begin()
        with pytest.raises(ConnectionError):
            request.flood(b": keep-alive\n\n")
        with pytest.raises(ChatError) as caught:
            reply.result(timeout=30)
        assert caught.value.kind == "timeout"


def test_a_service_that_goes_silent(static_files: object, upstream: Upstream) -> None:
    with asking(upstream, token_timeout=0.2) as chat:
        reply = chat.ask("hello")
        request = upstream.request()
        request.begin()
        request.say("half ", "an ")
        with pytest.raises(ChatError) as caught:
            reply.result(timeout=30)
        assert caught.value.kind == "timeout"
        assert caught.value.text == "half an "
        request.wait_closed()
        assert failed(chat).text == "half an "
        # What came is kept and the chat goes on.
        reply = chat.ask("and now?")
        request = upstream.request()
        assert [m["content"] for m in request.body["messages"]] == [
            "hello",
            "half an ",
            "and now?",
        ]
        request.begin()
        request.say("yes")
        request.finish()
        assert reply.result(timeout=30) == "yes"


WHOLE = (
    sse(chunk("ja 字 🙂"), chunk("", finish="stop"))
    .replace(b"\\u5b57", "字".encode())
    .replace(b"\\ud83d\\ude42", "🙂".encode())
)
BEFORE_THE_END = WHOLE.index(b'"finish_reason": "stop"')


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize(
    "cut",
    [
        0,
        10,
        WHOLE.index("字".encode()) + 1,
        WHOLE.index("🙂".encode()) + 2,
        WHOLE.index(b"\n\n"),
        WHOLE.index(b"\n\n") + 2,
        BEFORE_THE_END,
    ],
)
def test_a_service_that_dies_anywhere(chat: Chat, upstream: Upstream, cut: int, how: str) -> None:
    reply = chat.ask("hello")
    request = upstream.request()
    request.begin()
    request.say("so far, ")
    wait_until(chat._session.log, lambda: reply.text == "so far, ")
    request.send(WHOLE[:cut])
    getattr(request, how)()
    with pytest.raises(ChatError) as caught:
        reply.result(timeout=30)
    assert caught.value.kind in ("truncated", "connection", "protocol")
    assert caught.value.retryable
    answer = failed(chat)
    # A reset may discard what lies in the socket unread.
    assert answer.text in ("so far, ", "so far, ja 字 🙂")
    assert caught.value.text == answer.text
    if cut < WHOLE.index(b"\n\n"):
        assert answer.text == "so far, "
    assert upstream.count == 1


def test_text_that_comes_byte_by_byte(chat: Chat, upstream: Upstream) -> None:
    reply = chat.ask("hello")
    request = upstream.request()
    request.begin()
    for n in range(len(WHOLE)):
        request.send(WHOLE[n : n + 1])
    assert reply.result(timeout=30) == "ja 字 🙂"


def test_a_failure_before_the_first_token_is_asked_again(
    static_files: object, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelchat.turn.FIRST_BACKOFF", 0.01)
    chat = Chat("m", base_url=upstream.base_url)
    reply = chat.ask("hello")
    for _ in range(2):
        upstream.request().reset()
    request = upstream.request()
    request.begin()
    request.say("third time")
    request.finish()
    assert reply.result(timeout=30) == "third time"
    assert len(chat.messages) == 2
    chat.close()


@pytest.mark.parametrize("by", ["python", "reply", "http", "another view"])
@pytest.mark.parametrize("silent", [True, False])
def test_stop_closes_the_request_at_once(
    chat: Chat, upstream: Upstream, by: str, silent: bool
) -> None:
    reply = chat.ask("hello")
    request = upstream.request()
    if not silent:
        request.begin()
        request.say("so far")
        wait_until(chat._session.log, lambda: reply.text == "so far")
    with Server(chat) as server:
        if by == "python":
            chat.stop()
        elif by == "reply":
            reply.stop()
        elif by == "http":
            assert server.command("stop", "s1").status_code == 202
        else:
            with server.view_of() as first, server.view_of() as second:
                view = View()
                view.read(first, "snapshot")
                answer = view.messages[-1].id
                assert server.command("stop", "s1", message_id=answer).status_code == 202
                other = View()
                other.read(second, "snapshot")
                if other.answers[0].status == "streaming":
                    other.read(second, "done")
                assert other.answers[0].status == "stopped"
        # The service sees the end though it says nothing itself.
        request.wait_closed()
        text = "" if silent else "so far"
        assert reply.result(timeout=30) == text
        stopped = chat.messages[-1]
        assert (stopped.status, stopped.finish_reason) == ("stopped", "stopped")
        assert stopped.text == text
    assert upstream.count == 1


BLOCK = "字" * 10_000


def test_an_answer_of_40_mb_ends_at_8_mib(chat: Chat, upstream: Upstream) -> None:
    reply = chat.ask("hello")
    request = upstream.request()
    request.begin()
    answered = 0
    with Server(chat) as server:
        while not request.gone and answered * 1_500_000 < 40_000_000:
            request.send_until_gone(sse(*[chunk(BLOCK)] * 50, done=False))
            # The server answers others meanwhile.
            began = time.monotonic()
            assert server.post("/api/tickets", {}).status_code == 201
            assert time.monotonic() - began < 5
            answered += 1
        assert 5 <= answered < 26
    text = reply.result(timeout=30)
    assert MAX_ANSWER_BYTES - 3 < len(text.encode()) <= MAX_ANSWER_BYTES
    assert set(text) == {"字"}
    answer = chat.messages[-1]
    assert (answer.status, answer.finish_reason) == ("done", "length")
    log = chat._session.log
    said = [entry.event for entry in log.read(log.last_id - 3) or ()]
    assert Notice("warning", "length", "The answer was cut at 8 MiB.") in said


def test_one_piece_of_40_mb_ends_at_8_mib(chat: Chat, upstream: Upstream) -> None:
    reply = chat.ask("hello")
    request = upstream.request()
    request.begin()
    request.send_until_gone(sse(chunk("a" * 40_000_000), done=False))
    assert len(reply.result(timeout=60)) == MAX_ANSWER_BYTES
    assert chat.messages[-1].finish_reason == "length"


@pytest.mark.parametrize("jump", [-(10**9), 10**9], ids=["back", "forth"])
def test_a_clock_that_jumps(
    chat: Chat, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    real = time.time_ns
    with Server(chat) as server, server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
        ids = [view.cursor]
        reply = chat.ask("hello")
        request = upstream.request()
        request.begin()
        request.say("one ")
        view.read(reader, "token")
        monkeypatch.setattr(time, "time_ns", lambda: real() + jump * 10**9)
        request.say("two")
        request.finish()
        view.read(reader, "done")
        chat.ask("again")
        request = upstream.request()
        for event in reader:
            view.take(event)
            ids.append(view.cursor)
            if event.name == "leaf":
                break
        assert None not in ids
        assert ids == sorted(set(ids), key=lambda each: each or 0)
    timing = chat.messages[1].timing
    assert timing is not None
    assert 0 <= timing["first_token_ms"] <= timing["total_ms"] < 60_000
    assert timing["tokens_per_second"] is None or timing["tokens_per_second"] > 0
    assert reply.result() == "one two"


def test_a_network_that_drops_the_service(static_files: object, upstream: Upstream) -> None:
    port = int(upstream.base_url.rpartition(":")[2].partition("/")[0])
    with Proxy(port) as proxy:
        chat = Chat("m", base_url=f"http://127.0.0.1:{proxy.port}/v1", max_retries=0)
        reply = chat.ask("hello")
        request = upstream.request()
        request.begin()
        request.say("so far")
        wait_until(chat._session.log, lambda: reply.text == "so far")
        proxy.drop()
        with pytest.raises(ChatError) as caught:
            reply.result(timeout=30)
        assert caught.value.text == "so far"
        chat.close()
