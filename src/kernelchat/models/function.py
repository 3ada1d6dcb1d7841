"""A user's own function, or object with `stream`, as a model."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

from ..errors import ChatError
from .base import BuiltinModel, Delta, ModelMessage
from .bridge import THREAD_NAME, Channel, Stopped, UserLoop
from .text import WholeCharacters, describe

Send: TypeAlias = Callable[[object], None]


class FunctionModel(BuiltinModel):
    """Runs a def, async def, generator or async generator of (messages), or anything like one.

    Sync code runs on a daemon thread per answer; async code on one event loop per model, on a
    daemon thread that starts with the first answer and ends with `aclose`. Each answer runs in a
    copy of the context in which the model was made, so the variables set there are seen.

    Args:
        function: called with a list of `{"role", "content"}` dicts, the user's to change.
        label: what the chat's header calls it; the function's name if left out.

    Raises:
        TypeError: `function` cannot be called with one argument.
    """

    def __init__(
        self,
        function: Callable[[list[dict[str, Any]]], Any],
        *,
        label: str | None = None,
        what: str = "The model function",
    ) -> None:
        _check_arity(function, what)
        self.label = label or _name(function)
        self._function = function
        self._what = what
        self._is_async = _is_async(function)
        self._context = contextvars.copy_context()
        self._loop: UserLoop | None = None
        self._loop_lock = threading.Lock()  # never waited for by the main thread

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta]:
        """The answer to `messages`, piece by piece.

        Raises:
            ChatError: kind `model`; the function raised, or gave something that is no text. One
                that the function raised itself passes as it is.
        """
        channel = Channel(asyncio.get_running_loop())
        start = partial(self._function, [dict(message) for message in messages])
        if self._is_async:
            self._spawn(start, channel)
        else:
            threading.Thread(
                target=self._context.copy().run,
                args=(self._answer, start, channel),
                name=THREAD_NAME,
                daemon=True,
            ).start()
        try:
            async with aclosing(channel.read()) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            channel.close()

    async def aclose(self) -> None:
        """Cancels what runs and ends the thread of the model's loop."""
        with self._loop_lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            await loop.aclose()

    # On a thread of this answer's own

    def _answer(self, start: Callable[[], object], channel: Channel) -> None:
        room = threading.Event()
        channel.attach(room.set)
        pieces = _Pieces(channel, self._what)

        def send(piece: object) -> None:
            pieces.put(piece)
            room.clear()
            while channel.must_wait():
                room.wait()
                room.clear()

        try:
            result = start()
            if isinstance(result, Awaitable | AsyncIterable):
                self._spawn(lambda: result, channel)
                return
            _send_sync(result, send, self._what)
        except Stopped:
            channel.end()
        except BaseException as error:  # noqa: BLE001  # the reader raises it, sys.exit() too
            channel.end(_failure(error, self._what))
        else:
            pieces.end()

    # On the model's loop

    def _spawn(self, start: Callable[[], object], channel: Channel) -> None:
        with self._loop_lock:
            if self._loop is None:
                self._loop = UserLoop()
            self._loop.spawn(
                partial(self._answer_async, start, channel),
                self._context.copy(),
                partial(channel.end, _closed()),
            )

    async def _answer_async(self, start: Callable[[], object], channel: Channel) -> None:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        room = asyncio.Event()
        pieces = _Pieces(channel, self._what)

        def changed() -> None:
            if channel.closed and task is not None:
                task.cancel()
            room.set()

        def notify() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed)

        async def send(piece: object) -> None:
            pieces.put(piece)
            room.clear()
            while channel.must_wait():
                await room.wait()
                room.clear()

        channel.attach(notify)
        try:
            await _send_async(start(), send, self._what)
        except Stopped:
            channel.end()
        except asyncio.CancelledError as error:
            if channel.closed or (task is not None and task.cancelling()):
                raise
            channel.end(_failure(error, self._what))  # the user's own, out of what they awaited
        except BaseException as error:  # noqa: BLE001  # the reader raises it
            channel.end(_failure(error, self._what))
        else:
            pieces.end()


