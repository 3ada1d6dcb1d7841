"""The keeper: everything reaches the store, and no stream waits for it."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable

import pytest

from kernelchat import keeper as keeper_module
from kernelchat.commands import Clear, QueueRemove, Send
from kernelchat.conversation import Conversation
from kernelchat.events import Event, Notice
from kernelchat.keeper import Keeper, StoreThread
from kernelchat.log import MemoryLog
from kernelchat.message import Message
from kernelchat.models.base import Delta
from kernelchat.store import Change, Talk

PATIENCE = 30.0


class HandStore:
    """A store whose saves end when the test says so, and how."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self.patient = False

    def load(self, session_id: str) -> Talk | None:
        return None

    def save(self, session_id: str, change: Change) -> None:
        answer = self.answers.get(timeout=PATIENCE) if self.patient else None
        if answer is not None:
            raise answer
        self.changes.append(change)

    def messages(self) -> dict[str, Message]:
        return {message.id: message for change in self.changes for message in change.messages}


class Kept:
    """A conversation with its keeper, on the running loop."""

    def __init__(self) -> None:
        self.log = MemoryLog("s1", 1000)
        self.conversation = Conversation(self.log, now=lambda: 1, monotonic=lambda: 0.0)
        self.store = HandStore()
        self.keeper = Keeper(
            self.log,
            self.conversation.state,
            StoreThread(self.store),
            asyncio.get_running_loop(),
            self.conversation.notice,
        )

    def ask(self, name: str = "1") -> str:
        command = Send(f"c{name}", f"q{name}", message_id=f"u{name}", reply_id=f"a{name}")
        self.conversation.execute(command)
        return f"a{name}"

    async def saved(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.keeper.saved(self.log.last_id)

    async def event(self, wanted: Callable[[Event], bool]) -> Event:
        changed = asyncio.Event()
        undo = self.log.subscribe(changed.set)
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    for entry in self.log.read(999) or ():
                        if wanted(entry.event):
                            return entry.event
                    changed.clear()
                    await changed.wait()
        finally:
            undo()


async def test_a_question_is_kept_when_it_is_acknowledged() -> None:
    kept = Kept()
    kept.ask()
    await kept.saved()
    assert kept.store.messages()["u1"].text == "q1"
    assert kept.store.changes[-1].leaf_id == "a1"


async def test_the_answer_is_kept_at_its_end() -> None:
    kept = Kept()
    answer = kept.ask()
    for piece in "abc":
        kept.conversation.delta(answer, Delta(piece))
    kept.conversation.finish(answer, "stop", None)
    await kept.saved()
    assert kept.store.messages()[answer].text == "abc"
    assert kept.store.messages()[answer].status == "done"


async def test_half_an_answer_is_kept_as_a_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "TOKENS_EVERY", 0.0)
    kept = Kept()
    answer = kept.ask()
    await kept.saved()
    kept.conversation.delta(answer, Delta("half"))
    await kept.saved()
    assert kept.store.messages()[answer].status == "streaming"
    assert kept.store.messages()[answer].text == "half"


async def test_what_one_command_does_is_saved_in_one_go() -> None:
    kept = Kept()
    kept.ask()
    await kept.saved()
    assert len(kept.store.changes) == 1
    assert [message.id for message in kept.store.changes[0].messages] == ["u1", "a1"]


async def test_a_prompt_taken_back_is_removed() -> None:
    kept = Kept()
    kept.ask("1")
    kept.ask("2")
    await kept.saved()
    kept.conversation.execute(QueueRemove("c3", "u2"))
    await kept.saved()
    assert kept.store.changes[-1].removed == ("u2",)


async def test_a_leaf_alone_is_kept() -> None:
    kept = Kept()
    kept.conversation.finish(kept.ask(), "stop", None)
    await kept.saved()
    kept.conversation.execute(Clear("c2"))
    await kept.saved()
    assert kept.store.changes[-1] == Change((), (), None)


async def test_a_store_that_hangs_holds_up_nothing() -> None:
    kept = Kept()
    kept.store.patient = True
    answer = kept.ask()
    waiting = asyncio.ensure_future(kept.keeper.saved(kept.log.last_id))
    await asyncio.sleep(0)
    for piece in "abc":
        assert kept.conversation.delta(answer, Delta(piece))
    kept.conversation.finish(answer, "stop", None)
    assert not waiting.done()
    kept.store.answers.put(None)
    await asyncio.wait_for(waiting, PATIENCE)
    kept.store.patient = False
    kept.store.answers.put(None)
    await kept.saved()
    assert kept.store.messages()[answer].text == "abc"


async def test_a_store_that_fails_says_so_once_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "FIRST_RETRY", 0.0)
    kept = Kept()
    kept.store.patient = True
    for _ in range(3):
        kept.store.answers.put(OSError("disk on fire"))
    kept.store.answers.put(None)
    kept.ask()
    # Acknowledged all the same: the notice says that it is not kept.
    await kept.saved()
    await kept.event(lambda event: isinstance(event, Notice) and event.level == "info")
    kept.store.answers.put(None)
    notices = [e.event for e in kept.log.read(999) or () if isinstance(e.event, Notice)]
    assert [notice.level for notice in notices] == ["warning", "info"]
    assert "disk on fire" in notices[0].text
    assert kept.store.messages()["u1"].text == "q1"


async def test_what_fell_off_the_log_is_kept_too() -> None:
    kept = Kept()
    kept.store.patient = True
    answer = kept.ask()
    waiting = asyncio.ensure_future(kept.keeper.saved(kept.log.last_id))
    await asyncio.sleep(0)
    for _ in range(5000):
        kept.conversation.delta(answer, Delta("x"))
    kept.conversation.finish(answer, "stop", None)
    kept.store.patient = False
    kept.store.answers.put(None)
    await asyncio.wait_for(waiting, PATIENCE)
    await kept.saved()
    assert kept.store.messages()[answer].text == "x" * 5000
