"""POST and GET /api/chat/stream: one turn per request, asked once however often it is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx2
import pytest

from kernelchat import Chat, ChatError
from kernelchat.server import turns
from kernelchat.session import Session
from server.conftest import Client, client_of
from tools.event_stream import EventReader, StreamEvent, joined
from tools.pushed import PushedModel
from tools.talk import wait_until

PIECES = ["你", "好，", "wor", "ld\n", "\n", "👋🏽", " data: x", "\u2028", "!"]


def session_of(chat: Chat) -> Session:
    return chat._session


def ended(chat: Chat) -> None:
    session = session_of(chat)
    wait_until(session.log, lambda: session.idle)


def test_asked_by_post_the_answer_is_the_stream_of_its_turn(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    with client.ask("你好？") as events:
        connected = events.next()
        first_id = int(connected.id)
        call = model.call()
        assert call.messages == [{"role": "user", "content": "你好？"}]
        tokens = []
        for piece in PIECES:
            # Each is here before the next one is there.
            call.push(piece)
            tokens.append(events.next())
        call.end()
        (done,) = events.rest()

    assert connected.name == "connected"
    fields = {"session_id", "protocol", "instance", "status", "message", "message_id"}
    assert set(connected.data) == fields
    assert connected.data["session_id"] == chat.session_id
    entries = session_of(chat).log.read(first_id - 1)
    assert entries is not None
    assert (entries[0].id, entries[0].event.name) == (first_id, "message")
    assert [(t.name, t.data["index"], t.data["text"]) for t in tokens] == [
        ("token", index, piece) for index, piece in enumerate(PIECES)
    ]
    assert (done.name, done.data["fullText"]) == ("done", "".join(PIECES))
    assert {e.data["message_id"] for e in (connected, *tokens, done)} == {chat.messages[-1].id}
    ids = [int(event.id) for event in (connected, *tokens, done)]
    assert ids == sorted(set(ids))
    assert all(event.data["id"] == int(event.id) for event in (*tokens, done))
    assert events.parser.retry == 500


def test_asked_by_get_it_takes_a_ticket_and_no_token(client: Client, model: PushedModel) -> None:
    with client.ask_by_get(client.ticket(), message="a & b?\n中文") as events:
        call = model.call()
        call.end("yes")
        answer = events.rest()

    assert call.messages == [{"role": "user", "content": "a & b?\n中文"}]
    assert [event.name for event in answer] == ["connected", "token", "done"]


def test_a_question_may_be_as_long_as_a_url_gets(client: Client, model: PushedModel) -> None:
    message = "长" * 6000
    with client.ask_by_get(client.ticket(), message=message) as events:
        call = model.call()
        call.end("yes")
        events.rest()

    assert call.messages[0]["content"] == message


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_model_that_fails_before_its_first_token(
    client: Client, model: PushedModel, method: str
) -> None:
    asked = client.ask("hello") if method == "POST" else client.ask_by_get(client.ticket())
    with asked as events:
        model.call().fail(ChatError("auth", "The key is wrong.", retryable=False))
        connected, error = events.rest()

    assert (connected.name, error.name) == ("connected", "error")
    assert error.data["kind"] == "auth"
    assert error.data["message"] == "The key is wrong."
    assert error.data["retryable"] is False


def test_a_model_that_fails_later_keeps_what_had_come_and_the_chat_goes_on(
    client: Client, model: PushedModel
) -> None:
    with client.ask("one") as events:
        call = model.call()
        call.push("so far")
        call.fail(ValueError("no"))
        _, token, error = events.rest()
    assert (token.data["text"], error.data["kind"]) == ("so far", "model")

    with client.ask("two") as events:
        model.call().end("well")
        assert joined(events.rest()) == "well"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_after_a_cut_at_any_event_the_rest_comes_and_the_model_is_not_asked_again(
    client: Client, model: PushedModel, method: str
) -> None:
    ticket = client.ticket()

    def read(after: str | None = None) -> list[StreamEvent]:
        asked = (
            client.ask("hello", after, command_id="c1")
            if method == "POST"
            else client.ask_by_get(ticket, after)
        )
        with asked as events:
            if after is None:
                model.call().end(*PIECES)
            return events.rest()

    whole = read()
    for number, event in enumerate(whole[:-1]):
        again = read(event.id)
        assert (again[0].name, again[0].id) == ("connected", event.id)
        assert again[1:] == whole[number + 1 :]
    assert len(model.calls) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_cut_in_the_middle_is_continued_while_the_model_goes_on(
    client: Client, model: PushedModel, method: str
) -> None:
    ticket = client.ticket()

    def connect(after: str | None = None) -> AbstractContextManager[EventReader]:
        if method == "POST":
            return client.ask("hello", after, command_id="c1")
        return client.ask_by_get(ticket, after)

    text, last = "", None
    for number, piece in enumerate(PIECES):
        with connect(last) as events:
            if number == 0:
                call = model.call()
            call.push(piece)
            token = events.next("token")
            text, last = text + token.data["text"], token.id
    call.end()
    with connect(last) as events:
        _, done = events.rest()

    assert text == done.data["fullText"] == "".join(PIECES)
    assert len(model.calls) == 1


def test_a_cut_before_the_first_token_does_not_ask_again(
    client: Client, model: PushedModel
) -> None:
    ticket = client.ticket()
    with client.ask_by_get(ticket) as events:
        connected = events.next()
    call = model.call()

    for after in (None, connected.id):
        with client.ask_by_get(ticket, after) as events:
            assert events.next().id == connected.id
    call.push("late")
    with client.ask_by_get(ticket, connected.id) as events:
        assert events.next("token").data["text"] == "late"
    call.end()
    assert len(model.calls) == 1


def test_a_question_that_waits_is_followed_into_its_turn(
    client: Client, model: PushedModel
) -> None:
    with client.ask("first") as first:
        one = model.call()
        ticket = client.ticket()
        with client.ask_by_get(ticket, message="second") as second:
            connected = second.next()
        with client.ask_by_get(ticket, connected.id) as second:
            one.end("one")
            assert joined(first.rest()) == "one"
            two = model.call()
            assert [m["content"] for m in two.messages] == ["first", "one", "second"]
            two.end("two")
            assert joined(second.rest()) == "two"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_once_all_was_delivered_there_is_nothing_more(
    client: Client, stranger: httpx2.Client, model: PushedModel, method: str
) -> None:
    ticket = client.ticket()
    asked = client.ask("hello", command_id="c1") if method == "POST" else client.ask_by_get(ticket)
    with asked as events:
        model.call().end("a")
        done = events.rest()[-1]

    headers = {"Last-Event-ID": done.id}
    if method == "POST":
        body = {"message": "hello", "command_id": "c1"}
        answer = client.post("/api/chat/stream", body, headers=headers)
    else:
        query = {"message": "hello", "ticket": ticket}
        answer = stranger.get("/api/chat/stream", params=query, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(model.calls) == 1


def test_after_an_error_too(client: Client, model: PushedModel, stranger: httpx2.Client) -> None:
    ticket = client.ticket()
    with client.ask_by_get(ticket) as events:
        model.call().fail(ChatError("quota", "No money left."))
        error = events.rest()[-1]

    query = {"message": "hello", "ticket": ticket}
    headers = {"Last-Event-ID": error.id}
    answer = stranger.get("/api/chat/stream", params=query, headers=headers)
    assert answer.status_code == 204


def test_a_ticket_used_by_fifty_at_once_starts_one_turn(client: Client, model: PushedModel) -> None:
    ticket = client.ticket()

    def read(_: int) -> str:
        with client.ask_by_get(ticket) as events:
            return joined(events.rest())

    with ThreadPoolExecutor(50) as pool:
        answers = pool.map(read, range(50))
        call = model.call()
        for piece in PIECES:
            call.push(piece)
        call.end()
        assert set(answers) == {"".join(PIECES)}
    assert len(model.calls) == 1


def test_a_command_posted_by_twenty_at_once_asks_once(client: Client, model: PushedModel) -> None:
    def read(_: int) -> str:
        with client.ask("hello", command_id="c1") as events:
            return joined(events.rest())

    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(read, range(20))
        model.call().end(*PIECES)
        assert set(answers) == {"".join(PIECES)}
    assert len(model.calls) == 1


def test_the_same_words_without_a_command_id_are_asked_again(
    client: Client, model: PushedModel
) -> None:
    for _ in range(2):
        with client.ask("hello") as events:
            model.call().end("a")
            events.rest()

    assert len(model.calls) == 2


@pytest.mark.parametrize("ticket", ["", "made-up"])
def test_without_a_ticket_nothing_is_asked(
    stranger: httpx2.Client, model: PushedModel, ticket: str
) -> None:
    query = {"message": "hello", "ticket": ticket}
    answer = stranger.get("/api/chat/stream", params=query)

    assert answer.status_code == 401
    assert answer.json()["error"]["kind"] == "auth"
    assert "api/tickets" in answer.json()["error"]["message"]
    assert model.calls == []


def test_a_ticket_lapses_and_the_token_is_no_ticket(
    client: Client, stranger: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "START_WITHIN", -1.0)
    query = {"message": "hello", "ticket": client.ticket()}

    assert stranger.get("/api/chat/stream", params=query).status_code == 401
    # The GET takes tickets only: an address with the token in it would end up in logs.
    assert client.get("/api/chat/stream", params={"message": "hello"}).status_code == 401


def test_a_refused_question_uses_up_no_ticket_and_starts_no_talk(
    chat: Chat, client: Client, stranger: httpx2.Client, model: PushedModel
) -> None:
    ticket = client.ticket()
    query = {"message": "hello", "session_id": "s1", "ticket": ticket}
    wrong = [
        ({**query, "message": " "}, {}),
        ({**query, "session_id": "no/id"}, {}),
        (query, {"Last-Event-ID": "junk"}),
    ]
    for params, headers in wrong:
        answer = stranger.get("/api/chat/stream", params=params, headers=headers)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "input")
    body = {"message": "", "session_id": "s2"}
    assert client.post("/api/chat/stream", body).status_code == 400

    assert model.calls == []
    assert chat._registration.talks == {}
    with client.ask_by_get(ticket) as events:
        model.call().end("a")
        assert joined(events.rest()) == "a"


def test_a_reader_that_leaves_stops_nothing(chat: Chat, client: Client, model: PushedModel) -> None:
    with client.ask("hello") as events:
        call = model.call()
        call.push("a")
        events.next("token")
    call.end("b")
    ended(chat)

    assert [message.text for message in chat.messages] == ["hello", "ab"]


def test_a_stop_ends_the_stream_with_what_had_come(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    with client.ask("hello") as events:
        call = model.call()
        call.push("so far")
        message_id = events.next("token").data["message_id"]
        assert client.command("stop", message_id=message_id).status_code == 202
        (done,) = events.rest()

    assert (done.data["finish_reason"], done.data["fullText"]) == ("stopped", "so far")
    assert call.closed.wait(30)


def test_a_turn_asked_from_python_is_not_in_another_turns_stream(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    with client.ask("from the page") as events:
        one = model.call()
        reply = chat.ask("from a cell")
        one.end("for the page")
        assert joined(events.rest()) == "for the page"
    model.call().end("for the cell")
    assert reply.result(30) == "for the cell"


def test_a_closed_chat_ends_the_streams_of_its_turns(
    static_files: object, model: PushedModel
) -> None:
    chat = Chat(model)
    client = client_of(chat)
    with client.ask("hello") as running, client.ask("and this") as waiting:
        model.call().push("so far")
        running.next("token")
        chat.close()
        (done,) = running.rest()
        error = waiting.rest()[-1]

    assert done.data["finish_reason"] == "stopped"
    assert (error.name, error.data["kind"]) == ("error", "cancelled")
    client.http.close()
