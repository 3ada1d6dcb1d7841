from __future__ import annotations

import _thread
import asyncio
import queue
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import pytest

from kernelchat import Chat, ChatError, Reply
from kernelchat.log import TAIL_EVENTS
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until

T = TypeVar("T")


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(make_chat: Callable[..., Chat], model: PushedModel) -> Chat:
    return make_chat(model)


def in_thread(work: Callable[[], T]) -> Callable[[], T]:
    """Starts `work` on a thread; what is returned waits for its result."""
    results: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            results.put(error)

    threading.Thread(target=run, daemon=True).start()

    def result() -> T:
        got = results.get(timeout=PATIENCE)
        if isinstance(got, BaseException):
            raise got
        return got

    return result


def read_for(reply: Reply) -> str:
    return "".join(reply)


def read_result(reply: Reply) -> str:
    return reply.result(timeout=PATIENCE)


def read_await(reply: Reply) -> str:
    async def wait() -> str:
        return await reply

    return asyncio.run(wait())


def read_async_for(reply: Reply) -> str:
    async def wait() -> str:
        return "".join([text async for text in reply])

    return asyncio.run(wait())


WAYS = [read_for, read_result, read_await, read_async_for]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def read(request: pytest.FixtureRequest) -> Callable[[Reply], str]:
    way: Callable[[Reply], str] = request.param
    return way


def text_there(chat: Chat, reply: Reply, text: str) -> None:
    wait_until(chat._session.log, lambda: reply.text == text)


# what an answer is


