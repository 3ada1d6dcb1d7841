"""What views use: event streams, earlier messages, commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from kernelchat import Chat
from kernelchat.log import TAIL_EVENTS
from kernelchat.session import Session
from server.conftest import Client, client_of
from tools.event_stream import joined
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until


def answer(chat: Chat, model: PushedModel, text: str, *pieces: str) -> None:
    reply = chat.ask(text)
    model.call().end(*pieces)
    reply.result(PATIENCE)
    session: Session = chat._session
    wait_until(session.log, lambda: session.idle)


def wait_for(changed: Callable[[Callable[[], None]], object], true: Callable[[], bool]) -> None:
    woken = threading.Event()
    changed(woken.set)
    while not true():
        assert woken.wait(PATIENCE)
        woken.clear()


# events


def test_a_view_without_a_cursor_gets_a_snapshot_and_then_what_comes(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    answer(chat, model, "hello", "a", "b")
    with client.events() as events:
        connected, snapshot = events.next(), events.next()
        assert (connected.name, snapshot.name) == ("connected", "snapshot")
        assert [m["text"] for m in snapshot.data["messages"]] == ["hello", "ab"]
        assert snapshot.data["has_more"] is False
        chat.ask("more")
        call = model.call()
        call.push("c")
        assert events.next("token").data["text"] == "c"
        call.end()
        done = events.next("done")
        assert int(done.id) == done.data["id"] > int(snapshot.id)


def test_after_each_event_a_view_gets_exactly_the_later_ones(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    start = chat._session.log.last_id
    answer(chat, model, "hello", "a", "b", "c")
    last = chat._session.log.last_id
    for event_id in range(start, last):
        with client.events(event_id) as events:
            assert events.next().name == "connected"
            ids = [int(events.next().id) for _ in range(event_id, last)]
        assert ids == list(range(event_id + 1, last + 1))


@pytest.mark.parametrize("cursor", ["0", "9999999999999999999"])
def test_a_cursor_of_another_kernel_gets_a_snapshot(
    chat: Chat, client: Client, model: PushedModel, cursor: str
) -> None:
    answer(chat, model, "hello", "a")
    with client.events(cursor) as events:
        assert [events.next().name for _ in range(2)] == ["connected", "snapshot"]


def test_a_cursor_that_fell_off_the_log_gets_a_snapshot(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    early = chat._session.log.last_id
    answer(chat, model, "hello", *"x" * (TAIL_EVENTS * 2))
    with client.events(early) as events:
        snapshot = [events.next() for _ in range(2)][1]
        assert snapshot.data["messages"][1]["text"] == "x" * (TAIL_EVENTS * 2)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.0", "0x10", "1" * 20, "1, 2", "٣"])
def test_what_is_no_cursor_is_refused(client: Client, cursor: str) -> None:
    path = f"/api/sessions/{client.session_id}/events"
    answer = client.get(path, headers=[("Last-Event-ID", cursor.encode())])

    assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "input")


def test_a_reader_that_leaves_is_noticed(chat: Chat, client: Client, model: PushedModel) -> None:
    session: Session = chat._session
    with ExitStack() as stack:
        streams = [stack.enter_context(client.events()) for _ in range(3)]
        for events in streams:
            events.next("snapshot")
        assert session.http_readers == 3
        reply = chat.ask("hello")
        call = model.call()
        call.push("a")
        streams[0].next("token")
    wait_for(session.on_readers_changed, lambda: session.http_readers == 0)

    call.end("b")
    assert reply.result(PATIENCE) == "ab"


def test_one_connection_carries_many_conversations(
    chat: Chat, kernel: Client, model: PushedModel
) -> None:
    other = Chat(PushedModel())
    answer(chat, model, "hello", "a")
    cursors = {chat.session_id: chat._session.log.last_id, other.session_id: None}
    with kernel.stream("POST", "/api/events", json={"cursors": cursors}) as events:
        greetings = [events.next() for _ in range(2)]
        assert [(e.name, e.data["session_id"]) for e in greetings] == [
            ("connected", chat.session_id),
            ("connected", other.session_id),
        ]
        snapshot = events.next()
        assert (snapshot.name, snapshot.data["session_id"]) == ("snapshot", other.session_id)
        for number, each in enumerate((chat, other)):
            each.ask("hello")
            each._model.call().end(f"answer {number}")
            done = events.next("done")
            assert done.data["fullText"] == f"answer {number}"
            assert done.data["session_id"] == each.session_id
            assert isinstance(done.data["id"], int)
            assert done.id == ""
    other.close()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cursors": {}},
        {"cursors": []},
        {"cursors": None},
        {"cursors": {"SELF": "1"}},
        {"cursors": {"SELF": -1}},
        {"cursors": {"SELF": True}},
        {"cursors": {"SELF": 1.5}},
        {"cursors": {f"s{n}": None for n in range(1001)}},
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_names_no_conversations_is_refused(client: Client, body: dict[str, Any]) -> None:
    if isinstance(body.get("cursors"), dict):
        cursors = body["cursors"]
        body = {"cursors": {k.replace("SELF", client.session_id): v for k, v in cursors.items()}}
    refused = client.post("/api/events", body)

    assert (refused.status_code, refused.json()["error"]["kind"]) == (400, "input")


def test_streams_end_with_their_chat(static_files: object) -> None:
    chat = Chat(PushedModel())
    client = client_of(chat)
    body = {"cursors": {chat.session_id: None}}
    with client.events() as one, client.stream("POST", "/api/events", json=body) as many:
        one.next("snapshot")
        many.next("snapshot")
        chat.close()
        for events in (one, many):
            assert [event.data["status"] for event in events.rest()] == ["closed"]
    client.http.close()


# earlier messages


def test_earlier_messages_come_a_hundred_at_a_time(static_files: object) -> None:
    said = [{"role": ("user", "assistant")[n % 2], "content": str(n)} for n in range(250)]
    chat = Chat(PushedModel(), messages=said)
    client = client_of(chat)
    with client.events() as events:
        snapshot = events.next("snapshot").data
    texts = [m["text"] for m in snapshot["messages"]]
    before, has_more = snapshot["messages"][0]["id"], snapshot["has_more"]
    while has_more:
        path = f"/api/sessions/{chat.session_id}/messages"
        page = client.get(path, params={"before": before}).json()
        assert len(page["messages"]) <= 100
        texts = [m["text"] for m in page["messages"]] + texts
        before, has_more = page["messages"][0]["id"], page["has_more"]

    assert texts == [str(n) for n in range(250)]
    chat.close()
    client.http.close()


@pytest.mark.parametrize(
    ("query", "status"), [("?before=unknown", 404), ("", 400), ("?before=", 400)]
)
def test_before_must_name_a_message(client: Client, query: str, status: int) -> None:
    answer = client.get(f"/api/sessions/{client.session_id}/messages{query}")

    assert answer.status_code == status


# commands


def test_a_command_is_carried_out_once(chat: Chat, client: Client, model: PushedModel) -> None:
    answers = [client.command("send", text="hello") for _ in range(3)]

    assert [a.status_code for a in answers] == [202] * 3
    assert len({a.text for a in answers}) == 1
    assert answers[0].json() == {"command_id": "c1", "event_id": chat._session.log.last_id}
    model.call().end("a")
    assert len(model.calls) == 1


def test_the_event_id_of_a_command_is_a_cursor_behind_it(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    event_id = client.command("send", text="hello").json()["event_id"]
    model.call().end("a")
    with client.events(event_id) as events:
        assert joined([events.next("token")]) == "a"


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"type": "dance"}, 400, "input"),
        ({"type": None}, 400, "input"),
        ({"type": ["send"]}, 400, "input"),
        ({"type": "send"}, 400, "input"),
        ({"type": "send", "text": ""}, 400, "input"),
        ({"type": "send", "text": 7}, 400, "input"),
        ({"type": "send", "text": "\ud800"}, 400, "input"),
        ({"type": "send", "text": "x", "command_id": ""}, 400, "input"),
        ({"type": "send", "text": "x", "command_id": "a b"}, 400, "input"),
        ({"type": "send", "text": "x", "command_id": None}, 400, "input"),
        ({"type": "send", "text": "x", "attachments": "x"}, 400, "input"),
        ({"type": "feedback", "message_id": "m1", "value": "sideways"}, 400, "input"),
        ({"type": "regenerate", "message_id": "unknown"}, 404, "not_found"),
        ({"type": "queue_remove", "message_id": "unknown"}, 404, "not_found"),
    ],
    ids=str,
)
def test_a_command_that_cannot_be_is_refused_and_the_chat_goes_on(
    chat: Chat,
    client: Client,
    model: PushedModel,
    fields: dict[str, Any],
    status: int,
    kind: str,
) -> None:
    path = f"/api/sessions/{client.session_id}/commands"
    refused = client.post(path, {"command_id": "c1", **fields})

    assert (refused.status_code, refused.json()["error"]["kind"]) == (status, kind)
    answer(chat, model, "hello", "still here")


def test_a_closed_talk_says_so(
    client: Client, model: PushedModel, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client.ask("one", session_id="s1") as events:
        model.call().end("1")
        events.rest()
    talk = chat._registration.talks["s1"]
    chat._runtime.thread.run(talk.conversation.close)
    path = "/api/sessions/s1/commands"
    refused = client.post(path, {"type": "send", "text": "x", "command_id": "c1"})

    assert (refused.status_code, refused.json()["error"]["kind"]) == (409, "cancelled")
