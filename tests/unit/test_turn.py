from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import commands as c
from kernelchat import turn
from kernelchat.errors import RETRYABLE, ChatError
from kernelchat.events import Failed, Status, TokenAdded
from kernelchat.message import Message
from kernelchat.models.base import BuiltinModel, Delta, ModelMessage
from kernelchat.turn import Limits, run_turn
from tools.pushed import PATIENCE, PushedModel
from tools.talk import Talk, said, until

SHORT = 0.02
"""A deadline that passes at once, in seconds; nothing is asserted about how long it took."""
NEVER = Limits(first_token_timeout=PATIENCE, token_timeout=PATIENCE)


class Turn:
    """A talk whose one question is being answered by a model."""

    def __init__(self, model: BuiltinModel, limits: Limits = NEVER) -> None:
        self.talk = Talk()
        self.talk.send("hello", reply_id="a")
        self.task = asyncio.create_task(
            run_turn(self.talk.conversation, model, "a", [{"role": "user"}], limits)
        )

    @property
    def answer(self) -> Message:
        return self.talk.message("a")

    async def end(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.answer

    def stop(self) -> None:
        self.talk.conversation.execute(c.Stop("stop", "a"))
        self.task.cancel()

    def statuses(self) -> list[str]:
        return [e.status for e in said(self.talk.events, Status) if isinstance(e, Status)]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "FIRST_BACKOFF", 0.0)


class Pieces(BuiltinModel):
    """Gives all pieces without ever waiting."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta | str]:
        for piece in self.pieces:
            yield piece


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


# ends that are none


async def test_an_end_without_a_finish_is_truncated() -> None:
    model = PushedModel(needs_finish=True)
    run = Turn(model)
    (await model.called()).end("half")
    answer = await run.end()
    assert answer.error is not None
    assert (answer.text, answer.error["kind"]) == ("half", "truncated")


async def test_an_empty_end_without_a_finish_is_tried_again(no_waiting: None) -> None:
    model = PushedModel(needs_finish=True)
    run = Turn(model)
    (await model.called()).end()
    (await model.called()).end("whole", Delta(finish_reason="stop"))
    assert (await run.end()).text == "whole"
    assert run.answer.status == "done"


async def test_a_model_of_ones_own_needs_no_finish() -> None:
    assert (await Turn(Pieces("Hello")).end()).finish_reason == "stop"


# exceptions


class Broken(BuiltinModel):
    def __init__(self, error: BaseException, *first: str) -> None:
        self.error, self.first = error, first

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
        for piece in self.first:
            yield piece
        raise self.error


@pytest.mark.parametrize("first", [(), ("so far",)])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such thing"),
        KeyError("x"),
        asyncio.CancelledError(),
        TimeoutError(),
        StopAsyncIteration(),
        FileNotFoundError(2, "No such file", "caf\udce9.txt"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_whatever_a_model_raises_is_of_kind_model(
    error: BaseException, first: tuple[str, ...]
) -> None:
    run = Turn(Broken(error, *first))
    answer = await run.end()
    assert (answer.status, answer.text) == ("failed", "".join(first))
    assert answer.error is not None
    assert answer.error["kind"] == "model"
    assert "odel" in answer.error["message"]
    (failed,) = said(run.talk.events, Failed)
    assert isinstance(failed, Failed)
    failed.message.encode()
    assert run.talk.state.status == "idle"


async def test_keys_are_left_out_of_what_is_said() -> None:
    run = Turn(Broken(ValueError("bad key sk-abcdefghijklmnop1234")))
    answer = await run.end()
    assert answer.error is not None
    assert "ValueError" in answer.error["message"]
    assert "abcdefghijklmnop" not in answer.error["message"]


async def test_a_model_that_raises_before_it_streams() -> None:
    class Refuses(BuiltinModel):
        def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
            raise RuntimeError("not today")

    answer = await Turn(Refuses()).end()
    assert answer.error is not None
    assert "not today" in answer.error["message"]


@pytest.mark.parametrize("piece", [None, 5, b"bytes", ["x"], Delta(5)])  # type: ignore[arg-type]
async def test_pieces_that_are_none(piece: object) -> None:
    answer = await Turn(Pieces("so far", piece)).end()
    assert (answer.status, answer.text) == ("failed", "so far")
    assert answer.error is not None
    assert answer.error["kind"] == "model"


@pytest.mark.parametrize(
    "piece",
    [
        Delta(usage={"cost": object()}),
        Delta(usage={"cost": float("nan")}),
        Delta("x", citations=({"id": object()},)),
        Delta("x", citations=({"id": "\ud83d"},)),
    ],
)
async def test_what_no_reader_could_be_sent_is_refused(piece: Delta) -> None:
    run = Turn(Pieces("so far", piece))
    answer = await run.end()
    assert answer.error is not None
    assert (answer.error["kind"], answer.error["retryable"]) == ("model", False)
    entries = run.talk.log.read(run.talk.events[0][0] - 1)
    assert entries is not None
    assert all(entry.data.encode() for entry in entries)


# characters


@given(st.lists(st.text(max_size=4), max_size=8), st.data())
def test_characters_cut_between_pieces_are_whole(texts: list[str], data: st.DataObject) -> None:
    units = "".join(texts).encode("utf-16-le", "surrogatepass")
    halves = [
        units[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(units), 2)
    ]
    joined = data.draw(st.lists(st.booleans(), min_size=len(halves), max_size=len(halves)))
    pieces: list[str] = []
    for half, join in zip(halves, joined, strict=True):
        if pieces and join:
            pieces[-1] += half
        else:
            pieces.append(half)
    deltas = [Delta(piece, reasoning=piece) for piece in pieces]

    async def play() -> Turn:
        run = Turn(Pieces(*deltas))
        await run.end()
        return run

    run = asyncio.run(play())
    assert run.answer.text == run.answer.reasoning == "".join(texts)
    for event in said(run.talk.events, TokenAdded):
        assert isinstance(event, TokenAdded)
        event.text.encode()


@pytest.mark.parametrize("broken", ["\ud83d", "x\ude00", "\ude00\ud83d", "\ud83d\ud83d\ude00"])
async def test_half_a_character_is_marked(broken: str) -> None:
    answer = await Turn(Pieces("so: ", broken)).end()
    assert answer.status == "done"
    assert "\ufffd" in answer.text
    answer.text.encode()


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
