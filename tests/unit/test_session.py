from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest

from kernelchat import commands as c
from kernelchat import session as session_module
from kernelchat.errors import ChatError
from kernelchat.models.base import BuiltinModel, ModelMessage
from kernelchat.session import Session
from tools.pushed import PATIENCE, PushedModel
from tools.talk import until


class Talking:
    """A session with a pushed model."""

    def __init__(self, **keywords: str) -> None:
        self.model = PushedModel()
        self.session = Session("s1", self.model, **keywords)  # type: ignore[arg-type]
        self._count = 0

    def send(self, text: str = "hello", reply_id: str = "a") -> None:
        self._count += 1
        self.session.execute(c.Send(f"c{self._count}", text, reply_id=reply_id))

    async def idle(self) -> None:
        await until(self.session.log, lambda: self.session.idle)

    def texts(self) -> list[str]:
        return [message.text for message in self.session.state.path()]


async def test_a_talk() -> None:
    talking = Talking()
    for question, answer in (("one", "1"), ("two", "2")):
        talking.send(question, reply_id=answer)
        assert not talking.session.idle
        (await talking.model.called()).end(answer)
        await talking.idle()
    assert talking.texts() == ["one", "1", "two", "2"]
    assert talking.model.calls[1].messages == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
    ]


async def test_the_system_prompt_comes_first_and_counts_from_the_next_turn_on() -> None:
    talking = Talking(system="Be brief.")
    talking.send()
    call = await talking.model.called()
    talking.session.system = "Be long."
    assert call.messages[0] == {"role": "system", "content": "Be brief."}
    call.end("1")
    await talking.idle()
    talking.send(reply_id="b")
    again = await talking.model.called()
    assert [m["content"] for m in again.messages if m["role"] == "system"] == ["Be long."]
    await talking.session.close()


async def test_a_model_counts_from_the_next_turn_on() -> None:
    talking, other = Talking(), PushedModel()
    talking.send("one")
    talking.send("two", reply_id="b")
    call = await talking.model.called()
    talking.session.model = other
    call.end("1")
    (await other.called()).end("2")
    await talking.idle()
    assert talking.texts() == ["one", "1", "two", "2"]


async def test_what_waits_goes_out_by_itself() -> None:
    talking = Talking()
    for n in range(3):
        talking.send(f"q{n}", reply_id=f"r{n}")
    for n in range(3):
        assert len(talking.model.calls) <= n + 1
        (await talking.model.called()).end(f"a{n}")
    await until(talking.session.log, lambda: talking.session.state.ended("r2"))
    assert talking.texts() == ["q0", "a0", "q1", "a1", "q2", "a2"]


async def test_a_stop_lets_go_of_the_model_and_the_next_goes_out() -> None:
    talking = Talking()
    talking.send("one")
    talking.send("two", reply_id="b")
    call = await talking.model.called()
    talking.session.execute(c.Stop("stop", "a"))
    (await talking.model.called()).end("2")
    await until(talking.session.log, lambda: talking.session.state.ended("b"))
    assert call.closed.is_set()
    assert talking.texts() == ["one", "", "two", "2"]


async def test_an_answer_cut_for_its_length_lets_go_and_the_next_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kernelchat.conversation.MAX_ANSWER_BYTES", 100)
    talking = Talking()
    talking.send("one")
    talking.send("two", reply_id="b")
    call = await talking.model.called()
    call.push("x" * 60, "y" * 60)
    second = await talking.model.called()
    assert call.closed.is_set()
    second.end("2")
    await until(talking.session.log, lambda: talking.session.state.ended("b"))
    answer = talking.session.state.get("a")
    assert answer is not None
    assert answer.finish_reason == "length"


async def test_a_refused_command_changes_nothing() -> None:
    talking = Talking()
    with pytest.raises(ChatError):
        talking.session.execute(c.Undo("x"))
    talking.send()
    (await talking.model.called()).end("1")
    await talking.idle()
    assert talking.texts() == ["hello", "1"]


async def test_close_ends_what_runs() -> None:
    talking = Talking()
    talking.send("one")
    talking.send("two", reply_id="b")
    call = await talking.model.called()
    call.push("so far")
    await until(talking.session.log, lambda: talking.texts()[-1])
    await talking.session.close()
    assert call.closed.is_set()
    assert talking.texts() == ["one", "so far"]
    assert talking.session.log.closed
    await talking.session.close()
    with pytest.raises(ChatError, match="closed"):
        talking.send()


async def test_close_does_not_wait_for_a_model_that_does_not_let_go() -> None:
    class Stubborn(BuiltinModel):
        def __init__(self) -> None:
            self.go = asyncio.Event()

        async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
            yield "x"
            while not self.go.is_set():
                try:
                    await self.go.wait()
                except asyncio.CancelledError:
                    continue

    model = Stubborn()
    session = Session("s1", model)
    session.execute(c.Send("c1", "hello", reply_id="a"))
    await until(session.log, lambda: session.state.status == "writing")
    async with asyncio.timeout(PATIENCE):
        await session.close()
    assert session.log.closed
    model.go.set()
    await session.settled()


async def test_settled_once_the_model_is_free() -> None:
    talking = Talking()
    await talking.session.settled()
    talking.send()
    call = await talking.model.called()
    waiting = asyncio.create_task(talking.session.settled())
    await asyncio.sleep(0)
    assert not waiting.done()
    call.end("1")
    async with asyncio.timeout(PATIENCE):
        await waiting
    assert call.closed.is_set()


async def test_an_ended_turn_is_kept_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now, time_ns=time.time_ns)
    monkeypatch.setattr(session_module, "time", clock)
    talking = Talking()
    talking.send()
    call = await talking.model.called()
    assert talking.session.kept("a")
    call.end("Hel", "lo")
    await talking.idle()
    await talking.session.settled()
    await asyncio.sleep(0)
    draft = talking.session.draft("a")
    assert draft is not None
    assert draft.read() == ("Hello", 2)
    now += session_module.KEEP_ENDED_TURNS + 1
    assert talking.session.draft("a") is None
    assert not talking.session.kept("a")


async def test_readers_over_http_are_counted() -> None:
    talking = Talking()
    counts: list[int] = []
    undo = talking.session.on_readers_changed(lambda: counts.append(talking.session.http_readers))
    for change in (1, 1, -1):
        talking.session.attend(change)
    undo()
    talking.session.attend(-1)
    assert counts == [1, 2, 1]
    assert talking.session.http_readers == 0


def test_ids_begin_with_the_time_the_session_was_made() -> None:
    session = Session("s1", PushedModel(), created_at=1_764_000_000_123)
    assert session.log.next_id == 1_764_000_000_123_000
    before = time.time_ns() // 1_000_000
    assert Session("s2", PushedModel()).log.next_id >= before * 1000
