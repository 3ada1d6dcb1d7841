from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from kernelchat import turn
from kernelchat.errors import RETRYABLE, ChatError
from kernelchat.events import Failed, Status
from kernelchat.models.base import BuiltinModel, Delta, ModelMessage
from kernelchat.turn import Limits
from tools.pushed import PATIENCE, PushedModel
from tools.talk import said, until
from tools.turns import Pieces, Turn

SHORT = 0.02
"""A deadline that passes at once, in seconds; nothing is asserted about how long it took."""


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "FIRST_BACKOFF", 0.0)


async def test_an_answer() -> None:
    model = PushedModel()
    run = Turn(model)
    call = await model.called()
    assert call.messages == [{"role": "user"}]
    call.push("Hel", Delta("lo"), Delta(reasoning="hm"), Delta(usage={"total_tokens": 3}))
    call.end(Delta(finish_reason="length"))
    answer = await run.end()
    assert (answer.text, answer.reasoning, answer.tokens) == ("Hello", "hm", 2)
    assert (answer.finish_reason, answer.usage) == ("length", {"total_tokens": 3})
    assert call.closed.is_set()


@pytest.mark.parametrize("reason", ["tool_calls", "eos", ""])
async def test_a_reason_of_its_own_is_a_stop(reason: str) -> None:
    assert (await Turn(Pieces("x", Delta(finish_reason=reason))).end()).finish_reason == "stop"


# retries

RETRIED = sorted(RETRYABLE - {"model"})
NOT_RETRIED = ["auth", "not_found", "quota", "bad_request", "model", "input", "cancelled"]


@pytest.mark.parametrize("kind", RETRIED)
async def test_a_failure_before_the_first_token_is_tried_again(no_waiting: None, kind: Any) -> None:
    model = PushedModel()
    run = Turn(model)
    (await model.called()).fail(ChatError(kind, "At first."))
    (await model.called()).fail(ChatError(kind, "At second."))
    third = await model.called()
    third.end("Hello")
    assert (await run.end()).text == "Hello"
    assert run.answer.status == "done"
    assert run.statuses() == [
        "thinking",
        *["retrying", "thinking"] * 2,
        "writing",
        "idle",
    ]
    assert said(run.talk.events, Failed) == []
    assert all(call.closed.is_set() for call in model.calls)


async def test_a_retry_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "LONGEST_BACKOFF", PATIENCE)
    model = PushedModel()
    run = Turn(model)
    error = ChatError("rate_limit", "Slow down.")
    error.retry_after = 20.5  # type: ignore[attr-defined]
    (await model.called()).fail(error)
    await until(run.talk.log, lambda: run.talk.state.status == "retrying")
    assert Status("retrying", retry_at=1_764_000_020_500) in said(run.talk.events, Status)
    run.stop()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert run.answer.status == "stopped"
    assert len(model.calls) == 1


async def test_who_asks_for_too_long_a_wait_is_not_asked_again() -> None:
    model = PushedModel()
    run = Turn(model)
    error = ChatError("rate_limit", "Come back tomorrow.")
    error.retry_after = 86_400.0  # type: ignore[attr-defined]
    (await model.called()).fail(error)
    assert (await run.end()).status == "failed"
    assert len(model.calls) == 1
    assert run.talk.state.status == "idle"


@pytest.mark.parametrize("max_retries", [0, 1, 3])
async def test_it_gives_up(no_waiting: None, max_retries: int) -> None:
    model = PushedModel()
    run = Turn(model, Limits(max_retries=max_retries))
    for n in range(max_retries + 1):
        (await model.called()).fail(ChatError("server", f"Failure {n}."))
    answer = await run.end()
    assert answer.error == {
        "kind": "server",
        "message": f"Failure {max_retries}.",
        "retryable": True,
    }
    assert len(model.calls) == max_retries + 1


@pytest.mark.parametrize("kind", NOT_RETRIED)
async def test_what_asking_again_cannot_help_is_not_tried_again(kind: Any) -> None:
    model = PushedModel()
    run = Turn(model)
    (await model.called()).fail(ChatError(kind, "No."))
    answer = await run.end()
    assert answer.error is not None
    assert answer.error["kind"] == kind
    assert len(model.calls) == 1


