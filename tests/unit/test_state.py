from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelchat import commands as c
from kernelchat import events as e
from kernelchat.errors import ChatError
from kernelchat.events import Event, Snapshot
from kernelchat.message import Message
from kernelchat.models.base import Delta
from kernelchat.state import SNAPSHOT_MESSAGES, State
from tools.talk import Talk

EVERYTHING = 1_000_000


def over_the_wire(event: Event) -> Event:
    wire = json.loads(json.dumps(e.to_wire(event, event_id=1, session_id="s1")))
    read = e.from_wire(event.name, wire)
    assert read is not None
    return read


def seen(state: State) -> dict[str, Any]:
    """What a view shows."""
    shown = state.path()
    return {
        "shown": [message.to_wire() for message in shown],
        "siblings": [state.siblings(message.id) for message in shown],
        "leaf": state.leaf_id,
        "queue": [message and message.to_wire() for message in map(state.get, state.queue)],
        "status": state.status,
    }


# random talks

COMMANDS: dict[str, Callable[[str, str, str], c.Command]] = {
    "send": lambda i, _, text: c.Send(i, text),
    "stop": lambda i, message_id, _: c.Stop(i, message_id),
    "stop all": lambda i, *_: c.Stop(i),
    "regenerate": lambda i, message_id, _: c.Regenerate(i, message_id),
    "regenerate last": lambda i, *_: c.Regenerate(i),
    "edit": lambda i, message_id, text: c.Edit(i, message_id, text),
    "select": lambda i, message_id, _: c.Select(i, message_id),
    "undo": lambda i, *_: c.Undo(i),
    "clear": lambda i, *_: c.Clear(i),
    "queue_edit": lambda i, message_id, text: c.QueueEdit(i, message_id, text),
    "queue_remove": lambda i, message_id, _: c.QueueRemove(i, message_id),
    "feedback": lambda i, message_id, _: c.Feedback(i, message_id, "up"),
}
DELTAS = ["text", "text", "text", "reasoning", "citation", "finish", "fail", "retry", "notice"]

step = st.tuples(
    st.sampled_from([*COMMANDS, "send", "send", *DELTAS, *DELTAS]),
    st.integers(0, 50),
    st.sampled_from(["a", "b ", "你好", "👋🏽", "```\n"]),
)
steps = st.lists(step, max_size=40)


def play(talk: Talk, kind: str, pick: int, text: str, *, as_a_view: bool = False) -> None:
    """One step; a command is aimed at any message, or at one that a view shows a button for."""
    messages: list[str] = list(talk.state.ids())
    if as_a_view:
        shown = [message.id for message in talk.state.path()]
        beside = [i for each in shown for i in talk.state.siblings(each)]
        messages = [*talk.queue(), *(beside if kind == "select" else shown)]
    target = messages[pick % len(messages)] if messages else "nobody"
    conversation = talk.conversation
    reply_id = conversation.running.message_id if conversation.running else "nobody"
    talk.seconds += 0.25
    match kind:
        case "text":
            conversation.delta(reply_id, Delta(text))
        case "reasoning":
            conversation.delta(reply_id, Delta(reasoning=text))
        case "citation":
            conversation.delta(reply_id, Delta(citations=({"id": text},)))
        case "finish":
            conversation.finish(reply_id, "stop", {"total_tokens": pick})
        case "fail":
            conversation.fail(reply_id, ChatError("server", text))
        case "retry":
            conversation.retrying(reply_id, pick)
        case "notice":
            conversation.notice("info", "test", text)
        case _:
            try:
                conversation.execute(COMMANDS[kind](talk.id(), target, text))
            except ChatError:
                assert kind != "send"


@given(steps)
def test_every_state_is_the_fold_of_its_events(played: list[tuple[str, int, str]]) -> None:
    talk = Talk()
    for each in played:
        play(talk, *each)
    other = State()
    for event_id, event in talk.events:
        other.fold(over_the_wire(event), event_id)
    assert seen(other) == seen(talk.state)
    assert other.ids() == talk.state.ids()
    assert [other.get(i) for i in other.ids()] == [
        Message.from_wire(json.loads(json.dumps(talk.message(i).to_wire()))) for i in other.ids()
    ]
    assert other.last_id == talk.log.last_id or not talk.events


