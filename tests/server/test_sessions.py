"""Talks that clients start, and who reaches which."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernelchat import Chat, registry
from server.conftest import Client, client_of
from tools.event_stream import joined
from tools.pushed import PushedModel


@pytest.fixture
def other(static_files: object) -> Iterator[Chat]:
    chat = Chat(PushedModel())
    yield chat
    chat.close()


def tell(client: Client, model: PushedModel, text: str, answer: str, **fields: str) -> None:
    with client.ask(text, **fields) as events:
        model.call().end(answer)
        assert joined(events.rest()) == answer


def contents(model: PushedModel) -> list[str]:
    return [message["content"] for message in model.calls[-1].messages]


def test_a_name_of_the_clients_own_making_starts_a_talk_of_its_own(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    tell(client, model, "one", "1", session_id="session_0.abc-1")
    tell(client, model, "two", "2", session_id="session_0.abc-1")
    assert contents(model) == ["one", "1", "two"]
    tell(client, model, "three", "3", session_id="session_2")
    assert contents(model) == ["three"]
    tell(client, model, "four", "4")
    assert contents(model) == ["four"]

    assert [message.text for message in chat.messages] == ["four", "4"]


def test_the_chats_own_name_is_the_chats_own_talk(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    tell(client, model, "one", "1", session_id=chat.session_id)

    assert [message.text for message in chat.messages] == ["one", "1"]


def test_two_talks_at_once_stay_apart(client: Client, model: PushedModel) -> None:
    with (
        client.ask("one", session_id="s1") as first,
        client.ask("two", session_id="s2") as second,
    ):
        one, two = sorted((model.call(), model.call()), key=lambda c: str(c.messages))
        for n in range(20):
            one.push(f"a{n} ")
            two.push(f"b{n} ")
        one.end()
        two.end()
        for events, letter, name in ((first, "a", "s1"), (second, "b", "s2")):
            answer = events.rest()
            assert joined(answer) == "".join(f"{letter}{n} " for n in range(20))
            assert {event.data["session_id"] for event in answer} == {name}


def test_the_longest_idle_talk_makes_room(
    chat: Chat, client: Client, model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_TALKS", 3)
    talks = chat._registration.talks
    for name in ("s1", "s2", "s3"):
        tell(client, model, f"in {name}", "ok", session_id=name)
    tell(client, model, "again", "ok", session_id="s1")
    tell(client, model, "in s4", "ok", session_id="s4")

    assert set(talks) == {"s1", "s3", "s4"}
    tell(client, model, "still here?", "yes", session_id="s1")
    assert contents(model)[0] == "in s1"
    # Whoever went and comes again begins anew.
    tell(client, model, "and I?", "no", session_id="s2")
    assert contents(model) == ["and I?"]


def test_a_talk_that_is_answered_makes_no_room(
    chat: Chat, client: Client, model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_TALKS", 2)
    with client.ask("busy", session_id="s1") as events:
        busy = model.call()
        tell(client, model, "idle", "ok", session_id="s2")
        with client.ask("busy too", session_id="s3"):
            too = model.call()
            assert set(chat._registration.talks) == {"s1", "s3"}
            refused = client.post("/api/chat/stream", {"message": "x", "session_id": "s4"})
            assert (refused.status_code, refused.json()["error"]["kind"]) == (429, "rate_limit")
            too.end("ok")
        busy.end("all of it")
        assert joined(events.rest()) == "all of it"


def test_a_talk_that_went_ends_its_readers(
    client: Client, model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_TALKS", 1)
    tell(client, model, "one", "1", session_id="s1")
    with client.events(session_id="s1") as events:
        events.next("snapshot")
        tell(client, model, "two", "2", session_id="s2")
        assert [event.data["status"] for event in events.rest()] == ["closed"]


def test_another_chat_is_as_good_as_none(chat: Chat, client: Client, other: Chat) -> None:
    for name in (other.session_id, "nobody"):
        answers = [
            client.get(f"/api/sessions/{name}/events"),
            client.get(f"/api/sessions/{name}/messages", params={"before": "m1"}),
            client.post(f"/api/sessions/{name}/commands", {"type": "stop", "command_id": "c1"}),
            client.post("/api/events", {"cursors": {chat.session_id: None, name: None}}),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
    answer = client.post("/api/chat/stream", {"message": "x", "session_id": other.session_id})
    assert answer.status_code == 404
    assert chat._registration.talks == {}


def test_the_token_of_one_chat_says_nothing_in_another(
    chat: Chat, client: Client, model: PushedModel, other: Chat
) -> None:
    tell(client, model, "one", "1", session_id="s1")
    theirs = client_of(other)

    assert theirs.get("/api/sessions/s1/events").status_code == 404
    with theirs.ask("mine", session_id="s1", command_id="c1"):
        assert other._registration.talks.keys() == {"s1"}
    assert other._registration.talks["s1"] is not chat._registration.talks["s1"]
    theirs.http.close()


def test_a_command_of_one_chats_client_continues_no_turn_of_anothers(
    client: Client, model: PushedModel, other: Chat
) -> None:
    with client.ask("secret", session_id="s1", command_id="c1") as events:
        model.call().end("treasure")
        events.rest()
    theirs = client_of(other)
    with theirs.ask("hello", session_id="s1", command_id="c1") as events:
        other._model.call().end("nothing to see")
        assert joined(events.rest()) == "nothing to see"
    theirs.http.close()


def test_the_kernels_token_reaches_all_chats_and_starts_no_talks(
    chat: Chat, kernel: Client, model: PushedModel, other: Chat
) -> None:
    body = {"cursors": {chat.session_id: None, other.session_id: None}}
    with kernel.stream("POST", "/api/events", json=body) as events:
        names = {events.next("snapshot").data["session_id"] for _ in range(2)}
    assert names == {chat.session_id, other.session_id}
    tell(kernel, model, "hello", "hi", session_id=chat.session_id)

    unknown = kernel.post("/api/chat/stream", {"message": "x", "session_id": "made-up"})
    assert unknown.status_code == 404
    unnamed = kernel.post("/api/chat/stream", {"message": "x"})
    assert (unnamed.status_code, unnamed.json()["error"]["kind"]) == (400, "input")


def test_a_chat_named_later_like_a_talk_is_the_one_that_views_see(
    client: Client, model: PushedModel, kernel: Client
) -> None:
    tell(client, model, "in the talk", "ok", session_id="s1")
    named = Chat(PushedModel(), session_id="s1")
    with kernel.events(session_id="s1") as events:
        assert events.next("snapshot").data["messages"] == []
    tell(client, model, "in the talk still", "ok", session_id="s1")
    assert contents(model)[0] == "in the talk"
    named.close()


def test_two_widgets_of_one_conversation_agree(chat: Chat, client: Client) -> None:
    twin = Chat(session_id=chat.session_id)
    theirs = client_of(twin)
    with client.events() as one, theirs.events() as two:
        one.next("snapshot")
        two.next("snapshot")
        reply = twin.ask("hello")
        chat._model.call().end("for both")
        assert reply.result(30) == "for both"
        assert joined([one.next("token")]) == joined([two.next("token")]) == "for both"
    twin.close()
    theirs.http.close()


def test_a_closed_chat_opens_nothing_any_more(static_files: object, chat: Chat) -> None:
    gone = Chat(PushedModel())
    client = client_of(gone)
    assert client.get("/api/health").status_code == 200
    ticket = client.ticket()
    gone.close()

    assert client.get("/api/health").status_code == 401
    answer = client.get("/api/chat/stream", params={"message": "x", "ticket": ticket})
    assert answer.status_code == 404
    client.http.close()