@pytest.mark.parametrize("first", ["text", Delta(reasoning="hm"), Delta(citations=({"id": "k"},))])
async def test_nothing_is_tried_again_after_the_first_token(first: Delta | str) -> None:
    model = PushedModel()
    run = Turn(model)
    call = await model.called()
    call.push(first)
    call.fail(ChatError("connection", "Cut."))
    assert (await run.end()).status == "failed"
    assert len(model.calls) == 1


# deadlines


async def test_a_model_that_says_nothing(no_waiting: None) -> None:
    model = PushedModel()
    run = Turn(model, Limits(first_token_timeout=SHORT, token_timeout=PATIENCE, max_retries=1))
    answer = await run.end()
    assert answer.error is not None
    assert answer.error["kind"] == "timeout"
    assert "nothing at all for 0.02 s" in answer.error["message"]
    assert len(model.calls) == 2
    assert all(call.closed.is_set() for call in model.calls)
    assert asyncio.current_task() is not None
    assert run.task.cancelling() == 0


async def test_a_model_that_falls_silent() -> None:
    model = PushedModel()
    run = Turn(model, Limits(first_token_timeout=PATIENCE, token_timeout=SHORT))
    call = await model.called()
    call.push("so far")
    answer = await run.end()
    assert (answer.status, answer.text) == ("failed", "so far")
    assert answer.error is not None
    assert "nothing more for 0.02 s" in answer.error["message"]
    assert call.closed.is_set()
    assert len(model.calls) == 1


async def test_signs_of_life_without_text_are_no_tokens() -> None:
    class Beats(BuiltinModel):
        async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta]:
            while True:
                yield Delta()
                await asyncio.sleep(0)

    run = Turn(Beats(), Limits(first_token_timeout=SHORT, token_timeout=SHORT, max_retries=0))
    assert (await run.end()).status == "failed"


async def test_a_stop_wins_over_a_deadline_that_passes_meanwhile() -> None:
    class Stubborn(BuiltinModel):
        """Takes its time to let go: long enough for the deadline to pass too."""

        def __init__(self) -> None:
            self.cancelled = asyncio.Event()
            self.go = asyncio.Event()

        async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
            yield "so far"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                await self.go.wait()
                raise

    model = Stubborn()
    run = Turn(model, Limits(first_token_timeout=PATIENCE, token_timeout=SHORT))
    async with asyncio.timeout(PATIENCE):
        await model.cancelled.wait()
    run.stop()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert run.answer.status == "stopped"


# stop


async def test_a_stop_closes_the_stream_of_the_model() -> None:
    model = PushedModel()
    run = Turn(model)
    call = await model.called()
    call.push("so far")
    await until(run.talk.log, lambda: run.answer.text)
    run.stop()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert call.closed.is_set()
    assert (run.answer.status, run.answer.text) == ("stopped", "so far")


async def test_a_model_that_goes_on_after_a_stop_is_left() -> None:
    class Deaf(BuiltinModel):
        def __init__(self) -> None:
            self.closed = False

        async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
            try:
                while True:
                    yield "x"
                    try:
                        await asyncio.sleep(0)
                    except asyncio.CancelledError:
                        continue
            finally:
                self.closed = True

    model = Deaf()
    run = Turn(model)
    await until(run.talk.log, lambda: run.answer.text)
    run.stop()
    text = run.answer.text
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([run.task])
    assert model.closed
    assert run.answer.text == text
    assert run.answer.status == "stopped"


# fairness


class Flood(BuiltinModel):
    """Never waits and never ends."""

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
        while True:
            yield "x"


async def test_a_model_that_never_waits_holds_up_nobody() -> None:
    run = Turn(Flood())
    async with asyncio.timeout(PATIENCE):
        for _ in range(5):
            await asyncio.sleep(0)
    assert not run.task.done()
    run.stop()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    assert run.answer.status == "stopped"


async def test_two_turns_share_the_loop() -> None:
    runs = [Turn(Flood()) for _ in range(2)]
    for run in runs:
        await until(run.talk.log, lambda run=run: run.answer.text)  # type: ignore[misc]
    for run in runs:
        run.stop()
    await asyncio.gather(*(run.task for run in runs), return_exceptions=True)
    assert {run.answer.status for run in runs} == {"stopped"}
