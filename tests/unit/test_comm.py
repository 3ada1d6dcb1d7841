from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import comm, events
from kernelchat import commands as c
from kernelchat.comm import PACE, CommCarrier, Pacer
from kernelchat.log import TAIL_EVENTS
from kernelchat.models.base import Delta
from kernelchat.session import Session
from kernelchat.state import State
from tools.pushed import PushedModel
from tools.talk import until


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


@pytest.fixture
def wire() -> Wire:
    return Wire()


# frames


def test_frames_follow_each_other(wire: Wire) -> None:
    view = View(wire.start)
    reply_id = wire.ask()
    for n in range(5):
        wire.say(reply_id, f"{n} ", "and ")
        wire.loop.advance(PACE)
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.loop.settle()
    after = wire.start
    for frame in wire.frames():
        assert (frame["v"], frame["after"]) == (1, after)
        after = frame["events"][-1]["data"]["id"]
        view.take(frame)
    assert after == wire.session.log.last_id
    assert not view.asks_again
    assert view.state.path() == wire.session.state.path()


def test_what_happens_in_one_step_goes_in_one_frame(wire: Wire) -> None:
    reply_id = wire.ask()
    wire.say(reply_id, *"abc")
    assert wire.posted == []
    wire.loop.advance(0)
    (frame,) = wire.frames()
    assert [each["event"] for each in frame["events"]] == [
        "message",
        "message",
        "leaf",
        "status",
        "status",
        "token",
        "token",
        "token",
    ]


steps = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 3 * PACE)), max_size=30)


@given(steps)
def test_however_tokens_come_frames_are_paced_and_nothing_is_lost(
    bursts: list[tuple[int, float]],
) -> None:
    wire, view = Wire(), View(0)
    view.cursor = wire.start
    reply_id = wire.ask()
    for count, pause in bursts:
        wire.say(reply_id, *["x"] * count)
        wire.loop.advance(pause)
    wire.loop.settle()
    times = [when for when, content in wire.posted if content["type"] == "frame"]
    assert all(later - earlier > PACE - 1e-9 for earlier, later in itertools.pairwise(times))
    assert wire.event_ids() == list(range(wire.start + 1, wire.session.log.last_id + 1))
    for frame in wire.frames():
        view.take(frame)
    assert view.state.path() == wire.session.state.path()


@given(st.integers(2, 6), st.integers(1, 5))
def test_all_chats_together_are_paced(chats: int, rounds: int) -> None:
    first = Wire()
    wires = [first]
    for _ in range(chats - 1):
        wire = Wire()
        wire.carrier.close()
        wire.loop, wire.pacer, wire.posted = first.loop, first.pacer, first.posted
        wire.carrier = wire.another_carrier()
        wires.append(wire)
    replies = [wire.ask() for wire in wires]
    for _ in range(rounds):
        for wire, reply_id in zip(wires, replies, strict=True):
            wire.say(reply_id, "x")
        first.loop.advance(PACE)
    first.loop.settle()
    times = [when for when, _ in first.posted]
    assert all(later - earlier > PACE - 1e-9 for earlier, later in itertools.pairwise(times))
    tokens = [
        each for frame in first.frames() for each in frame["events"] if each["event"] == "token"
    ]
    assert len(tokens) == chats * rounds


def test_a_burst_over_the_log_ends_in_a_snapshot(wire: Wire) -> None:
    view = View(wire.start)
    reply_id = wire.ask()
    wire.loop.advance(0)
    wire.say(reply_id, *(f"{n} " for n in range(3 * TAIL_EVENTS)))
    wire.loop.settle()
    frames = wire.frames()
    assert frames[-1]["after"] is None
    assert [each["event"] for each in frames[-1]["events"]] == ["snapshot"]
    for frame in frames:
        view.take(frame)
    assert view.state.path() == wire.session.state.path()


def test_a_frame_is_bounded(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "MAX_FRAME", 1000)
    view = View(wire.start)
    reply_id = wire.ask()
    wire.say(reply_id, *["x" * 300] * 20)
    wire.loop.settle()
    assert len(wire.frames()) > 5
    for frame in wire.frames():
        assert sum(len(str(each)) for each in frame["events"][:-1]) <= 1500
        view.take(frame)
    assert view.state.path() == wire.session.state.path()


# a view that lost the thread


def test_a_gap_is_asked_for_and_answered(wire: Wire) -> None:
    view = View(wire.start)
    reply_id = wire.ask()
    wire.loop.settle()
    view.take(wire.frames()[0])
    wire.say(reply_id, "lost ")
    wire.loop.settle()
    wire.say(reply_id, "later")
    wire.loop.settle()
    view.take(wire.frames()[-1])
    assert view.asks_again
    assert view.state.path()[-1].text == ""
    wire.hello(after=view.cursor)
    answer = wire.frames()[-1]
    assert answer["after"] == view.cursor
    view.take(answer)
    assert view.state.path()[-1].text == "lost later"


@pytest.mark.parametrize("after", [None, 0, 5, 10**18, "7", 1.5, True, [], {}])
def test_a_cursor_from_elsewhere_gets_a_snapshot(wire: Wire, after: object) -> None:
    reply_id = wire.ask()
    wire.say(reply_id, "Hello")
    wire.loop.settle()
    wire.hello(after=after)
    answer = wire.frames()[-1]
    view = View(0)
    view.take(answer)
    assert answer["after"] is None
    assert view.cursor == wire.session.log.last_id
    assert view.state.path() == wire.session.state.path()


def test_a_view_that_has_all_is_told_so(wire: Wire) -> None:
    wire.hello(after=wire.start)
    assert wire.frames() == [{"type": "frame", "v": 1, "after": wire.start, "events": []}]