class ObjectModel(FunctionModel):
    """A user's object with `stream(messages)`: an async iterator of Delta or str, or like one.

    Raises:
        TypeError: its `stream` cannot be called with one argument.
    """

    def __init__(self, model: Any) -> None:
        label = getattr(model, "label", None)
        super().__init__(
            model.stream,
            label=label if isinstance(label, str) and label else type(model).__name__,
            what="The model's stream",
        )


class _Pieces:
    """Turns what user code yields into deltas on a channel."""

    def __init__(self, channel: Channel, what: str) -> None:
        self._channel = channel
        self._what = what
        self._text = WholeCharacters()
        self._reasoning = WholeCharacters()

    def put(self, piece: object) -> None:
        if isinstance(piece, str):
            delta = Delta(self._text.feed(str.__str__(piece)))
        elif isinstance(piece, Delta):
            _check_delta(piece, self._what)
            delta = Delta(
                self._text.feed(piece.text),
                self._reasoning.feed(piece.reasoning),
                piece.finish_reason,
                piece.usage,
                piece.citations,
            )
        else:
            raise _wrong(f"yielded {_kind(piece)}", self._what)
        self._channel.put(delta)

    def end(self) -> None:
        rest = Delta(self._text.flush(), self._reasoning.flush())
        if not self._channel.closed and (rest.text or rest.reasoning):
            self._channel.put(rest)
        self._channel.end()


def _send_sync(result: object, send: Send, what: str) -> None:
    if isinstance(result, str | Delta):
        send(result)
        return
    _check_result(result, what)
    assert isinstance(result, Iterable)
    try:
        for piece in result:
            send(piece)
    finally:
        close = getattr(result, "close", None)
        if callable(close):
            close()


async def _send_async(result: object, send: Callable[[object], Awaitable[None]], what: str) -> None:
    while isinstance(result, Awaitable) and not isinstance(result, AsyncIterable):
        result = await result
    if isinstance(result, str | Delta):
        await send(result)
    elif isinstance(result, AsyncIterable):
        pieces = aiter(result)
        try:
            async for piece in pieces:
                await send(piece)
        finally:
            aclose = getattr(pieces, "aclose", None)
            if callable(aclose):
                await aclose()
    else:
        _check_result(result, what)
        assert isinstance(result, Iterable)
        for piece in result:
            await send(piece)


def _check_result(result: object, what: str) -> None:
    if isinstance(result, bytes | bytearray | Mapping) or not isinstance(result, Iterable):
        raise _wrong(f"returned {_kind(result)}", what)


def _check_delta(delta: Delta, what: str) -> None:
    for name, kind in (("text", str), ("reasoning", str), ("finish_reason", str | None)):
        value: object = getattr(delta, name)
        if not isinstance(value, kind):
            raise _wrong(f"yielded a Delta whose {name} is {_kind(value)}", what)


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _wrong(did: str, what: str) -> ChatError:
    return ChatError(
        "model",
        f"{what} {did}: return a str, or yield str or Delta pieces.",
        retryable=False,
    )


def _failure(error: BaseException, what: str) -> ChatError:
    if isinstance(error, ChatError):
        return error
    failure = ChatError("model", f"{what} raised {describe(error)}")
    failure.__cause__ = error
    return failure


def _closed() -> ChatError:
    return ChatError("cancelled", "The model was closed while it answered.")


def _name(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return "function" if name == "<lambda>" else str(name)


def _is_async(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, getattr(function, "__call__", None))  # noqa: B004
    )


def _check_arity(function: Any, what: str) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # some builtins have none
        return
    try:
        signature.bind([])
    except TypeError:
        raise TypeError(
            f"{what} {_name(function)}{signature} must take one argument, the list of messages: "
            f"def {_name(function)}(messages)."
        ) from None
