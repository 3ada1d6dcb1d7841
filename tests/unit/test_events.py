from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import events
from kernelchat.events import EVENTS, Event, from_wire, to_wire
from kernelchat.message import Message

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.text("abcdef0123456789", min_size=1, max_size=8)
counts = st.integers(0, 10_000)
plain = st.dictionaries(texts, st.none() | texts | st.integers(0, 9), max_size=2)

messages = st.builds(
    Message,
    id=ids,
    role=st.sampled_from(["user", "assistant", "system"]),
    text=texts,
    parent_id=st.none() | ids,
    status=st.sampled_from(["queued", "streaming", "done", "stopped", "failed"]),
    reasoning=texts,
    tools=st.lists(plain, max_size=1).map(tuple),
    finish_reason=st.none() | texts,
    usage=st.none() | plain,
    timing=st.none() | plain,
    error=st.none() | plain,
    feedback=st.none() | st.sampled_from(["up", "down"]),
    attachments=st.lists(plain, max_size=1).map(tuple),
    citations=st.lists(plain, max_size=1).map(tuple),
    created_at=counts,
    tokens=counts,
)

any_event: st.SearchStrategy[Event] = st.one_of(
    st.builds(events.MessageAdded, messages),
    st.builds(events.Update, ids, plain),
    st.builds(events.TokenAdded, ids, counts, texts),
    st.builds(events.Reasoning, ids, counts, texts),
    st.builds(events.Tool, ids, ids, texts, texts, st.none() | texts, texts),
    st.builds(events.Done, ids, texts, texts, st.none() | plain, st.none() | plain),
    st.builds(events.Failed, ids, texts, texts, st.booleans()),
    st.builds(events.Leaf, st.none() | ids),
    st.builds(events.Removed, st.lists(ids, max_size=3).map(tuple)),
    st.builds(events.Status, texts, st.none() | counts, st.none() | st.booleans()),
    st.builds(events.Notice, texts, texts, texts),
    st.builds(
        events.Snapshot,
        st.lists(messages, max_size=2).map(tuple),
        st.none() | ids,
        texts,
        st.booleans(),
    ),
)


def test_every_event_has_its_name() -> None:
    assert set(EVENTS.values()) == set(get_args(Event))
    assert all(EVENTS[name].name == name for name in EVENTS)


@given(any_event, counts, ids)
def test_an_event_survives_the_wire(event: Event, event_id: int, session_id: str) -> None:
    data = json.loads(json.dumps(to_wire(event, event_id=event_id, session_id=session_id)))
    assert (data["id"], data["session_id"]) == (event_id, session_id)
    assert from_wire(event.name, data) == event


@given(any_event)
def test_fields_of_a_later_version_are_ignored(event: Event) -> None:
    data = {**to_wire(event, event_id=1, session_id="s"), "mood": "sunny"}
    if isinstance(event, events.MessageAdded):
        data["message"] = {**data["message"], "mood": "sunny"}
    assert from_wire(event.name, data) == event


@pytest.mark.parametrize("name", ["connected", "weather", ""])
def test_an_unknown_event_is_none(name: str) -> None:
    assert from_wire(name, {"id": 1}) is None


OPTIONAL = {"retry_at", "busy"}


@given(any_event, st.data())
def test_a_missing_field_is_named(event: Event, data: st.DataObject) -> None:
    wire = to_wire(event, event_id=1, session_id="s")
    gone = data.draw(st.sampled_from(sorted(set(wire) - {"id", "session_id"} - OPTIONAL)))
    del wire[gone]
    with pytest.raises(KeyError, match=gone):
        from_wire(event.name, wire)


def test_optional_fields_may_be_missing() -> None:
    assert from_wire("status", {"status": "idle"}) == events.Status("idle")


@pytest.mark.parametrize("gone", ["id", "role"])
def test_a_message_needs_an_id_and_a_role(gone: str) -> None:
    message: dict[str, Any] = {"id": "u1", "role": "user"}
    del message[gone]
    with pytest.raises(KeyError, match=gone):
        from_wire("message", {"message": message})


def test_words_of_the_tutorial_are_kept() -> None:
    done = events.Done("a1", "Hello", "stop", None, None)
    assert to_wire(done, event_id=1, session_id="s")["fullText"] == "Hello"
    tool = events.Tool("a1", "c1", "correlate", "{}", None, "running")
    assert to_wire(tool, event_id=1, session_id="s")["name"] == "correlate"


def test_what_was_said_cannot_be_changed() -> None:
    token = events.TokenAdded("a1", 0, "x")
    with pytest.raises(AttributeError):
        token.text = "y"  # type: ignore[misc]
