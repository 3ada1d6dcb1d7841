"""The conversations of a chat's store, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kernelchat import Chat
from server.conftest import Client, client_of
from tools.event_stream import joined
from tools.pushed import PATIENCE, PushedModel


@pytest.fixture
def chat(static_files: object, model: PushedModel, tmp_path: Path) -> Iterator[Chat]:
    chat = Chat(model, session_id="first", store=tmp_path / "chats.sqlite")
    yield chat
    chat.close()


@pytest.fixture
def other(static_files: object, tmp_path: Path) -> Iterator[Chat]:
    """Another chat with the same store."""
    chat = Chat(PushedModel(), session_id="other", store=tmp_path / "chats.sqlite")
    yield chat
    chat.close()


def say(chat: Chat, model: Any, question: str) -> None:
    reply = chat.ask(question)
    model.call().end("ok")
    reply.result(PATIENCE)


def path(at: str) -> str:
    return f"/api/sessions/{at}/kept"


def listed(client: Client, at: str) -> set[str]:
    answer = client.get(path(at))
    assert answer.status_code == 200
    return {info["session_id"] for info in answer.json()["sessions"]}


def ask(client: Client, at: str, action: str, **more: Any) -> httpx2.Response:
    return client.post(path(at), {"action": action, **more})


def shown(client: Client, at: str, action: str, **more: Any) -> str:
    answer = ask(client, at, action, **more)
    assert answer.status_code == 200, answer.text
    found = answer.json()["session_id"]
    assert isinstance(found, str)
    return found


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["kind"]


def test_a_page_turns_to_a_new_conversation_and_back(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    say(chat, model, "one")
    new = shown(client, "first", "new")
    assert new != "first"
    with client.ask("two", session_id=new) as events:
        model.call().end("2")
        assert joined(events.rest()) == "2"
    assert [message.text for message in chat.messages] == ["two", "2"]
    assert listed(client, new) == {new, "first"}
    # The one that was left is still there to be read.
    with client.events(session_id="first") as events:
        assert events.next().name == "connected"
    assert listed(client, "first") == {new, "first"}
    assert shown(client, new, "show", session_id="first") == "first"
    assert chat.messages[0].text == "one"


def test_rename_and_delete(chat: Chat, client: Client, model: PushedModel) -> None:
    say(chat, model, "one")
    assert shown(client, "first", "rename", session_id="first", title="Eins") == "first"
    assert client.get(path("first")).json()["sessions"][0]["title"] == "Eins"
    assert shown(client, "first", "delete", session_id="first") == chat._session.session_id
    assert error(client.get(path("first"))) == (404, "not_found")
    assert listed(client, chat._session.session_id) == set()


def test_what_is_refused(chat: Chat, client: Client, model: PushedModel) -> None:
    say(chat, model, "one")
    assert error(ask(client, "first", "burn")) == (400, "input")
    assert error(ask(client, "first", "show")) == (400, "input")
    assert error(ask(client, "first", "show", session_id="x")) == (404, "not_found")
    assert error(ask(client, "x", "new")) == (404, "not_found")
    assert client.post(path("first"), ["new"]).status_code == 400
    assert client.http.put(path("first"), json={}).status_code == 405
    assert chat._session.session_id == "first"


def test_a_stranger_learns_nothing(chat: Chat, stranger: httpx2.Client) -> None:
    assert stranger.get(path("first")).status_code == 401
    assert stranger.post(path("first"), json={"action": "new"}).status_code == 401


def test_a_chats_own_token_sees_only_its_own(
    chat: Chat, other: Chat, client: Client, kernel: Client, model: PushedModel
) -> None:
    say(chat, model, "one")
    say(other, other.model, "two")
    assert listed(client, "first") == {"first"}
    assert listed(kernel, "first") == {"other", "first"}
    assert error(client.get(path("other"))) == (404, "not_found")
    assert error(ask(client, "other", "new")) == (404, "not_found")
    assert error(ask(client, "first", "show", session_id="other")) == (404, "not_found")
    assert error(ask(client, "first", "delete", session_id="other")) == (404, "not_found")
    assert other._session.session_id == "other"


def test_of_two_chats_with_one_conversation_the_one_that_asks_turns(
    chat: Chat, other: Chat, kernel: Client, model: PushedModel
) -> None:
    say(chat, model, "one")
    other.show("first")
    new = shown(kernel, "first", "new", widget_id=other.widget_id)
    assert other._session.session_id == new
    assert chat._session.session_id == "first"
    say(other, other.model, "two")
    # Both have it now, but only one shows it.
    assert shown(kernel, "first", "new") == chat._session.session_id
    assert other._session.session_id == new
    assert error(ask(kernel, chat._session.session_id, "delete", session_id=new)) == (400, "input")


def test_a_client_cannot_take_the_place_of_a_conversation(
    chat: Chat, client: Client, model: PushedModel
) -> None:
    say(chat, model, "one")
    shown(client, "first", "new")
    with client.ask("more", session_id="first") as events:
        call = model.call()
        call.end("ok")
        events.rest()
    assert call.messages[0]["content"] == "one"
    assert client_of(chat).session_id == chat._session.session_id
