from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import turn
from kernelchat.events import Failed, TokenAdded
from kernelchat.models.base import BuiltinModel, Delta, ModelMessage
from tools.pushed import PushedModel
from tools.talk import said
from tools.turns import Pieces, Turn


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "FIRST_BACKOFF", 0.0)


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
