from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kernelchat import Chat, Message, Token
from kernelchat.log import TAIL_EVENTS
from tools.boxes import Box, notices, settled, wait_for_notice
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(make_chat: Callable[..., Chat], model: PushedModel) -> Chat:
    return make_chat(model)


# callbacks that misbehave


def failing_ways() -> list[Callable[[Token], Any]]:
    def raises(token: Token) -> None:
        raise ZeroDivisionError("division by zero")

    async def raises_later(token: Token) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("division by zero")

    def leaves(token: Token) -> None:
        sys.exit("away")

    async def cancelled(token: Token) -> None:
        raise asyncio.CancelledError

    def interrupted(token: Token) -> None:
        raise KeyboardInterrupt

    class WordlessError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def wordless(token: Token) -> None:
        raise WordlessError

    return [raises, raises_later, leaves, cancelled, interrupted, wordless]


@pytest.mark.parametrize("fails", failing_ways(), ids=lambda f: f.__name__)
def test_a_callback_that_fails_harms_nobody(
    chat: Chat, model: PushedModel, fails: Callable[[Token], Any], capfd: Any
) -> None:
    box = Box()

    @chat.on_token
    async def before(token: Token) -> None:
        await asyncio.sleep(0)
        box.put(str(token))

    chat.on_token(fails)
    chat.on_token(lambda token: box.put(str(token)))
    reply = chat.ask("hello")
    model.call().end("a", "b")
    assert box.take(4) == ["a", "a", "b", "b"]
    assert reply.result(PATIENCE) == "ab"
    wait_until(chat._session.log, lambda: len(notices(chat)) == 2)
    notice = notices(chat)[0]
    assert (notice.level, notice.kind) == ("error", "callback")
    assert f"{fails.__name__} failed: " in notice.text
    assert notice.text.count("Error") + notice.text.count("Exit") + notice.text.count("Inter") >= 1
    settled(chat)
    assert "Traceback" in capfd.readouterr().err


def test_an_observer_that_raises_harms_nobody(chat: Chat, model: PushedModel, capfd: Any) -> None:
    box = Box()

    def observe(change: Any) -> None:
        raise ZeroDivisionError("observed")

    chat.observe(observe, "status")

    @chat.on_token
    async def show(token: Token) -> None:
        box.put(str(token))

    for text in ("a", "b"):
        chat.ask("hello")
        model.call().end(text)
        assert box.next() == text
    assert "observer failed: ZeroDivisionError: observed" in wait_for_notice(chat).text
    chat.unobserve(observe, "status")
    settled(chat)
    assert "Traceback" in capfd.readouterr().err


def test_a_callback_that_blocks_holds_up_no_stream(chat: Chat, model: PushedModel) -> None:
    go, entered = threading.Event(), threading.Event()

    @chat.on_token
    def block(token: Token) -> None:
        entered.set()
        go.wait(PATIENCE)

    reply = chat.ask("hello")
    call = model.call()
    call.push("a")
    assert entered.wait(PATIENCE)
    call.end("b", "c")
    assert reply.result(PATIENCE) == "abc"
    second = chat.ask("again")
    model.call().end("d")
    assert second.result(PATIENCE) == "d"
    go.set()


def test_a_callback_that_blocks_for_long_gets_the_rest_as_one_token(
    chat: Chat, model: PushedModel
) -> None:
    go, entered, box = threading.Event(), threading.Event(), Box()

    @chat.on_token
    def block(token: Token) -> None:
        entered.set()
        go.wait(PATIENCE)
        box.put(str(token))

    done = Box()
    chat.on_done(done.put)
    reply = chat.ask("hello")
    call = model.call()
    call.push("first ")
    assert entered.wait(PATIENCE)
    texts = [f"{n} " for n in range(3 * TAIL_EVENTS)]
    call.push(*texts)
    call.end()
    whole = "first " + "".join(texts)
    assert reply.result(PATIENCE) == whole
    go.set()
    assert done.next().text == whole
    assert box.take(2) == ["first ", "".join(texts)]
    settled(chat)
    assert box.empty


def test_prints_go_to_stdout(chat: Chat, model: PushedModel, capsys: Any) -> None:
    chat.on_token(print)
    box = Box()
    chat.on_done(box.put)
    chat.ask("hello")
    model.call().end("a", "b")
    box.next()
    assert capsys.readouterr().out == "a\nb\n"


# callbacks that call back


def test_asking_inside_a_callback(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_done
    def follow_up(message: Message) -> None:
        if message.text == "1":
            box.put(chat.ask("and then?").result(PATIENCE))

    chat.ask("one")
    model.call().end("1")
    model.call().end("2")
    assert box.next() == "2"
    assert [message.text for message in chat.messages] == ["one", "1", "and then?", "2"]


def test_stopping_inside_a_callback(chat: Chat, model: PushedModel) -> None:
    @chat.on_token
    def enough(token: Token) -> None:
        if token.index == 1:
            chat.stop()

    reply = chat.ask("hello")
    call = model.call()
    call.push("a", "b")
    assert reply.result(PATIENCE) == "ab"
    assert reply.message.status == "stopped"
    assert call.closed.wait(PATIENCE)


def test_clearing_inside_a_callback(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_token
    def away(token: Token) -> None:
        chat.clear()
        box.put(len(chat.messages))

    chat.ask("hello")
    model.call().push("a")
    assert box.next() == 0


def test_registering_and_leaving_inside_a_callback(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_token
    def once(token: Token) -> None:
        box.put(f"once {token}")
        chat.off(once)
        chat.on_done(lambda message: box.put(message.text))

    chat.ask("hello")
    call = model.call()
    call.push("a")
    assert box.next() == "once a"
    settled(chat)
    call.end("b")
    assert box.next() == "ab"


def test_closing_inside_a_callback(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_token
    def away(token: Token) -> None:
        chat.close()
        box.put(str(token))

    chat.on_done(lambda message: box.put(message.status))
    chat.ask("hello")
    model.call().push("a")
    assert box.take(2) == ["a", "stopped"]


# the end


def test_what_happened_before_the_close_is_told(chat: Chat, model: PushedModel) -> None:
    box = Box()
    chat.on_done(lambda message: box.put(message.status))
    reply = chat.ask("hello")
    model.call().push("a")
    wait_until(chat._session.log, lambda: reply.text)
    thread = chat._callbacks._thread
    chat.close()
    assert box.next() == "stopped"
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_nothing_is_kept_of_a_conversation_that_ended(chat: Chat) -> None:
    chat.on_token(print)
    registration = chat._registration
    talks = [chat._runtime.thread.run(registration.talk, f"talk-{n}") for n in range(3)]
    for talk in talks:
        chat._runtime.thread.run(talk.conversation.close)
    settled(chat)
    assert list(chat._callbacks._followed) == [chat.session_id]


def test_talks_of_clients_are_told_too(chat: Chat, model: PushedModel) -> None:
    from kernelchat.commands import Send

    box = Box()
    chat.on_token(box.put)
    talk = chat._runtime.thread.run(chat._registration.talk, "visitor")
    chat._runtime.thread.run(talk.execute, Send("c1", "hello"))
    model.call().end("Hi")
    token = box.next()
    assert (str(token), token.session_id) == ("Hi", "visitor")
