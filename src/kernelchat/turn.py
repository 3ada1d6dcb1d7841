"""A turn: one answer, by as many model calls as it takes. Runs as a task on the server's loop.

It owns what a model call needs and a conversation must not know: deadlines, retries, and text that
arrives cut inside a character. The conversation decides whether the turn still counts.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .conversation import Conversation
from .errors import ChatError
from .events import is_plain
from .models.base import Delta, Model, ModelMessage
from .models.text import WholeCharacters, describe

logger = logging.getLogger(__name__)
T = TypeVar("T")

YIELD_AFTER = 0.008
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
FINISH_REASONS = frozenset({"stop", "length", "content_filter"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for a model, in seconds, and how often to ask it again."""

    first_token_timeout: float = 60.0
    token_timeout: float = 30.0
    max_retries: int = 2


async def run_turn(
    conversation: Conversation,
    model: Model,
    message_id: str,
    messages: Sequence[ModelMessage],
    limits: Limits,
) -> None:
    """Fills the answer `message_id`. Ends it exactly once, unless it was ended by a stop.

    Raises:
        asyncio.CancelledError: the task was cancelled; the model's stream is closed then.
    """
    for attempt in range(limits.max_retries + 1):
        call = _Call(conversation, model, message_id, limits)
        try:
            await call.run(messages)
            return
        except ChatError as error:
            last = attempt == limits.max_retries
            if call.began or last or not error.retryable or error.kind == "model":
                conversation.fail(message_id, error)
                return
            wait = _wait(attempt, error)
            if wait > LONGEST_BACKOFF:
                conversation.fail(message_id, error)
                return
            conversation.retrying(message_id, conversation.now() + round(wait * 1000))
            await asyncio.sleep(wait)
            conversation.thinking(message_id)
        except Exception as error:
            logger.exception("the model failed outside of its contract")
            conversation.fail(message_id, ChatError("model", f"The model raised {describe(error)}"))
            return


def _wait(attempt: int, error: ChatError) -> float:
    asked: float | None = getattr(error, "retry_after", None)
    return FIRST_BACKOFF * 2**attempt * (0.75 + random.random() / 2) if asked is None else asked


class _Call:
    """One model call."""

    def __init__(
        self, conversation: Conversation, model: Model, message_id: str, limits: Limits
    ) -> None:
        self.began = False
        self._conversation = conversation
        self._model = model
        self._message_id = message_id
        self._limits = limits
        self._finish_reason: str | None = None
        self._usage: Any = None
        # Services cut text inside of characters.
        self._text, self._reasoning = WholeCharacters(), WholeCharacters()

    async def run(self, messages: Sequence[ModelMessage]) -> None:
        stream = self._model.stream(messages)
        watchdog = _Watchdog(self._limits)
        try:
            await self._follow(stream, watchdog)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            if watchdog.late is not None:
                # Unless somebody else cancelled too: take that back and say what happened.
                if task.uncancel() == 0:
                    raise ChatError("timeout", watchdog.late) from None
            elif task.cancelling() == 0:
                # Nobody cancelled this turn: it came out of something that the model awaited.
                raise ChatError("model", "The model's own work was cancelled.") from None
            raise
        finally:
            watchdog.stop()
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        if self._finish_reason is None and getattr(self._model, "needs_finish", False):
            raise ChatError(
                "truncated", "The answer broke off: the service ended the stream too early."
            )
        self._end()

    async def _follow(self, stream: AsyncIterator[Delta | str], watchdog: _Watchdog) -> None:
        loop = asyncio.get_running_loop()
        yielded = loop.time()
        async for piece in stream:
            delta = Delta(piece) if isinstance(piece, str) else piece
            if delta.finish_reason is not None:
                self._finish_reason = delta.finish_reason
            if delta.usage is not None:
                self._usage = _plain(dict(delta.usage), "usage")
            if delta.text or delta.reasoning or delta.citations:
                self.began = True
                watchdog.feed()
                if not self._conversation.delta(self._message_id, self._whole(delta)):
                    return
            if loop.time() - yielded > YIELD_AFTER:
                # A model that never waits would hold up everybody else on this loop.
                await asyncio.sleep(0)
                yielded = loop.time()

    def _whole(self, delta: Delta) -> Delta:
        if not delta.reasoning and not delta.citations:
            # Nearly all: nothing to make anew.
            text = self._text.feed(delta.text)
            return delta if text == delta.text else Delta(text)
        text, reasoning = self._text.feed(delta.text), self._reasoning.feed(delta.reasoning)
        return Delta(text, reasoning, citations=_plain(tuple(delta.citations), "citations"))

    def _end(self) -> None:
        self._conversation.delta(
            self._message_id, Delta(self._text.flush(), self._reasoning.flush())
        )
        reason = self._finish_reason
        self._conversation.finish(
            self._message_id, reason if reason in FINISH_REASONS else "stop", self._usage
        )


def _plain(value: T, name: str) -> T:
    # What JSON cannot carry would break every reader of the log.
    if is_plain(value):
        return value
    raise ChatError(
        "model", f"The model's {name} must be plain JSON values, such as numbers.", retryable=False
    )


class _Watchdog:
    """Cancels the current task when nothing came for too long. One timer, however many tokens."""

    def __init__(self, limits: Limits) -> None:
        self.late: str | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._limits = limits
        self._first = True
        self._deadline = self._loop.time() + limits.first_token_timeout
        self._timer = self._loop.call_at(self._deadline, self._check)

    def feed(self) -> None:
        self._deadline = self._loop.time() + self._limits.token_timeout
        if self._first:
            self._first = False
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._check)

    def stop(self) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
            return
        seconds = self._limits.first_token_timeout if self._first else self._limits.token_timeout
        when = "at all" if self._first else "more"
        self.late = f"The model sent nothing {when} for {seconds:g} s; try again."
        if self._task is not None:
            self._task.cancel()
