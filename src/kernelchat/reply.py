"""A reply: the answer to one question, as a cell reads it."""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from .errors import ChatError
from .events import Done, Event, Failed, Removed, TokenAdded
from .message import Message
from .reader import TextReader
from .session import Session

logger = logging.getLogger(__name__)

SLICE = 0.1


class Reply:
    """The answer to one question. It begins at once, whether somebody reads it or not.

    Read it with `for`, `async for`, `await` or `result()`, in any cell and on any event loop, as
    often as you like; each reading starts at the first token. Reading waits on the caller's own
    thread only: Ctrl-C ends the wait and nothing else.
    """

    def __init__(
        self,
        session: Session,
        question_id: str,
        reply_id: str,
        after: int,
        stop: Callable[[str], None],
    ) -> None:
        self._session = session
        self._question_id = question_id
        self._reply_id = reply_id
        self._after = after
        self._stop = stop

    def __iter__(self) -> Iterator[str]:
        """The answer piece by piece; blocks the calling thread between pieces.

        Raises:
            ChatError: the turn failed; its `text` is what had come.
        """
        reading = _Reading(self._session, self._question_id, self._reply_id, self._after)
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        # One wake is enough, so the queue does not grow.
        undo = self._session.log.subscribe(lambda: woken.put(None) if woken.empty() else None)
        try:
            while True:
                yield from reading.take()
                if reading.over:
                    return
                _wait(woken, SLICE)
        finally:
            undo()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The answer piece by piece, on whatever asyncio loop this is awaited.

        Raises:
            ChatError: the turn failed; its `text` is what had come.
        """
        reading = _Reading(self._session, self._question_id, self._reply_id, self._after)
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        undo = self._session.log.subscribe(lambda: _wake(loop, woken))
        try:
            while True:
                woken.clear()
                for text in reading.take():
                    yield text
                if reading.over:
                    return
                await woken.wait()
        finally:
            undo()

    def __await__(self) -> Generator[Any, None, str]:
        """The whole answer.

        Raises:
            ChatError: the turn failed; its `text` is what had come.
        """
        return self._whole().__await__()

    async def _whole(self) -> str:
        return "".join([text async for text in self])

    def result(self, timeout: float | None = None) -> str:
        """The whole answer; blocks the calling thread until it is complete or stopped.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            ChatError: the turn failed; its `text` is what had come.
            TimeoutError: it was not complete in time; it goes on all the same.
        """
        until = None if timeout is None else time.monotonic() + timeout
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        undo = self._session.log.subscribe(lambda: woken.put(None) if woken.empty() else None)
        reading = _Reading(self._session, self._question_id, self._reply_id, self._after)
        parts: list[str] = []
        try:
            while True:
                parts.extend(reading.take())
                if reading.over:
                    return "".join(parts)
                left = SLICE if until is None else min(SLICE, until - time.monotonic())
                if left <= 0:
                    raise TimeoutError(
                        f"The answer was not complete after {timeout:g} s; it goes on, "
                        "and reply.text is what there is."
                    )
                _wait(woken, left)
        finally:
            undo()

    def stop(self) -> None:
        """Ends this answer and no other; `result()` gives the text so far.

        Where it did not begin yet, its question is taken back. Takes milliseconds.
        """
        self._stop(self._reply_id)

    @property
    def text(self) -> str:
        """What is there now."""
        message = self._session.state.get(self._reply_id)
        return message.text if message else ""

    @property
    def message(self) -> Message:
        """The answer as a message, as it is now."""
        found = self._session.state.get(self._reply_id)
        if found is None:
            return Message(self._reply_id, "assistant", "", self._question_id, "queued")
        return found

    @property
    def code(self) -> list[str]:
        """The code blocks of what is there now."""
        return self.message.code

    def __repr__(self) -> str:
        message = self.message
        return f"Reply({message.status}, {len(message.text)} characters)"

    def __str__(self) -> str:
        return self.text


class _Reading:
    """One reading of one answer from its first token."""

    def __init__(self, session: Session, question_id: str, reply_id: str, after: int) -> None:
        self.over = False
        self._session = session
        self._question_id = question_id
        self._reply_id = reply_id
        self._text: list[str] = []
        self._asked = False
        self._reader = TextReader(session.log, session.state, after, reply_id)

    def take(self) -> Iterator[str]:
        for _, event in self._reader.take():
            text = self._piece(event)
            if text:
                self._text.append(text)
                yield text
            if self.over:
                return
        self._check_taken_back()

    def _piece(self, event: Event) -> str:
        match event:
            case TokenAdded(_, _, text):
                return text
            case Done(_, full_text):
                self.over = True
                return full_text[sum(map(len, self._text)) :]
            case Failed(_, kind, text, retryable):
                known: Any = kind
                raise ChatError(known, text, retryable=retryable, text="".join(self._text))
            case Removed(message_ids) if self._question_id in message_ids:
                raise _taken_back()
        return ""

    def _check_taken_back(self) -> None:
        # Asked of the state, since the event may have fallen off the log. Whether the log is closed
        # is asked first: an answer may end, and the log be closed, between the two questions.
        closed = self._session.log.closed
        if self.over or self._session.state.ended(self._reply_id) is not None:
            return
        here = self._session.state.get(self._question_id) is not None
        if (self._asked and not here) or closed:
            raise _taken_back()
        self._asked = here


def _taken_back() -> ChatError:
    return ChatError("cancelled", "The question was taken back before it was asked.")


def _wait(woken: queue.SimpleQueue[None], seconds: float) -> None:
    # In slices, and never on a lock of ours: on Windows only the time-out lets Ctrl-C through.
    try:
        woken.get(timeout=seconds)
    except queue.Empty:
        return


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(woken.set)
    except RuntimeError as error:  # that loop was closed, and whoever waited there is gone
        logger.debug("nobody waits any more: %s", error)
