from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from kernelchat.errors import ChatError
from kernelchat.models.base import Delta
from kernelchat.models.function import FunctionModel, ObjectModel
from tools.models import collect, text_of

Messages = list[dict[str, Any]]


def plain(messages: Messages) -> str:
    return str(messages[-1]["content"])


async def coroutine(messages: Messages) -> str:
    await asyncio.sleep(0)
    return str(messages[-1]["content"])


def generator(messages: Messages) -> Iterator[str]:
    yield from messages[-1]["content"]


async def async_generator(messages: Messages) -> AsyncIterator[str]:
    for letter in messages[-1]["content"]:
        await asyncio.sleep(0)
        yield letter


def gives_coroutine(messages: Messages) -> Any:
    return coroutine(messages)


def gives_async_generator(messages: Messages) -> Any:
    return async_generator(messages)


async def gives_generator(messages: Messages) -> Any:
    return generator(messages)


def gives_list(messages: Messages) -> list[str]:
    return list(messages[-1]["content"])


class Callable1:
    async def __call__(self, messages: Messages) -> str:
        return await coroutine(messages)


@pytest.mark.parametrize(
    "function",
    [
        plain,
        coroutine,
        generator,
        async_generator,
        gives_coroutine,
        gives_async_generator,
        gives_generator,
        gives_list,
        Callable1(),
        functools.partial(coroutine),
        lambda messages: "hello",
    ],
)
async def test_any_kind_of_function_answers(function: Callable[[Messages], Any]) -> None:
    model = FunctionModel(function)
    assert text_of(await collect(model)) == "hello"
    await model.aclose()


def test_the_label_is_the_functions_name() -> None:
    assert FunctionModel(plain).label == "plain"
    assert FunctionModel(functools.partial(plain)).label == "plain"
    assert FunctionModel(Callable1()).label == "Callable1"
    assert FunctionModel(lambda messages: "").label == "function"


async def test_deltas_pass_with_all_they_carry() -> None:
    last = Delta("b", finish_reason="length", usage={"total_tokens": 2})

    def function(messages: Messages) -> Iterator[Delta]:
        yield Delta(reasoning="let me think")
        yield Delta("a")
        yield last

    assert await collect(FunctionModel(function)) == [
        Delta(reasoning="let me think"),
        Delta("a"),
        last,
    ]


async def test_the_function_may_change_what_it_is_given() -> None:
    def function(messages: Messages) -> str:
        messages[-1]["content"] = "changed"
        messages.clear()
        return "ok"

    question = [{"role": "user", "content": "hello"}]
    await collect(FunctionModel(function), question)
    assert question == [{"role": "user", "content": "hello"}]


async def test_broken_characters_are_made_whole() -> None:
    def function(messages: Messages) -> Iterator[str]:
        yield "a\ud83d"
        yield "\ude00b\ud83d"

    assert text_of(await collect(FunctionModel(function))) == "a\N{GRINNING FACE}b\ufffd"


def divides(messages: Messages) -> str:
    return str(1 // 0)


def leaves(messages: Messages) -> Iterator[str]:
    yield "a"
    sys.exit(3)


async def leaves_async(messages: Messages) -> str:
    raise KeyboardInterrupt


async def awaits_what_was_cancelled(messages: Messages) -> str:
    raise asyncio.CancelledError


def tells_a_secret(messages: Messages) -> str:
    raise RuntimeError("bad\nkey sk-1234567890abcdef")


@pytest.mark.parametrize(
    ("function", "message", "cause"),
    [
        (divides, "The model function raised ZeroDivisionError: ", ZeroDivisionError),
        (leaves, "The model function raised SystemExit: 3.", SystemExit),
        (leaves_async, "The model function raised KeyboardInterrupt.", KeyboardInterrupt),
        (awaits_what_was_cancelled, "raised CancelledError.", asyncio.CancelledError),
        (tells_a_secret, "RuntimeError: bad key [key].", RuntimeError),
    ],
)
async def test_what_the_function_raises_is_told(
    function: Callable[[Messages], Any], message: str, cause: type[BaseException]
) -> None:
    model = FunctionModel(function)
    with pytest.raises(ChatError) as caught:
        await collect(model)
    assert caught.value.kind == "model"
    assert message in caught.value.message
    assert type(caught.value.__cause__) is cause
    with pytest.raises(ChatError):  # and the thread that ran it still serves
        await collect(model)
    await model.aclose()


async def test_a_task_that_leaves_does_not_end_the_models_loop() -> None:
    async def background() -> None:
        raise SystemExit(1)

    async def function(messages: Messages) -> str:
        task = asyncio.ensure_future(background())
        await asyncio.wait({task})
        assert isinstance(task.exception(), SystemExit)
        return "still here"

    model = FunctionModel(function)
    assert text_of(await collect(model)) == "still here"
    assert text_of(await collect(model)) == "still here"
    await model.aclose()


async def test_a_chat_error_of_the_users_own_passes_as_it_is() -> None:
    error = ChatError("rate_limit", "Come back at noon.")

    def function(messages: Messages) -> str:
        raise error

    with pytest.raises(ChatError) as caught:
        await collect(FunctionModel(function))
    assert caught.value is error


@pytest.mark.parametrize("piece", [None, 1, b"bytes", {"content": "x"}, ["x"]])
async def test_a_piece_that_is_no_text_is_told(piece: object) -> None:
    def function(messages: Messages) -> Iterator[object]:
        yield "a"
        yield piece

    async def async_function(messages: Messages) -> AsyncIterator[object]:
        yield "a"
        yield piece

    for each in (function, async_function):
        model = FunctionModel(each)
        with pytest.raises(ChatError, match="yield str or Delta pieces") as caught:
            await collect(model)
        assert caught.value.kind == "model"
        assert not caught.value.retryable
        await model.aclose()


@pytest.mark.parametrize("result", [None, 1, b"bytes", {"content": "x"}])
async def test_a_result_that_is_no_answer_is_told(result: object) -> None:
    async def async_function(messages: Messages) -> object:
        return result

    for each in (lambda messages: result, async_function):
        model = FunctionModel(each)
        with pytest.raises(ChatError, match="return a str"):
            await collect(model)
        await model.aclose()


async def test_a_delta_with_a_wrong_field_is_told() -> None:
    def function(messages: Messages) -> Iterator[Delta]:
        yield Delta(None)  # type: ignore[arg-type]

    with pytest.raises(ChatError, match="Delta whose text is None"):
        await collect(FunctionModel(function))


def test_wrong_arity_is_told_at_once() -> None:
    def none() -> str:
        return ""

    def two(messages: Messages, temperature: float) -> str:
        return ""

    class Model:
        def stream(self) -> Iterator[str]:
            yield ""

    functions: tuple[Any, ...] = (none, two)
    for function in functions:
        with pytest.raises(TypeError, match=r"must take one argument.*def \w+\(messages\)"):
            FunctionModel(function)
    with pytest.raises(TypeError, match="must take one argument"):
        ObjectModel(Model())


async def test_an_object_is_labelled_by_itself_or_its_type() -> None:
    class Mine:
        async def stream(self, messages: Messages) -> AsyncIterator[str]:
            yield "mine"

    class Labelled(Mine):
        label = "my model"

    assert ObjectModel(Mine()).label == "Mine"
    model = ObjectModel(Labelled())
    assert model.label == "my model"
    assert text_of(await collect(model)) == "mine"
    await model.aclose()