def test_an_answer_is_read_while_it_comes(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    reply = chat.ask("hello")
    result = in_thread(lambda: read(reply))
    call = model.call()
    call.push("Hel", "lo ")
    text_there(chat, reply, "Hello ")
    call.end("you")
    assert result() == "Hello you"


def test_an_answer_is_read_as_often_as_one_likes(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    reply = chat.ask("hello")
    model.call().end("Hel", "lo")
    assert [read(reply) for _ in range(3)] == ["Hello"] * 3


def test_all_ways_at_once(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    results = [in_thread(lambda way=way: way(reply)) for way in WAYS * 2]  # type: ignore[misc]
    call = model.call()
    for n in range(50):
        call.push(f"{n} ")
    call.end()
    assert {result() for result in results} == {"".join(f"{n} " for n in range(50))}


def test_late_after_everything_fell_off_the_log(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push(*(f"{n} " for n in range(3 * TAIL_EVENTS)))
    call.end()
    whole = "".join(f"{n} " for n in range(3 * TAIL_EVENTS))
    text_there(chat, reply, whole)
    for _ in range(2):
        chat.ask("another").stop()
    assert read(reply) == whole


def test_pieces_come_one_by_one(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    pieces = iter(reply)
    for text in ("a", "b", "c"):
        call.push(text)
        assert next(pieces) == text
    call.end()
    assert list(pieces) == []


def test_a_slow_reader_gets_all(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("first ")
    pieces = iter(reply)
    assert next(pieces) == "first "
    texts = [f"{n} " for n in range(3 * TAIL_EVENTS)]
    call.push(*texts)
    call.end()
    text_there(chat, reply, "first " + "".join(texts))
    assert "".join(pieces) == "".join(texts)


def test_an_empty_answer(chat: Chat, model: PushedModel, read: Callable[[Reply], str]) -> None:
    reply = chat.ask("hello")
    model.call().end()
    assert read(reply) == ""


def test_what_is_there_now(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("```py\nx = 1\n```\n", "and")
    text_there(chat, reply, "```py\nx = 1\n```\nand")
    assert reply.code == ["x = 1\n"]
    assert str(reply) == reply.text
    assert repr(reply) == "Reply(streaming, 19 characters)"
    call.end(" so on")
    assert reply.result(PATIENCE).endswith("so on")
    assert reply.message.status == "done"
    assert reply.message == chat.messages[-1]


def test_a_wait_that_takes_too_long(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    with pytest.raises(TimeoutError, match="it goes on"):
        reply.result(timeout=0.01)
    with pytest.raises(TimeoutError):
        reply.result(timeout=0)
    call.end("Hello")
    assert reply.result(timeout=PATIENCE) == "Hello"
    assert reply.result(timeout=0) == "Hello"


def test_await_with_a_timeout_of_ones_own(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()

    async def impatient() -> str:
        async with asyncio.timeout(0.01):
            return await reply

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    call.end("Hello")
    assert read_await(reply) == "Hello"


def test_several_answers_on_one_loop(make_chat: Callable[..., Chat]) -> None:
    models = [PushedModel(), PushedModel()]
    replies = [make_chat(model).ask("hello") for model in models]

    async def both() -> list[str]:
        return list(await asyncio.gather(*replies))

    result = in_thread(lambda: asyncio.run(both()))
    for model, text in zip(models, ("one", "two"), strict=True):
        model.call().end(text)
    assert result() == ["one", "two"]


def test_who_stops_reading_leaves_nothing_behind(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("a")
    wakes = chat._session.log._wakes  # type: ignore[attr-defined]
    text_there(chat, reply, "a")
    before = len(wakes)

    async def first(pieces: AsyncIterator[str]) -> str:
        piece = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        return piece

    pieces: Iterator[str] = iter(reply)
    assert next(pieces) == "a"
    del pieces
    assert asyncio.run(first(aiter(reply))) == "a"
    with pytest.raises(TimeoutError):
        reply.result(0)
    assert len(wakes) == before
    call.end()


# stop, regenerate, failure


def test_stop_gives_the_text_so_far(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("so far")
    text_there(chat, reply, "so far")
    result = in_thread(lambda: read(reply))
    reply.stop()
    assert result() == "so far"
    assert reply.message.status == "stopped"
    assert call.closed.wait(PATIENCE)
    reply.stop()  # twice is fine


def test_stop_ends_this_answer_and_no_other(chat: Chat, model: PushedModel) -> None:
    first = chat.ask("one")
    model.call().end("1")
    assert first.result(PATIENCE) == "1"
    second = chat.ask("two")
    call = model.call()
    first.stop()
    call.end("2")
    assert second.result(PATIENCE) == "2"
    assert (first.message.status, second.message.status) == ("done", "done")


def test_regenerate_is_an_answer_of_its_own(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    first = chat.ask("hello")
    model.call().end("one")
    first.result(PATIENCE)
    second = chat.regenerate()
    model.call().end("two")
    assert read(second) == "two"
    assert read(first) == "one"
    assert second.message.parent_id == first.message.parent_id


def test_a_failure_carries_the_text(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("so ", "far")
    call.fail(ChatError("quota", "No credit is left.", retryable=False))
    for _ in range(2):
        with pytest.raises(ChatError, match="No credit is left") as caught:
            read(reply)
        error = caught.value
        assert (error.kind, error.retryable, error.text) == ("quota", False, "so far")


def test_a_failure_comes_after_its_tokens(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("a", "b")
    call.fail(ChatError("connection", "Cut."))
    got: list[str] = []
    with pytest.raises(ChatError):
        got.extend(reply)
    got.clear()
    pieces = iter(reply)
    got = [next(pieces), next(pieces)]
    assert got == ["a", "b"]
    with pytest.raises(ChatError, match="Cut"):
        next(pieces)


def test_what_waits_is_read_in_its_turn(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    first, second = chat.ask("one"), chat.ask("two")
    result = in_thread(lambda: read(second))
    model.call().end("1")
    model.call().end("2")
    assert result() == "2"
    assert first.result(PATIENCE) == "1"


def test_a_question_taken_back_is_cancelled(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    chat.ask("one")
    call = model.call()
    reply = chat.ask("two")
    wait_until(chat._session.log, lambda: chat._session.state.queue)
    result = in_thread(lambda: read(reply))
    chat.queue_remove(chat._session.state.queue[0])
    with pytest.raises(ChatError, match="taken back") as caught:
        result()
    assert caught.value.kind == "cancelled"
    call.end("1")


def test_the_end_of_the_chat_ends_all_waits(
    chat: Chat, model: PushedModel, read: Callable[[Reply], str]
) -> None:
    first, second = chat.ask("one"), chat.ask("two")
    model.call().push("so far")
    text_there(chat, first, "so far")
    results = [in_thread(lambda reply=r: read(reply)) for r in (first, second)]  # type: ignore[misc]
    chat.close()
    assert results[0]() == "so far"
    with pytest.raises(ChatError) as caught:
        results[1]()
    assert caught.value.kind == "cancelled"
    assert read(first) == "so far"


# Ctrl-C


@pytest.mark.parametrize(
    "interrupt",
    [_thread.interrupt_main, lambda: signal.raise_signal(signal.SIGINT)],
    ids=["interrupt_main", "raise_signal"],
)
@pytest.mark.parametrize("wait", [read_for, lambda reply: reply.result()], ids=["for", "result"])
def test_an_interrupt_ends_the_wait_and_nothing_else(
    chat: Chat,
    model: PushedModel,
    wait: Callable[[Reply], str],
    interrupt: Callable[[], None],
) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("so far")
    text_there(chat, reply, "so far")
    wakes = chat._session.log._wakes  # type: ignore[attr-defined]
    before = len(wakes)
    entered = threading.Event()
    undo = chat._session.log.subscribe

    def subscribe(wake: Callable[[], None]) -> Callable[[], None]:
        entered.set()
        return undo(wake)

    chat._session.log.subscribe = subscribe  # type: ignore[method-assign]

    def press() -> None:
        entered.wait(PATIENCE)
        interrupt()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        wait(reply)
    presser.join()
    assert reply.message.status == "streaming"
    assert len(wakes) == before
    call.end(", and the rest")
    assert reply.result(PATIENCE) == "so far, and the rest"
