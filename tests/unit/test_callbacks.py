from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kernelchat import Chat, ChatError, Message, Token
from kernelchat.callbacks import NAME
from tools.boxes import Box, settled
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(make_chat: Callable[..., Chat], model: PushedModel) -> Chat:
    return make_chat(model)


# what is called, and with what


def test_tokens_in_order(chat: Chat, model: PushedModel) -> None:
    box = Box()
    chat.on_token(box.put)
    reply = chat.ask("hello")
    model.call().end("Hel", "lo ", "you")
    tokens = box.take(3)
    assert all(isinstance(token, Token) for token in tokens)
    assert [str(token) for token in tokens] == ["Hel", "lo ", "you"]
    assert [token.index for token in tokens] == [0, 1, 2]
    assert {token.message_id for token in tokens} == {reply.message.id}
    assert {token.session_id for token in tokens} == {chat.session_id}
    settled(chat)
    assert box.empty


def test_done_sees_the_whole_message(chat: Chat, model: PushedModel) -> None:
    box = Box()
    chat.on_done(box.put)
    chat.ask("hello")
    model.call().end("Hel", "lo")
    message = box.next()
    assert isinstance(message, Message)
    assert (message.text, message.status, message.finish_reason) == ("Hello", "done", "stop")
    settled(chat)
    assert box.empty


def test_done_is_called_for_a_stopped_answer(chat: Chat, model: PushedModel) -> None:
    box = Box()
    chat.on_token(box.put)
    chat.on_done(box.put)
    reply = chat.ask("hello")
    model.call().push("so far")
    assert str(box.next()) == "so far"
    reply.stop()
    message = box.next()
    assert (message.status, message.text) == ("stopped", "so far")


def test_an_error_is_a_chat_error(chat: Chat, model: PushedModel) -> None:
    box, done = Box(), Box()
    chat.on_error(box.put)
    chat.on_done(done.put)
    chat.ask("hello")
    call = model.call()
    call.push("so far")
    call.fail(ChatError("quota", "No credit.", retryable=False))
    error = box.next()
    assert isinstance(error, ChatError)
    assert (error.kind, error.message, error.retryable) == ("quota", "No credit.", False)
    assert error.text == "so far"
    settled(chat)
    assert done.empty


def test_an_error_before_the_first_token_is_told_while_a_callback_is_slow(
    chat: Chat, model: PushedModel
) -> None:
    go, box = threading.Event(), Box()

    @chat.on_done
    def slow(message: Message) -> None:
        box.put(message.text)
        go.wait(PATIENCE)

    chat.on_error(lambda error: box.put(error.kind))
    chat.ask("one")
    chat.ask("two")
    model.call().end("1")
    assert box.next() == "1"
    second = model.call()
    go.set()
    settled(chat)
    second.fail(ChatError("auth", "No key."))
    assert box.next() == "auth"


@pytest.mark.parametrize("register_tokens", [True, False])
def test_all_in_the_order_of_the_talk(
    chat: Chat, model: PushedModel, register_tokens: bool
) -> None:
    box = Box()
    if register_tokens:
        chat.on_token(lambda token: box.put(str(token)))
    chat.on_done(lambda message: box.put(message.status))
    chat.on_error(lambda error: box.put(error.kind))
    for _ in range(4):
        chat.ask("hello")
    model.call().end("a", "b")
    model.call().end()
    model.call().end("c")
    model.call().fail(ChatError("auth", "No key."))
    expected = ["a", "b", "done", "done", "c", "done", "auth"]
    if not register_tokens:
        expected = [each for each in expected if each in ("done", "auth")]
    assert box.take(len(expected)) == expected


