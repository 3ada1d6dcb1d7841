"""What views may ask of a chat's store, and who may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernelchat import Chat, ChatError, shelf
from kernelchat.registry import Grant
from kernelchat.runtime import runtime
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def make_stored(
    make_chat: Callable[..., Chat], model: PushedModel, tmp_path: Path
) -> Callable[[str], Chat]:
    """Makes a chat in which one thing was said, with the store that all share."""

    def make(session_id: str) -> Chat:
        chat = make_chat(model, session_id=session_id, store=tmp_path / "chats.sqlite")
        say(chat, model, f"in {session_id}")
        return chat

    return make


def say(chat: Chat, model: PushedModel, question: str) -> None:
    reply = chat.ask(question)
    model.call().end("ok")
    reply.result(PATIENCE)
    session = chat._session
    wait_until(session.log, lambda: session.idle)


def ask(chat: Chat, action: object, session_id: object = None, **more: Any) -> dict[str, Any]:
    request = {"action": action, "session_id": session_id, **more}
    grant = request.pop("grant", Grant())
    answer: dict[str, Any] = runtime().thread.wait(chat._registration.shelf.answer(request, grant))
    return answer


def refused(*asked: Any, **more: Any) -> str:
    with pytest.raises(ChatError) as caught:
        ask(*asked, **more)
    return caught.value.kind


def listed(chat: Chat, **more: Any) -> set[str]:
    return {info["session_id"] for info in ask(chat, "list", **more)["sessions"]}


def test_the_actions(make_stored: Callable[[str], Chat]) -> None:
    chat = make_stored("s1")
    info = ask(chat, "list")["sessions"][0]
    assert info == {
        "session_id": "s1",
        "title": "in s1",
        "updated_at": info["updated_at"],
        "messages": 2,
    }
    new = ask(chat, "new")["session_id"]
    assert new == chat._session.session_id != "s1"
    assert ask(chat, "rename", "s1", title="One") == {"session_id": new}
    assert ask(chat, "list")["sessions"][0]["title"] == "One"
    assert ask(chat, "show", "s1") == {"session_id": "s1"}
    after = ask(chat, "delete", "s1")["session_id"]
    assert after == chat._session.session_id != "s1"
    assert listed(chat) == set()


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (("burn", "s1"), "input"),
        ((None,), "input"),
        (([],), "input"),
        (("show",), "input"),
        (("show", "a/b"), "input"),
        (("show", 5), "input"),
        (("show", "nobody"), "not_found"),
        (("delete", "nobody"), "not_found"),
        (("rename", "nobody"), "not_found"),
        (("rename", "s1"), "input"),
    ],
)
def test_what_cannot_be_asked(
    make_stored: Callable[[str], Chat], asked: tuple[Any, ...], kind: str
) -> None:
    chat = make_stored("s1")
    assert refused(chat, *asked) == kind
    assert chat._session.session_id == "s1"
    assert listed(chat) == {"s1"}


def test_a_title_with_half_a_character(make_stored: Callable[[str], Chat]) -> None:
    chat = make_stored("s1")
    ask(chat, "rename", "s1", title="a\ud800b")
    assert ask(chat, "list")["sessions"][0]["title"] == "a?b"


def test_a_chats_own_token_opens_nothing_that_another_chat_has(
    make_stored: Callable[[str], Chat], model: PushedModel
) -> None:
    mine, theirs = make_stored("mine"), make_stored("theirs")
    theirs.show()
    say(theirs, model, "and this")
    own = Grant(mine.widget_id)
    assert listed(mine) == {"mine", "theirs", theirs.session_id}
    assert listed(mine, grant=own) == {"mine"}
    for action in ("show", "rename", "delete"):
        for session_id in ("theirs", theirs.session_id):
            assert refused(mine, action, session_id, title="x", grant=own) == "not_found"
    mine.show("theirs")
    assert listed(mine, grant=own) == {"mine", "theirs"}


def test_without_a_store_what_lives_is_listed(
    make_chat: Callable[..., Chat], model: PushedModel
) -> None:
    chat = make_chat(model, session_id="s1")
    assert listed(chat) == set()
    say(chat, model, "hello")
    ask(chat, "new")
    assert listed(chat) == {"s1"}
    say(chat, model, "again")
    titles = [info["title"] for info in ask(chat, "list")["sessions"]]
    assert sorted(titles) == ["again", "hello"]
    assert refused(chat, "rename", "s1", title="x") == "input"
    ask(chat, "delete", "s1")
    assert listed(chat) == {chat._session.session_id}


def test_what_was_shown_long_ago_is_let_go(
    make_stored: Callable[[str], Chat], model: PushedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LIVE", 2)
    chat = make_stored("s1")
    first = chat._session
    chat.ask("goes on")
    call = model.call()
    names = ["s1"]
    for _ in range(4):
        chat.show()
        names.append(chat.session_id)
        say(chat, model, "hello")
        runtime().thread.wait(chat._session.saved(chat._session.log.last_id))
    earlier = chat._registration.earlier
    assert list(earlier) == ["s1", names[-2]]
    assert not first.log.closed
    call.end("done")
    wait_until(first.log, lambda: first.idle)
    chat.show(names[1])
    assert [message.text for message in chat.messages] == ["hello", "ok"]
