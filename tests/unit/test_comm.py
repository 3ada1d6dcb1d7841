from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import comm
from kernelchat.comm import PACE
from kernelchat.log import TAIL_EVENTS
from tools.carriers import View, Wire


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
