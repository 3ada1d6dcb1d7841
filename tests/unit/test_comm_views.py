from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kernelchat import comm
from kernelchat import commands as c
from tools.carriers import View, Wire
from tools.pushed import PushedModel
from tools.talk import until


@pytest.fixture
def wire() -> Wire:
    return Wire()


# views that read over HTTP


def test_no_event_goes_out_while_some_view_reads_over_http(wire: Wire) -> None:
    wire.hello("direct")
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.say(reply_id, "x")
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.loop.settle()
    assert wire.event_ids() == []


def test_other_pages_are_woken_though_one_reads_over_http(wire: Wire) -> None:
    asleep = View(wire.start)
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.loop.advance(0)
    for frame in wire.frames():
        asleep.take(frame)
    assert asleep.asks_again
    for _ in range(30):
        wire.say(reply_id, "x")
        wire.loop.advance(0.1)
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.loop.settle()
    # Once a second is enough, as a wake may be lost; the last one tells of the end.
    assert 3 <= len(wire.frames()) <= 8
    assert wire.frames()[-1]["after"] == wire.session.log.last_id


def test_the_end_of_a_stream_that_is_idle_repeats_nothing(wire: Wire) -> None:
    wire.session.attend(1)
    reply_id = wire.ask()
    wire.say(reply_id, "x")
    wire.session.conversation.finish(reply_id, "stop", None)
    wire.session.attend(-1)
    wire.loop.settle()
    assert wire.event_ids() == []
    wire.posted.clear()
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