# views that read over HTTP


def test_nothing_goes_out_while_all_views_read_over_http(wire: Wire) -> None:
    wire.hello("direct")
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.say(reply_id, "x")
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.loop.settle()
    assert wire.posted == []


def test_the_end_of_a_stream_that_is_idle_repeats_nothing(wire: Wire) -> None:
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.say(reply_id, "x")
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.session.attend(-1)
    wire.loop.settle()
    assert wire.posted == []
    # What comes then wakes the views, from there on.
    wire.ask()
    wire.loop.settle()
    assert wire.frames()[0]["events"][0]["event"] == "message"
    assert len(wire.event_ids()) == 4


def test_who_loses_its_stream_in_an_answer_gets_the_rest_here(wire: Wire) -> None:
    view = View(wire.start)
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.say(reply_id, "over http, ")
    wire.session.attend(-1)
    wire.say(reply_id, "over comm")
    wire.loop.settle()
    for frame in wire.frames():
        view.take(frame)
    assert view.state.path()[-1].text == "over http, over comm"
    assert not view.asks_again


def test_a_view_on_comm_is_served_beside_one_on_http(wire: Wire) -> None:
    wire.session.attend(1)
    wire.hello("comm", after=wire.start)
    wire.ask()
    wire.loop.settle()
    assert len(wire.event_ids()) == 4
    wire.hello("direct")
    reply_id = wire.session.state.leaf_id
    assert reply_id is not None
    wire.say(reply_id, "x")
    wire.loop.settle()
    assert len(wire.event_ids()) == 4


def test_the_newest_view_is_reported(wire: Wire) -> None:
    wire.hello("comm")
    wire.hello("proxy")
    assert wire.views == [("comm", "o"), ("proxy", "o")]


@pytest.mark.parametrize("count", [comm.MAX_VIEWS + 20])
def test_views_that_went_away_are_forgotten(wire: Wire, count: int) -> None:
    for n in range(count):
        wire.hello("comm", view=f"v{n}")
    assert len(wire.carrier._views_on_comm) == comm.MAX_VIEWS


# commands


async def test_a_command_is_done_and_acknowledged(wire: Wire) -> None:
    wire.carrier.receive(
        {"type": "command", "command": {"type": "send", "command_id": "x", "text": "hello"}}
    )
    (ack,) = wire.acks()
    assert ack == {"type": "ack", "command_id": "x", "event_id": wire.session.log.last_id}
    assert [message.text for message in wire.session.state.path()] == ["hello", ""]
    wire.carrier.receive(
        {"type": "command", "command": {"type": "send", "command_id": "x", "text": "hello"}}
    )
    assert wire.acks() == [ack, ack]
    await wire.session.close()


@pytest.mark.parametrize(
    ("command", "kind", "word"),
    [
        ({"type": "send", "command_id": "x", "text": ""}, "input", "empty"),
        ({"type": "dance", "command_id": "x"}, "input", "dance"),
        ({"type": "undo", "command_id": "x"}, "input", "undo"),
        ({"type": "select", "command_id": "x", "message_id": "m"}, "not_found", "no such message"),
        (None, "input", "object"),
        ([1], "input", "object"),
    ],
)
def test_a_refusal_is_acknowledged_with_a_sentence(
    wire: Wire, command: object, kind: str, word: str
) -> None:
    wire.carrier.receive({"type": "command", "command": command})
    (ack,) = wire.acks()
    assert ack["command_id"] == ("x" if isinstance(command, dict) else None)
    assert ack["error"]["kind"] == kind
    assert word in ack["error"]["message"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        5,
        "hello",
        [],
        {},
        {"type": "from the future"},
        {"type": ["hello"]},
        {"type": "hello"},
        {"type": "hello", "transport": "pigeon"},
        {"type": "hello", "transport": ["comm"]},
        {"type": "hello", "transport": {"comm": 1}, "view": []},
    ],
)
def test_what_makes_no_sense_is_ignored(wire: Wire, content: object) -> None:
    wire.carrier.receive(content)
    assert wire.posted == []
    assert wire.views == []


def test_messages_are_taken_on_any_thread_and_handled_on_the_loop(wire: Wire) -> None:
    hops: list[tuple[Callable[..., object], tuple[object, ...]]] = []
    wire.carrier._hop = lambda function, *arguments: hops.append((function, arguments))
    threads = [threading.Thread(target=wire.hello) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.posted == []
    for function, arguments in hops:
        function(*arguments)
    assert len(wire.frames()) == 3


# the end


def test_what_waits_goes_out_at_the_end_and_then_nothing(wire: Wire) -> None:
    reply_id = wire.ask()
    wire.say(reply_id, "x")
    wire.session.conversation.close()
    wire.carrier.close()
    wire.carrier.close()
    assert wire.event_ids()[-1] == wire.session.log.last_id
    before = len(wire.posted)
    wire.session.attend(1)
    wire.session.attend(-1)
    wire.loop.settle()
    assert len(wire.posted) == before


async def test_with_a_real_turn() -> None:
    wire, view = Wire(), View(0)
    view.cursor = wire.start
    assert isinstance(wire.session.model, PushedModel)
    wire.session.execute(c.Send("x", "hello"))
    call = await wire.session.model.called()
    call.end("Hel", "lo")
    await until(wire.session.log, lambda: wire.session.idle)
    wire.loop.settle()
    for frame in wire.frames():
        view.take(frame)
    assert [message.text for message in view.state.path()] == ["hello", "Hello"]
    await wire.session.close()
