"""Which conversation a chat shows: from a cell, with everything that hangs on it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernelchat import Chat, ChatError, Message
from kernelchat.store import Change, Talk
from kernelchat.transcript import transcript_class
from tools.pushed import PATIENCE, Call, PushedModel
from tools.talk import wait_until


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(make_chat: Callable[..., Chat], model: PushedModel, tmp_path: Path) -> Chat:
    return make_chat(model, session_id="first", store=tmp_path / "chats.sqlite")


def say(chat: Chat, model: PushedModel, question: str, answer: str) -> None:
    reply = chat.ask(question)
    model.call().end(answer)
    assert reply.result(PATIENCE) == answer


def texts(chat: Chat) -> list[str]:
    return [message.text for message in chat.messages]


def refused(job: Callable[[], object]) -> ChatError:
    with pytest.raises(ChatError) as caught:
        job()
    return caught.value


def sent_by(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> queue.SimpleQueue[Any]:
    """What goes to the views from now on."""
    sent: queue.SimpleQueue[Any] = queue.SimpleQueue()
    monkeypatch.setattr(chat.comm, "send", lambda data, **_: sent.put(data))
    return sent


def begin(chat: Chat, model: PushedModel) -> tuple[str, Call]:
    """Two conversations: one with an answer that runs, and the one shown."""
    chat.ask("long")
    call = model.call()
    left = chat.session_id
    chat.show()
    return left, call


def test_a_new_conversation_and_back(chat: Chat, model: PushedModel) -> None:
    say(chat, model, "one", "1")
    chat.show()
    assert texts(chat) == []
    assert chat.session_id != "first"
    say(chat, model, "two", "2")
    assert texts(chat) == ["two", "2"]
    assert {info.title for info in chat.sessions()} == {"one", "two"}
    chat.show("first")
    assert chat.session_id == "first"
    assert texts(chat) == ["one", "1"]
    say(chat, model, "three", "3")
    assert model.calls[-1].messages[0]["content"] == "one"
    assert texts(chat) == ["one", "1", "three", "3"]


def test_a_conversation_of_an_earlier_chat(
    chat: Chat, model: PushedModel, make_chat: Callable[..., Chat], tmp_path: Path
) -> None:
    say(chat, model, "one", "1")
    chat.close()
    later = make_chat(model, store=tmp_path / "chats.sqlite", system="Be brief.")
    later.show("first")
    assert texts(later) == ["one", "1"]
    later.regenerate()
    call = model.call()
    assert [m["content"] for m in call.messages] == ["Be brief.", "one"]
    call.end()


def test_what_is_new_stays_new(chat: Chat) -> None:
    chat.show()
    assert chat.session_id == "first"


def test_the_traits_name_what_is_shown(chat: Chat, model: PushedModel) -> None:
    seen: list[tuple[str, int, str]] = []

    def look(change: Any) -> None:
        seen.append((change["new"], chat.start, chat.transcript))

    say(chat, model, "one", "1")
    chat.observe(look, "session_id")
    chat.show()
    new = chat.session_id
    chat.show("first")
    assert [name for name, _, _ in seen] == [new, "first"]
    assert [at for _, at, _ in seen][1] == 0
    assert seen[0][1] > 0
    assert [name for _, _, name in seen] == [transcript_class(new), transcript_class("first")]


def test_an_answer_goes_on_out_of_sight(chat: Chat, model: PushedModel) -> None:
    done: queue.SimpleQueue[Message] = queue.SimpleQueue()
    chat.on_done(done.put)
    reply = chat.ask("long")
    call = model.call()
    call.push("half")
    chat.show()
    assert chat.status == "idle"
    say(chat, model, "quick", "answer")
    assert done.get(timeout=PATIENCE).text == "answer"
    call.end(" and half")
    assert reply.result(PATIENCE) == "half and half"
    assert done.get(timeout=PATIENCE).text == "half and half"
    assert texts(chat) == ["quick", "answer"]
    chat.show("first")
    assert texts(chat) == ["long", "half and half"]


def test_the_status_is_that_of_the_conversation_shown(chat: Chat, model: PushedModel) -> None:
    left, call = begin(chat, model)
    assert chat.status == "idle"
    chat.show(left)
    assert chat.status == "thinking"
    call.end("x")
    wait_until(chat._session.log, lambda: chat._session.idle)


def test_a_reply_stops_its_own_answer(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("long")
    call = model.call()
    call.push("half")
    chat.show()
    other = chat.ask("other")
    second = model.call()
    reply.stop()
    assert reply.result(PATIENCE) in ("", "half")
    assert call.closed.wait(PATIENCE)
    second.end("whole")
    assert other.result(PATIENCE) == "whole"


def test_callbacks_hear_of_each_conversation_once(chat: Chat, model: PushedModel) -> None:
    tokens: queue.SimpleQueue[str] = queue.SimpleQueue()
    chat.on_token(lambda token: tokens.put(str(token)))
    for _ in range(3):
        chat.show()
        say(chat, model, "q", "a")
        chat.show("first")
        say(chat, model, "q", "b")
    got = [tokens.get(timeout=PATIENCE) for _ in range(6)]
    assert got == ["a", "b"] * 3
    say(chat, model, "q", "c")
    assert tokens.get(timeout=PATIENCE) == "c"


def test_a_callback_may_show_another_conversation(chat: Chat, model: PushedModel) -> None:
    turned = threading.Event()

    @chat.on_done
    def turn(message: Message) -> None:
        chat.show()
        turned.set()

    say(chat, model, "one", "1")
    assert turned.wait(PATIENCE)
    assert texts(chat) == []


def test_views_are_told_though_a_callback_blocks(
    chat: Chat, model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, free = threading.Event(), threading.Event()

    @chat.on_done
    def block(message: Message) -> None:
        blocked.set()
        free.wait(PATIENCE)

    say(chat, model, "one", "1")
    assert blocked.wait(PATIENCE)
    sent = sent_by(chat, monkeypatch)
    chat._receive({"type": "kept", "request_id": "r1", "action": "new"})
    while (update := sent.get(timeout=PATIENCE))["method"] != "update":
        assert update["content"]["events"][0]["data"]["session_id"] == "first"
    snapshot = sent.get(timeout=PATIENCE)["content"]
    answer = sent.get(timeout=PATIENCE)["content"]
    free.set()
    new = chat._session.session_id
    assert update["method"] == "update"
    assert update["state"] == {
        "status": "idle",
        "start": chat._session.log.last_id,
        "transcript": transcript_class(new),
        "session_id": new,
    }
    assert snapshot["after"] is None
    assert snapshot["events"][0]["data"]["session_id"] == new
    assert answer == {"type": "kept", "request_id": "r1", "session_id": new}


def test_what_views_ask_in_vain(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = sent_by(chat, monkeypatch)
    chat._receive({"type": "kept", "request_id": "r1", "action": "show", "session_id": "x"})
    answer = sent.get(timeout=PATIENCE)["content"]
    assert answer["request_id"] == "r1"
    assert answer["error"]["kind"] == "not_found"


def test_a_view_that_is_behind_speaks_to_no_other_conversation(
    chat: Chat, model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(chat, model, "one", "1")
    chat.show()
    sent = sent_by(chat, monkeypatch)
    hello = {"type": "hello", "view": "v", "after": None, "origin": "", "transport": "comm"}
    chat._receive({**hello, "session_id": "first"})
    command = {"command_id": "c1", "type": "send", "text": "for the first"}
    chat._receive({"type": "command", "session_id": "first", "command": command})
    answer = sent.get(timeout=PATIENCE)["content"]
    assert answer["command_id"] == "c1"
    assert answer["error"]["kind"] == "not_found"
    assert texts(chat) == []
    chat._receive({**hello, "session_id": chat.session_id})
    frame = sent.get(timeout=PATIENCE)["content"]
    assert frame["events"][0]["data"]["session_id"] == chat.session_id


def test_two_chats_show_one_conversation(
    chat: Chat, model: PushedModel, make_chat: Callable[..., Chat], tmp_path: Path
) -> None:
    say(chat, model, "one", "1")
    chat.show()
    other = make_chat(PushedModel(), store=tmp_path / "chats.sqlite")
    other.show("first")
    chat.show("first")
    assert other._session is chat._session
    say(chat, model, "two", "2")
    assert texts(other) == ["one", "1", "two", "2"]
    other.close()
    say(chat, model, "three", "3")
    assert texts(chat)[-1] == "3"


def test_a_chat_of_that_name_is_the_conversation_left(
    chat: Chat, model: PushedModel, make_chat: Callable[..., Chat], tmp_path: Path
) -> None:
    _, call = begin(chat, model)
    again = make_chat(session_id="first", store=tmp_path / "chats.sqlite")
    call.end("whole")
    wait_until(again._session.log, lambda: again._session.idle)
    assert texts(again) == ["long", "whole"]
    chat.close()
    again.ask("more")
    model.call().end("of it")
    wait_until(again._session.log, lambda: again._session.idle)
    assert texts(again) == ["long", "whole", "more", "of it"]


def test_closing_ends_all_of_them(chat: Chat, model: PushedModel) -> None:
    _, call = begin(chat, model)
    chat.close()
    assert call.closed.wait(PATIENCE)
    assert refused(lambda: chat.show("first")).kind == "cancelled"


def test_rename_and_delete(chat: Chat, model: PushedModel) -> None:
    say(chat, model, "one", "1")
    chat.rename("  A  title\n")
    assert [info.title for info in chat.sessions()] == ["A title"]
    chat.show()
    say(chat, model, "two", "2")
    chat.delete("first")
    assert [info.title for info in chat.sessions()] == ["two"]
    assert refused(lambda: chat.show("first")).kind == "not_found"


def test_deleting_what_is_shown_begins_a_new_one(chat: Chat, model: PushedModel) -> None:
    say(chat, model, "one", "1")
    chat.ask("two")
    call = model.call()
    chat.delete("first")
    assert call.closed.wait(PATIENCE)
    assert chat.session_id != "first"
    assert texts(chat) == []
    assert chat.sessions() == []


def test_what_another_chat_shows_is_not_deleted(
    chat: Chat, model: PushedModel, make_chat: Callable[..., Chat], tmp_path: Path
) -> None:
    say(chat, model, "one", "1")
    other = make_chat(PushedModel(), store=tmp_path / "chats.sqlite")
    assert "Another chat shows" in refused(lambda: other.delete("first")).message
    assert texts(chat) == ["one", "1"]


@pytest.mark.parametrize("title", ["", " \n", "x" * 201, None])
def test_bad_titles(chat: Chat, model: PushedModel, title: Any) -> None:
    say(chat, model, "one", "1")
    assert "title" in refused(lambda: chat.rename(title)).message
    assert [info.title for info in chat.sessions()] == ["one"]


def test_without_a_store(make_chat: Callable[..., Chat], model: PushedModel) -> None:
    chat = make_chat(model, session_id="first")
    say(chat, model, "one", "1")
    chat.show()
    say(chat, model, "two", "2")
    chat.show("first")
    assert texts(chat) == ["one", "1"]
    for job in (
        lambda: chat.show("elsewhere"),
        lambda: chat.rename("x"),
        lambda: chat.delete("elsewhere"),
        chat.sessions,
    ):
        error = refused(job)
        assert error.kind == "input"
        assert "Chat(store=" in error.message


class Shelves:
    """A store of somebody's own."""

    def __init__(self) -> None:
        self.broken = False

    def load(self, session_id: str) -> Talk | None:
        if self.broken:
            raise OSError("the shelf fell")
        message = Message("m1", "user", f"kept in {session_id}")
        return Talk((message,), "m1") if session_id == "old" else None

    def save(self, session_id: str, change: Change) -> None:
        pass


def test_a_store_of_ones_own(make_chat: Callable[..., Chat], model: PushedModel) -> None:
    shelves = Shelves()
    chat = make_chat(model, store=shelves)
    chat.show("old")
    assert texts(chat) == ["kept in old"]
    assert refused(lambda: chat.show("never")).kind == "not_found"
    shelves.broken = True
    assert "the shelf fell" in refused(lambda: chat.show("never")).message
    assert "store in a file" in refused(chat.sessions).message
    assert texts(chat) == ["kept in old"]