@given(steps, st.data())
@settings(max_examples=200)
def test_a_snapshot_at_any_point_and_the_tail_are_the_same_state(
    played: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    talk = Talk()
    at = data.draw(st.integers(0, len(played)))
    for each in played[:at]:
        play(talk, *each, as_a_view=True)
    view, joined = State(), len(talk.events)
    view.fold(over_the_wire(talk.state.snapshot(EVERYTHING)), talk.log.last_id)
    assert seen(view) == seen(talk.state)
    for each in played[at:]:
        play(talk, *each, as_a_view=True)
        for event_id, event in talk.events[joined:]:
            view.fold(over_the_wire(event), event_id)
        joined = len(talk.events)
        if view.leaf_id is not None and view.get(view.leaf_id) is None:
            # A branch that the snapshot had no reason to hold: views ask for another one then.
            view = State()
            view.fold(over_the_wire(talk.state.snapshot(EVERYTHING)), talk.log.last_id)
    assert seen(view) == seen(talk.state)


@given(steps)
def test_the_tree_stays_a_tree(played: list[tuple[str, int, str]]) -> None:
    talk = Talk()
    for each in played:
        play(talk, *each)
        state = talk.state
        shown = [message.id for message in state.path()]
        assert len(set(shown)) == len(shown)
        assert not set(shown) & set(state.queue)
        running = talk.conversation.running
        streaming = [i for i in state.ids() if talk.message(i).status == "streaming"]
        assert streaming == ([running.message_id] if running else [])
        assert [i for i in state.ids() if talk.message(i).status == "queued"] == talk.queue()
        assert (state.status == "idle") == (running is None)


# what a snapshot holds


def long_talk(exchanges: int) -> Talk:
    talk = Talk()
    for n in range(exchanges):
        talk.ask(f"q{n}", f"a{n}")
    return talk


def test_a_snapshot_holds_the_last_100_of_the_path() -> None:
    talk = long_talk(SNAPSHOT_MESSAGES // 2)
    assert not talk.state.snapshot().has_more
    assert len(talk.state.snapshot().messages) == SNAPSHOT_MESSAGES
    talk.ask("one more", "answer")
    snapshot = talk.state.snapshot()
    assert snapshot.has_more
    assert [message.text for message in snapshot.messages] == talk.shown()[-SNAPSHOT_MESSAGES:]


def test_a_snapshot_holds_siblings_and_what_waits() -> None:
    talk = Talk()
    _, first = talk.ask("one", "1")
    talk.conversation.execute(c.Regenerate(talk.id()))
    talk.send("two", message_id="u2")
    snapshot = talk.state.snapshot()
    assert {message.id for message in snapshot.messages} >= {first, talk.running, "u2"}


@pytest.mark.parametrize("command", [c.Undo("x"), c.Clear("x")])
def test_a_snapshot_holds_the_branches_beside_the_next_question(command: c.Command) -> None:
    talk = Talk()
    question_id, _ = talk.ask("one", "1")
    talk.conversation.execute(command)
    view = State()
    view.fold(talk.state.snapshot(), talk.log.last_id)
    joined = len(talk.events)
    talk.send("eins", message_id="again")
    for event_id, event in talk.events[joined:]:
        view.fold(event, event_id)
    assert view.siblings("again") == (question_id, "again")


def test_an_empty_snapshot() -> None:
    assert State().snapshot() == Snapshot((), None, "idle", has_more=False)


def test_earlier_messages_are_read_in_parts() -> None:
    talk = long_talk(5)
    path = talk.state.path()
    earlier, more = talk.state.before(path[-1].id, last=4)
    assert [m.id for m in earlier] == [m.id for m in path[-5:-1]]
    assert more
    earlier, more = talk.state.before(path[4].id, last=4)
    assert [m.id for m in earlier] == [m.id for m in path[:4]]
    assert not more
    assert talk.state.before(path[0].id) == ([], False)
    assert talk.state.before("nobody") == ([], False)


# an answer while it grows


def test_a_reader_asks_for_what_it_misses() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    talk.say("Hel", "lo")
    assert talk.state.text_after("a", 0) == ("Hello", 2)
    assert talk.state.text_after("a", 3) == ("lo", 2)
    assert (talk.state.offset("a", 0), talk.state.offset("a", 1)) == (0, 3)
    assert talk.state.ended("a") is None
    talk.finish(" you")
    assert talk.state.text_after("a", 3) == ("lo you", 3)
    assert talk.state.offset("a", 1) is None
    done = [event_id for event_id, event in talk.events if event.name == "done"]
    assert [talk.state.ended("a")] == done


def test_a_message_is_made_when_it_is_asked_for() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    talk.say("Hel")
    early = talk.message("a")
    talk.finish("lo")
    assert (early.text, early.status) == ("Hel", "streaming")
    assert (talk.message("a").text, talk.message("a").status) == ("Hello", "done")


def test_only_an_answer_that_is_written_has_a_draft() -> None:
    talk = Talk()
    question_id, answer_id = talk.ask("one", "1")
    for message_id in (question_id, answer_id, "nobody"):
        with pytest.raises(KeyError):
            talk.state.draft(message_id)


# words of other versions


def test_fields_of_a_later_version_are_ignored() -> None:
    talk = Talk()
    talk.send(message_id="u", reply_id="a")
    talk.say("x")
    for n, message_id in enumerate(("u", "a")):
        talk.state.fold(e.Update(message_id, {"mood": "sunny", "feedback": "up"}), 10**17 + n)
        assert talk.message(message_id).feedback == "up"
    talk.state.fold(e.Update("nobody", {"feedback": "up"}), 10**17 + 2)
    talk.state.fold(e.Removed(("nobody",)), 10**17 + 3)


def test_a_tool_call_is_kept_as_it_is_now() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    for n, (result, status) in enumerate([(None, "running"), ("42", "done")]):
        talk.state.fold(e.Tool("a", "c1", "correlate", "{}", result, status), 10**17 + n)
    talk.state.fold(e.Tool("a", "c2", "plot", "{}", None, "running"), 10**17 + 2)
    assert [(t["name"], t["result"], t["status"]) for t in talk.message("a").tools] == [
        ("correlate", "42", "done"),
        ("plot", None, "running"),
    ]