def test_async_callbacks_are_awaited_in_order(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_token
    async def first(token: Token) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        box.put(f"first {token}")

    @chat.on_token
    def second(token: Token) -> None:
        box.put(f"second {token}")

    chat.ask("hello")
    model.call().end("a", "b")
    assert box.take(4) == ["first a", "second a", "first b", "second b"]


def test_they_run_on_their_own_thread(chat: Chat, model: PushedModel) -> None:
    box = Box()

    @chat.on_token
    def sync(token: Token) -> None:
        box.put(threading.current_thread().name)

    @chat.on_done
    async def later(message: Message) -> None:
        box.put(threading.current_thread().name)

    chat.ask("hello")
    model.call().end("a")
    assert box.take(2) == [NAME, NAME]


def test_a_registered_function_is_given_back(chat: Chat) -> None:
    def show(token: Token) -> None:
        """Nothing."""

    assert chat.on_token(show) is show
    assert chat.on_done(print) is print


def test_from_now_on(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("before ")
    wait_until(chat._session.log, lambda: reply.text)
    settled(chat)
    box = Box()
    chat.on_token(lambda token: box.put(str(token)))
    call.end("after")
    assert box.next() == "after"


# who is registered


def define(chat: Chat, box: Box, label: str) -> Callable[[Token], None]:
    """Runs a notebook's cell: each run makes the function anew."""

    @chat.on_token
    def show(token: Token) -> None:
        box.put((label, str(token)))

    return show


def test_the_same_function_defined_again_replaces_the_first(chat: Chat, model: PushedModel) -> None:
    box = Box()
    for label in ("first run", "second run"):
        define(chat, box, label)
    chat.ask("hello")
    model.call().end("a")
    assert box.next() == ("second run", "a")
    settled(chat)
    assert box.empty


def test_one_function_may_serve_several_kinds(chat: Chat, model: PushedModel) -> None:
    box = Box()

    def show(thing: object) -> None:
        box.put(type(thing).__name__)

    chat.on_token(show)
    chat.on_done(show)
    chat.ask("hello")
    model.call().end("a")
    assert box.take(2) == ["Token", "Message"]


def test_methods_and_partials_of_different_objects_are_different(
    chat: Chat, model: PushedModel
) -> None:
    class Counter:
        def __init__(self, box: Box, name: str) -> None:
            self.box, self.name = box, name

        def count(self, token: Token) -> None:
            self.box.put(self.name)

        def __call__(self, token: Token) -> None:
            self.box.put(f"called {self.name}")

    box = Box()
    for name in ("a", "b"):
        counter = Counter(box, name)
        chat.on_token(counter.count)
        chat.on_token(counter.count)  # the same twice counts once
        chat.on_token(counter)
        chat.on_token(partial(lambda name, token: box.put(f"partial {name}"), name))
    chat.ask("hello")
    model.call().end("x")
    assert box.take(6) == ["a", "called a", "partial a", "b", "called b", "partial b"]
    settled(chat)
    assert box.empty


def test_off(chat: Chat, model: PushedModel) -> None:
    box, done = Box(), Box()
    show = define(chat, box, "show")
    chat.on_done(done.put)
    chat.off(show)
    with pytest.raises(ValueError, match="show is no callback"):
        chat.off(show)
    chat.ask("hello")
    model.call().end("a")
    assert done.next().text == "a"
    assert box.empty


def test_off_knows_a_function_of_the_same_name(chat: Chat, make_chat: Callable[..., Chat]) -> None:
    # The cell was run again: what it made now takes off what it made then.
    box = Box()
    define(chat, box, "then")
    now = define(make_chat(script=["x"]), box, "now")
    chat.off(now)
    with pytest.raises(ValueError, match="no callback"):
        chat.off(now)


BAD: dict[str, Any] = {
    "no argument": lambda: None,
    "two arguments": lambda a, b: None,
    "a keyword": lambda *, token: None,
    "a string": "print",
    "None": None,
    "a number": 5,
}
GOOD: dict[str, Any] = {
    "one": lambda token: None,
    "any": lambda *tokens: None,
    "a default": lambda token, more=1: None,
    "a builtin": print,
    "a method of one": [].append,
    "a class": str,
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("kind", ["on_token", "on_done", "on_error"])
def test_what_takes_no_one_argument_is_refused_at_once(chat: Chat, kind: str, bad: str) -> None:
    with pytest.raises(TypeError, match="argument"):
        getattr(chat, kind)(BAD[bad])


@pytest.mark.parametrize("good", GOOD)
def test_what_takes_one_argument_is_taken(chat: Chat, good: str) -> None:
    assert chat.on_token(GOOD[good]) is GOOD[good]
