"""Conversations without a server: a clock that is set by hand, and ways to wait for the log."""

from __future__ import annotations

import asyncio
import itertools
import queue
import time
from collections.abc import Callable, Iterable

import pytest

from kernelchat import commands as c
from kernelchat.conversation import Conversation, EndTurn, StartTurn
from kernelchat.errors import ChatError
from kernelchat.events import Event
from kernelchat.log import EventLog, MemoryLog
from kernelchat.message import Message
from kernelchat.models.base import Delta
from kernelchat.state import State

from .pushed import PATIENCE

FIRST_ID = 1_764_000_000_000_000


class Talk:
    """A conversation, everything that it ever said, and short words to drive it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.log = MemoryLog("s1", FIRST_ID)
        self._ids = (f"m{n}" for n in itertools.count(1))
        self._command_ids = (f"c{n}" for n in itertools.count(1))
        self.conversation = Conversation(
            self.log,
            now=lambda: 1_764_000_000_000 + round(self.seconds * 1000),
            monotonic=lambda: self.seconds,
            new_id=lambda: next(self._ids),
        )
        self.events: list[tuple[int, Event]] = []
        self._seen = FIRST_ID - 1
        self.log.subscribe(self._keep)

    def _keep(self) -> None:
        entries = self.log.read(self._seen)
        assert entries is not None
        for entry in entries:
            self.events.append((entry.id, entry.event))
            self._seen = entry.id

    @property
    def state(self) -> State:
        return self.conversation.state

    @property
    def running(self) -> str:
        """The id of the answer that is being written."""
        assert self.conversation.running is not None
        return self.conversation.running.message_id

    def id(self) -> str:
        return next(self._command_ids)

    def send(self, text: str = "hello", **ids: str) -> int:
        return self.conversation.execute(c.Send(self.id(), text, **ids))  # type: ignore[arg-type]

    def say(self, *pieces: str | Delta) -> None:
        """The model sends these."""
        for piece in pieces:
            delta = Delta(piece) if isinstance(piece, str) else piece
            self.conversation.delta(self.running, delta)

    def finish(self, *pieces: str | Delta, reason: str = "stop") -> None:
        self.say(*pieces)
        self.conversation.finish(self.running, reason, None)

    def ask(self, text: str, answer: str) -> tuple[str, str]:
        """A question and its whole answer; returns the ids of both messages."""
        self.send(text)
        reply_id = self.running
        self.finish(answer)
        question_id = self.message(reply_id).parent_id
        assert question_id is not None
        return question_id, reply_id

    def message(self, message_id: str) -> Message:
        found = self.state.get(message_id)
        assert found is not None
        return found

    def shown(self) -> list[str]:
        """The texts of the path that is shown."""
        return [message.text for message in self.state.path()]

    def queue(self) -> list[str]:
        """The ids of the prompts that wait."""
        return list(self.state.queue)

    def names(self) -> list[str]:
        return [event.name for _, event in self.events]

    def started(self) -> list[StartTurn]:
        return [e for e in self.conversation.effects if isinstance(e, StartTurn)]

    def let_go(self) -> list[EndTurn]:
        return [e for e in self.conversation.effects if isinstance(e, EndTurn)]


def refused(talk: Talk, command: c.Command, kind: str = "input") -> str:
    """The sentence of the refusal; nothing was changed."""
    events, effects = list(talk.events), list(talk.conversation.effects)
    shown, queue = talk.shown(), talk.queue()
    with pytest.raises(ChatError) as caught:
        talk.conversation.execute(command)
    assert caught.value.kind == kind
    assert talk.events == events
    assert list(talk.conversation.effects) == effects
    assert (talk.shown(), talk.queue()) == (shown, queue)
    return caught.value.message


def said(events: Iterable[Event | tuple[int, Event]], kind: type[Event]) -> list[Event]:
    """The events of one kind."""
    plain = (event[1] if isinstance(event, tuple) else event for event in events)
    return [event for event in plain if isinstance(event, kind)]


def wait_until(log: EventLog, true: Callable[[], object]) -> None:
    """Waits, at each event of the log, until `true()`. Not on the writer's thread."""
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    undo = log.subscribe(lambda: woken.put(None))
    until = time.monotonic() + PATIENCE
    try:
        while not true():
            woken.get(timeout=max(0.0, until - time.monotonic()))
    finally:
        undo()


async def until(log: EventLog, true: Callable[[], object]) -> None:
    """The same on the writer's own loop."""
    woken = asyncio.Event()
    undo = log.subscribe(woken.set)
    try:
        async with asyncio.timeout(PATIENCE):
            while not true():
                woken.clear()
                await woken.wait()
    finally:
        undo()
