"""The threads on which a user's own code runs, and the bridge to the server's loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kernelchat.errors import ChatError
from kernelchat.models import bridge
from kernelchat.models.base import Delta
from kernelchat.models.function import FunctionModel
from tools.models import QUESTION, collect, text_of

Messages = list[dict[str, Any]]


def plain(messages: Messages) -> str:
    return str(messages[-1]["content"])


async def test_a_sync_function_runs_on_a_daemon_thread_of_its_own() -> None:
    seen: list[threading.Thread] = []

    def function(messages: Messages) -> str:
        seen.append(threading.current_thread())
        return ""

    model = FunctionModel(function)
    await collect(model)
    await collect(model)
    assert seen[0] is not seen[1]
    assert all(thread.daemon and thread.name == "kernelchat-model" for thread in seen)


async def test_async_answers_share_one_loop_until_it_is_closed() -> None:
    seen: list[tuple[asyncio.AbstractEventLoop, threading.Thread]] = []

    async def function(messages: Messages) -> str:
        seen.append((asyncio.get_running_loop(), threading.current_thread()))
        return ""

    model = FunctionModel(function)
    await collect(model)
    await collect(model)
    assert seen[0] == seen[1]
    assert seen[0][0] is not asyncio.get_running_loop()
    await model.aclose()
    assert seen[0][0].is_closed()
    seen[0][1].join(10)
    assert not seen[0][1].is_alive()
    await collect(model)
    assert seen[2][0] is not seen[0][0]
    await model.aclose()


async def test_the_context_of_the_model_is_seen_and_not_changed() -> None:
    variable = contextvars.ContextVar("variable", default="none")

    def function(messages: Messages) -> str:
        before = variable.get()
        variable.set("changed")
        return before

    async def async_function(messages: Messages) -> str:
        return function(messages)

    token = variable.set("made here")
    models = [FunctionModel(function), FunctionModel(async_function)]
    variable.reset(token)
    for model in models:
        assert text_of(await collect(model)) == "made here"
        assert text_of(await collect(model)) == "made here"
        await model.aclose()


async def test_a_blocking_coroutine_does_not_block_the_reader() -> None:
    release = threading.Event()

    async def function(messages: Messages) -> str:
        release.wait(30)
        return "late"

    model = FunctionModel(function)
    task = asyncio.create_task(collect(model))
    other = FunctionModel(plain)
    assert text_of(await collect(other)) == "hello"
    assert not task.done()
    release.set()
    assert text_of(await task) == "late"
    await model.aclose()


async def test_stopping_returns_at_once_and_closes_a_generator_at_its_next_yield() -> None:
    release, closed = threading.Event(), threading.Event()

    def function(messages: Messages) -> Iterator[str]:
        try:
            yield "a"
            release.wait(30)
            yield "b"
            raise AssertionError("nobody reads this any more")
        finally:
            closed.set()

    model = FunctionModel(function)
    started = asyncio.Event()

    async def read() -> None:
        async for _ in model.stream(QUESTION):
            started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not closed.is_set(), "the function still blocks, and nobody waited for it"
    release.set()
    assert await bridge.on_thread(lambda: closed.wait(10))


@pytest.mark.parametrize("how", ["cancel", "aclose"])
async def test_stopping_cancels_an_async_generator_and_closes_it(how: str) -> None:
    ended: list[str] = []
    closed = threading.Event()

    async def function(messages: Messages) -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(type(error).__name__)
            raise
        finally:
            await asyncio.sleep(0)
            closed.set()

    model = FunctionModel(function)
    answer = model.stream(QUESTION)
    assert await anext(answer) == Delta("a")
    if how == "cancel":
        task = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await answer.aclose()  # type: ignore[attr-defined]
    assert await bridge.on_thread(lambda: closed.wait(10))
    assert ended in (["CancelledError"], ["GeneratorExit"])
    await model.aclose()


async def test_an_async_generator_that_never_waits_is_stopped_too() -> None:
    closed = threading.Event()

    async def function(messages: Messages) -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            closed.set()

    model = FunctionModel(function)
    answer = model.stream(QUESTION)
    await anext(answer)
    await answer.aclose()  # type: ignore[attr-defined]
    assert await bridge.on_thread(lambda: closed.wait(10))
    await model.aclose()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_reader_that_waits_makes_the_model_wait(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "MAX_WAITING", 1000)
    made = 0
    enough = threading.Event()

    def function(messages: Messages) -> Iterator[str]:
        nonlocal made
        for _ in range(500):
            made += 1
            if made == 11:
                enough.set()
            yield "x" * 36

    async def async_function(messages: Messages) -> AsyncIterator[str]:
        for piece in function(messages):
            yield piece

    model = FunctionModel(function if kind == "sync" else async_function)
    answer = model.stream(QUESTION)
    got = [await anext(answer)]
    assert await bridge.on_thread(lambda: enough.wait(10))
    await bridge.on_thread(lambda: time.sleep(0.05))  # time in which it could run ahead
    assert made <= 13, "1,000 characters are ten pieces of 100; then the model waits"
    got += [delta async for delta in answer]
    assert len(got) == made == 500
    await model.aclose()


async def test_a_model_closed_under_an_answer_says_so() -> None:
    started = threading.Event()

    async def function(messages: Messages) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    model = FunctionModel(function)
    task = asyncio.create_task(collect(model))
    assert await bridge.on_thread(lambda: started.wait(10))
    await model.aclose()
    with pytest.raises(ChatError) as caught:
        await task
    assert caught.value.kind == "cancelled"


async def test_closing_does_not_wait_for_code_that_blocks() -> None:
    started, release = threading.Event(), threading.Event()

    async def function(messages: Messages) -> str:
        started.set()
        release.wait(30)
        return "late"

    model = FunctionModel(function)
    task = asyncio.create_task(collect(model))
    assert await bridge.on_thread(lambda: started.wait(10))
    await model.aclose()
    assert not release.is_set()
    release.set()
    assert text_of(await task) == "late"
