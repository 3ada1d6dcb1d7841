"""A turn: one answer, by as many model calls as it takes. Runs as a task on the server's loop.

It owns what a model call needs and a conversation must not know: deadlines, retries, and text that
arrives cut inside a character. The conversation decides whether the turn still counts.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .conversation import Conversation
from .errors import ChatError
from .models.base import Delta, Model, ModelMessage

logger = logging.getLogger(__name__)

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
            await _back_off(conversation, message_id, attempt, error)
        except Exception as error:
            logger.exception("the model failed outside of its contract")
            text = f"The model raised {type(error).__name__}: {error}"
            conversation.fail(message_id, ChatError("model", text))
            return


async def _back_off(
    conversation: Conversation, message_id: str, attempt: int, error: ChatError
) -> None:
    wait = getattr(error, "retry_after", None)
    if wait is None:
        wait = FIRST_BACKOFF * 2**attempt * (0.75 + random.random() / 2)
    if wait > LONGEST_BACKOFF:
        conversation.fail(message_id, error)
        return
    conversation.retrying(message_id, conversation.now() + round(wait * 1000))
    await asyncio.sleep(wait)
    conversation.thinking(message_id)


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
        self._characters = _Characters()

    async def run(self, messages: Sequence[ModelMessage]) -> None:
        stream = self._model.stream(messages)
        watchdog = _Watchdog(self._limits)
        try:
            await self._follow(stream, watchdog)
        except asyncio.CancelledError:
            if watchdog.late is None:
                raise
            # The watchdog cancelled, nobody else: take that back and say what happened.
            task = asyncio.current_task()
            if task is not None and task.uncancel() > 0:
                raise
            raise ChatError("timeout", watchdog.late) from None
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
                self._usage = delta.usage
            if delta.text or delta.reasoning or delta.citations:
                self.began = True
                watchdog.feed()
                if not self._conversation.delta(self._message_id, self._characters.whole(delta)):
                    return
            if loop.time() - yielded > YIELD_AFTER:
                # A model that never waits would hold up everybody else on this loop.
                await asyncio.sleep(0)
                yielded = loop.time()

    def _end(self) -> None:
        rest = self._characters.rest()
        if rest:
            self._conversation.delta(self._message_id, Delta(rest))
        reason = self._finish_reason
        self._conversation.finish(
            self._message_id, reason if reason in FINISH_REASONS else "stop", self._usage
        )


class _Characters:
    """Joins a character that was cut between two pieces (a pair of surrogates)."""

    def __init__(self) -> None:
        self._half = ""

    def whole(self, delta: Delta) -> Delta:
        text = self._half + delta.text
        if text.isascii():
            self._half = ""
            return delta if text is delta.text else _with_text(delta, text)
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        if self._half:
            text = text[:-1]
        with suppress(UnicodeEncodeError):
            text.encode()
            return _with_text(delta, text)
        return _with_text(delta, _repair(text))

    def rest(self) -> str:
        return "\ufffd" if self._half else ""


def _repair(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _with_text(delta: Delta, text: str) -> Delta:
    return delta if delta.text == text else Delta(text, delta.reasoning, citations=delta.citations)


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
