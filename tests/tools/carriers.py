"""A comm carrier with a clock that is set by hand, and what a view makes of its frames."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from kernelchat import commands as c
from kernelchat import events
from kernelchat.comm import CommCarrier, Pacer
from kernelchat.models.base import Delta
from kernelchat.session import Session
from kernelchat.state import State

from .pushed import PushedModel


class FakeLoop:
    """A loop whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        heapq.heappush(self._timers, (self.now + delay, next(self._count), callback))
        return object()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._timers)
            callback()
        self.now = end

    def settle(self) -> None:
        while self._timers:
            self.advance(self._timers[0][0] - self.now)


class View:
    """What a view makes of the frames: the state, as the browser folds it."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.state = State()
        self.asks_again = False

    def take(self, frame: Mapping[str, Any]) -> None:
        after = frame["after"]
        if after is not None and after > self.cursor:
            self.asks_again = True
            return
        for each in frame["events"]:
            event_id = each["data"]["id"]
            if each["event"] == "snapshot":
                self.state, self.cursor = State(), 0
            if event_id > self.cursor:
                event = events.from_wire(each["event"], each["data"])
                assert event is not None
                self.state.fold(event, event_id)
                self.cursor = event_id


class Wire:
    """A carrier, and everything that it posted, with when."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.session = Session("s1", PushedModel(), created_at=1_764_000_000_000)
        self.posted: list[tuple[float, dict[str, Any]]] = []
        self.views: list[tuple[str, str]] = []
        self.pacer = Pacer(self.loop)  # type: ignore[arg-type]
        self.start = self.session.log.last_id
        self.carrier = self.another_carrier()
        self._ids = (f"c{n}" for n in itertools.count())

    def another_carrier(self) -> CommCarrier:
        return CommCarrier(
            self.session,
            lambda content: self.posted.append((self.loop.now, dict(content))),
            self.pacer,
            lambda function, *arguments: function(*arguments),
            lambda transport, origin: self.views.append((transport, origin)),
        )

    def frames(self) -> list[dict[str, Any]]:
        return [content for _, content in self.posted if content["type"] == "frame"]

    def acks(self) -> list[dict[str, Any]]:
        return [content for _, content in self.posted if content["type"] == "ack"]

    def hello(self, transport: str = "comm", after: object = None, view: str = "v1") -> None:
        self.carrier.receive(
            {"type": "hello", "view": view, "transport": transport, "after": after, "origin": "o"}
        )

    def ask(self) -> str:
        conversation = self.session.conversation
        conversation.execute(c.Send(next(self._ids), "hello"))
        assert conversation.running is not None
        return conversation.running.message_id

    def say(self, reply_id: str, *texts: str) -> None:
        for text in texts:
            self.session.conversation.delta(reply_id, Delta(text))

    def event_ids(self) -> list[int]:
        return [each["data"]["id"] for frame in self.frames() for each in frame["events"]]
