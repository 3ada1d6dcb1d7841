"""What every model keeps to, whoever made it: the turn relies on no more and no less."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from kernelchat.errors import ERROR_KINDS, ChatError
from kernelchat.models import offline
from kernelchat.models.base import BuiltinModel, Delta, Model
from kernelchat.models.choose import choose
from kernelchat.models.handbook import handbook
from kernelchat.models.script import ScriptModel
from tools.models import QUESTION, chunk, collect, openai_model, sse, streamed, text_of

Messages = list[dict[str, Any]]
PIECES = ["Hello", ", ", "世界", "! ", "\N{GRINNING FACE}"]


class Boom(Exception):  # noqa: N818
    pass


@dataclass
class Case:
    """One implementation.

    Attributes:
        make: a model that answers `text`.
        text: the answer.
        endless: a model that begins an answer and then says nothing more, for long.
        failing: a model that fails after it began, None for those that cannot.
        heard: the messages that `make`'s model was last called with, where it can be told.
    """

    make: Callable[[], BuiltinModel]
    text: str
    endless: Callable[[], BuiltinModel]
    failing: Callable[[], BuiltinModel] | None
    heard: Messages | None = None


def remember(heard: Messages, messages: Messages) -> None:
    heard[:] = messages


def of_def() -> Case:
    heard: Messages = []

    def answer(messages: Messages) -> str:
        remember(heard, messages)
        return "".join(PIECES)

    def endless(messages: Messages) -> Iterator[str]:
        yield "a"
        threading.Event().wait(30)
        yield "b"

    def failing(messages: Messages) -> str:
        raise Boom

    return case(answer, endless, failing, heard)


def of_generator() -> Case:
    heard: Messages = []

    def answer(messages: Messages) -> Iterator[str]:
        remember(heard, messages)
        yield from PIECES

    def endless(messages: Messages) -> Iterator[str]:
        while True:
            yield "a"

    def failing(messages: Messages) -> Iterator[str]:
        yield "a"
        raise Boom

    return case(answer, endless, failing, heard)


def of_async_def() -> Case:
    heard: Messages = []

    async def answer(messages: Messages) -> str:
        remember(heard, messages)
        return "".join(PIECES)

    async def failing(messages: Messages) -> str:
        await asyncio.sleep(0)
        raise Boom

    async def endless(messages: Messages) -> AsyncIterator[str]:
        return endless_pieces()

    return case(answer, endless, failing, heard)


async def endless_pieces() -> AsyncIterator[str]:
    yield "a"
    await asyncio.Event().wait()


def of_async_generator() -> Case:
    heard: Messages = []

    async def answer(messages: Messages) -> AsyncIterator[str]:
        remember(heard, messages)
        for piece in PIECES:
            await asyncio.sleep(0)
            yield piece

    def endless(messages: Messages) -> AsyncIterator[str]:
        return endless_pieces()

    async def failing(messages: Messages) -> AsyncIterator[str]:
        yield "a"
        raise Boom

    return case(answer, endless, failing, heard)


def of_object() -> Case:
    heard: Messages = []

    class Answer:
        async def stream(self, messages: Messages) -> AsyncIterator[Delta | str]:
            remember(heard, messages)
            for piece in PIECES[:-1]:
                yield piece
            yield Delta(PIECES[-1], finish_reason="stop")

    class Endless:
        def stream(self, messages: Messages) -> AsyncIterator[str]:
            return endless_pieces()

    class Failing:
        async def stream(self, messages: Messages) -> AsyncIterator[str]:
            yield "a"
            raise Boom

    return case(Answer(), Endless(), Failing(), heard)


def case(answer: object, endless: object, failing: object, heard: Messages) -> Case:
    return Case(
        lambda: choose(answer),
        "".join(PIECES),
        lambda: choose(endless),
        lambda: choose(failing),
        heard,
    )


def of_openai() -> Case:
    heard: Messages = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        remember(heard, json.loads(request.content)["messages"])
        return streamed(sse(*map(chunk, PIECES), chunk(finish="stop")))

    async def silent() -> AsyncIterator[bytes]:
        yield sse(chunk("a"), done=False)
        await asyncio.Event().wait()

    def failing(request: httpx2.Request) -> httpx2.Response:
        return streamed(sse(chunk("a"), {"error": {"message": "boom"}}))

    return Case(
        lambda: openai_model(answer),
        "".join(PIECES),
        lambda: openai_model(lambda _: streamed(silent())),
        lambda: openai_model(failing),
        heard,
    )


def of_script() -> Case:
    text = "".join(PIECES)
    return Case(
        lambda: ScriptModel([text], rate=1000),
        text,
        lambda: ScriptModel(["word " * 10_000]),
        None,
    )


def of_offline() -> Case:
    entry = next(entry for entry in handbook() if entry.id == "hello")
    return Case(offline.OfflineModel, entry.texts["en"], offline.OfflineModel, None)


CASES: dict[str, Callable[[], Case]] = {
    "def": of_def,
    "generator": of_generator,
    "async def": of_async_def,
    "async generator": of_async_generator,
    "object": of_object,
    "openai": of_openai,
    "script": of_script,
    "offline": of_offline,
}


@pytest.fixture(params=CASES)
def of(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


async def begin(model: BuiltinModel) -> asyncio.Task[None]:
    """A task that reads an answer and has its first piece."""
    began = asyncio.Event()

    async def read() -> None:
        async for _ in model.stream(QUESTION):
            began.set()

    task = asyncio.create_task(read())
    waiting = asyncio.create_task(began.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert began.is_set()
    return task


async def within_seconds(awaitable: Awaitable[object]) -> None:
    async with asyncio.timeout(10):
        await awaitable


async def test_it_is_a_model_with_a_label(of: Case) -> None:
    model = of.make()
    assert isinstance(model, Model)
    assert model.label
    await model.aclose()


async def test_the_pieces_come_in_order_and_make_the_answer(of: Case) -> None:
    model = of.make()
    deltas = await collect(model)
    if model.connected:
        assert text_of(deltas) == of.text
    else:
        assert text_of(deltas).startswith(of.text)
    assert not any(delta.finish_reason for delta in deltas[:-1])
    assert all(delta.text.encode() is not None for delta in deltas)
    await model.aclose()


async def test_it_gets_the_whole_talk_with_the_system_prompt_first(of: Case) -> None:
    model = of.make()
    talk = [
        QUESTION[0],
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "hello"},
    ]
    before = json.dumps(talk)
    await collect(model, talk)
    if of.heard is not None:
        assert of.heard == talk
    assert json.dumps(talk) == before
    await model.aclose()


async def test_it_can_be_warmed_before_it_is_used(of: Case) -> None:
    model = of.make()
    await model.warm()
    await model.warm()
    assert of.text in text_of(await collect(model))
    await model.aclose()


async def test_a_cancelled_reader_returns_and_the_model_can_be_asked_again(of: Case) -> None:
    model = of.endless()
    for _ in range(2):
        task = await begin(model)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within_seconds(task)
    await model.aclose()


async def test_a_reader_may_leave_in_the_middle(of: Case) -> None:
    model = of.endless()
    for _ in range(2):
        answer: Any = model.stream(QUESTION)
        await anext(answer)
        await within_seconds(answer.aclose())
    await model.aclose()


async def test_two_answers_at_once_do_not_mix(of: Case) -> None:
    model = of.make()
    first, second = await asyncio.gather(collect(model), collect(model))
    assert text_of(first) == text_of(second)
    assert of.text in text_of(first)
    await model.aclose()


async def test_closing_twice_is_fine_and_before_use_too(of: Case) -> None:
    model = of.make()
    await model.aclose()
    assert of.text in text_of(await collect(model))
    await model.aclose()
    await model.aclose()


async def test_a_failure_is_a_chat_error_and_the_next_attempt_starts_afresh(of: Case) -> None:
    if of.failing is None:
        model = of.make()
        assert not model.connected, "only models that ask nobody never fail"
        await model.aclose()
        return
    model = of.failing()
    for _ in range(2):
        with pytest.raises(ChatError) as caught:
            await collect(model)
        assert caught.value.kind in ERROR_KINDS
        assert caught.value.message.endswith(".")
        assert "\n" not in caught.value.message
    await model.aclose()
