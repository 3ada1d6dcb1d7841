from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernelchat import Chat, ChatError, Message, Talk
from kernelchat.message import MessageStatus
from tools.pushed import PATIENCE, PushedModel

MakeChat = Callable[..., Chat]

TALK = Talk(
    (
        Message("q", "user", "Why?", created_at=1),
        Message("a1", "assistant", "So far", "q", "stopped", finish_reason="stopped"),
        Message("a2", "assistant", "**So.**", "q", feedback="up", tokens=3),
        Message("w", "user", "And then?", None, "queued"),
    ),
    "a2",
)


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """Trees of messages such as conversations grow, ended or waiting."""
    messages: list[Message] = []
    chance = st.booleans()
    for number in range(draw(st.integers(0, 8))):
        asked = [m for m in messages if m.role == "user" and m.status == "done"]
        said = [None, *(m.id for m in messages if m.role != "user")]
        text = draw(st.text(max_size=20))
        name = f"m{number}"
        if draw(chance) and asked:
            status: MessageStatus = draw(st.sampled_from(["done", "stopped", "failed"]))
            error = {"kind": "server", "message": text, "retryable": True}
            messages.append(
                Message(
                    name,
                    "assistant",
                    text,
                    draw(st.sampled_from(asked)).id,
                    status,
                    error=error if status == "failed" else None,
                    feedback=draw(st.sampled_from([None, "up", "down"])),
                    reasoning=draw(st.text(max_size=5)),
                    tokens=draw(st.integers(0, 9)),
                )
            )
        elif draw(chance):
            messages.append(Message(name, "user", text, draw(st.sampled_from(said))))
        else:
            messages.append(Message(name, "user", text, None, "queued"))
    leaves = [None, *(m.id for m in messages if m.status != "queued")]
    return Talk(tuple(messages), draw(st.sampled_from(leaves)))


def talk_of(chat: Chat) -> Talk:
    state = chat._session.state
    found = [state.get(i) for i in state.ids()]
    return Talk(tuple(m for m in found if m is not None), state.leaf_id)


@given(talk=talks())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_talk_comes_back_as_it_was(make_chat: MakeChat, tmp_path: Path, talk: Talk) -> None:
    before = make_chat(script=["x"], messages=talk, title="Means")
    assert talk_of(before) == talk
    path = before.export(tmp_path / "talk.json")
    after = Chat.load(path, script=["x"], transport="comm")
    try:
        assert talk_of(after) == talk
        assert [m.id for m in after.queue] == [m.id for m in before.queue]
        assert after.title == "Means"
        assert after.session_id != before.session_id
    finally:
        before.close()
        after.close()


def test_a_loaded_chat_goes_on(make_chat: MakeChat, tmp_path: Path) -> None:
    path = make_chat(script=["x"], messages=TALK).export(tmp_path / "talk.json")
    model = PushedModel()
    chat = Chat.load(path, model, transport="comm", lang="zh", title="Mine")
    assert (chat.lang, chat.title) == ("zh", "Mine")
    reply = chat.ask("Really?")
    # What waited comes first.
    model.call().end("Then.")
    call = model.call()
    assert [m["content"] for m in call.messages] == [
        "Why?",
        "**So.**",
        "And then?",
        "Then.",
        "Really?",
    ]
    call.end("Yes.")
    assert reply.result(PATIENCE) == "Yes."
    chat.select("a1")
    assert [m.status for m in chat.messages] == ["done", "stopped"]
    chat.close()


def test_what_was_being_written_is_no_whole_answer(make_chat: MakeChat, tmp_path: Path) -> None:
    model = PushedModel()
    before = make_chat(model)
    reply = before.ask("Why?")
    model.call().push("So f")
    assert next(iter(reply)) == "So f"
    after = Chat.load(before.export(tmp_path / "talk.json"), transport="comm", script=["x"])
    answer = after.messages[-1]
    assert (answer.text, answer.status) == ("So f", "failed")
    assert answer.error is not None
    assert answer.error["kind"] == "truncated"
    after.close()


def test_a_loaded_talk_is_kept_by_its_store(make_chat: MakeChat, tmp_path: Path) -> None:
    path = make_chat(script=["x"], messages=TALK).export(tmp_path / "talk.json")
    keywords: dict[str, Any] = {
        "store": tmp_path / "chats.sqlite",
        "session_id": "mine",
        "script": ["x"],
        "transport": "comm",
    }
    Chat.load(path, **keywords).close()
    kept = make_chat(**keywords)
    # A chat that closes takes back what waits.
    assert talk_of(kept) == Talk(TALK.messages[:3], "a2")
    kept.clear()
    # Where something was said, that counts.
    kept.close()
    again = Chat.load(path, **keywords)
    assert again.messages == []
    assert len(talk_of(again).messages) == 3
    again.close()


@pytest.mark.parametrize("suffix", [".md", ".json", ".html", ".HTML"])
def test_each_kind_of_file_holds_the_talk(make_chat: MakeChat, tmp_path: Path, suffix: str) -> None:
    chat = make_chat(script=["x"], messages=TALK, lang="en")
    path = tmp_path / f"talk{suffix}"
    assert chat.export(str(path)) == path
    text = path.read_bytes().decode()
    assert "Why?" in text
    assert "\r" not in text
    # Only JSON holds what is not shown.
    assert ("So far" in text) == (suffix == ".json")
    if suffix == ".md":
        assert text == "# Why?\n\n## You\n\nWhy?\n\n## Assistant\n\n**So.**\n"
    if suffix.lower() == ".html":
        assert text.startswith("<!doctype html>")
        assert "<p><strong>So.</strong></p>" in text
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["talk", "talk.txt", "talk.json.bak", ".json"])
def test_another_suffix_gets_a_sentence(make_chat: MakeChat, tmp_path: Path, name: str) -> None:
    with pytest.raises(ChatError, match=r"ends in \.md, \.json or \.html") as caught:
        make_chat(script=["x"]).export(tmp_path / name)
    assert caught.value.kind == "input"
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(
    make_chat: MakeChat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = make_chat(script=["x"], messages=TALK)
    path = tmp_path / "talk.md"
    path.write_text("old", "utf-8")
    path.chmod(0o640)

    def broken(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", broken)
        with pytest.raises(ChatError, match="cannot be written: No space left on device"):
            chat.export(path)
    assert path.read_text("utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["talk.md"]

    chat.export(path)
    assert "Why?" in path.read_text("utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_followed(make_chat: MakeChat, tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_text("old", "utf-8")
    link.symlink_to(real)
    make_chat(script=["x"], messages=TALK).export(link)
    assert link.is_symlink()
    assert "Why?" in real.read_text("utf-8")


def test_where_no_file_can_be_is_said(make_chat: MakeChat, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "talk.md"
    with pytest.raises(ChatError, match="cannot be written: No such file or directory"):
        make_chat(script=["x"]).export(missing)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "talk.json cannot be read: No such file or directory."),
        (b"\xff\xfe", "talk.json holds no text: name a .json file."),
        (b"# Talk", "talk.json holds no JSON: name a file that chat.export wrote."),
        (b'{"kernelchat": 2}', "talk.json was written by a newer kernelchat: upgrade this one."),
        (b'{"kernelchat": 1, "messages": [1]}', "talk.json is damaged (message 1 is no object)"),
    ],
)
def test_a_file_that_is_no_talk_gets_a_sentence(
    tmp_path: Path, data: bytes | None, sentence: str
) -> None:
    path = tmp_path / "talk.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ChatError) as caught:
        Chat.load(path)
    assert caught.value.kind == "input"
    assert sentence in caught.value.message


def test_the_talk_in_a_file_is_that_of_the_file(make_chat: MakeChat, tmp_path: Path) -> None:
    path = make_chat(script=["x"], messages=TALK).export(tmp_path / "talk.json")
    with pytest.raises(TypeError, match="messages"):
        Chat.load(path, messages=[])


def test_no_secret_is_in_a_file(make_chat: MakeChat, tmp_path: Path) -> None:
    chat = make_chat(script=["x"], messages=TALK, transport="auto")
    secrets = (chat.endpoint.token, chat._runtime.registry.token)
    for suffix in ("md", "json", "html"):
        text = chat.export(tmp_path / f"talk.{suffix}").read_text("utf-8")
        assert not any(secret in text for secret in secrets)
    assert json.loads((tmp_path / "talk.json").read_text("utf-8"))["session_id"] == chat.session_id


# kept conversations


def test_kept_conversations_are_listed_named_and_deleted(
    make_chat: MakeChat, tmp_path: Path
) -> None:
    keywords: dict[str, Any] = {"store": tmp_path / "chats.sqlite", "script": ["x"]}
    one, two = make_chat(session_id="one", **keywords), make_chat(session_id="two", **keywords)
    one.ask("First question").result(PATIENCE)
    two.ask("Second question").result(PATIENCE)
    one.close()
    two.close()

    chat = make_chat(session_id="three", **keywords)
    titles = {info.session_id: info.title for info in chat.sessions()}
    assert titles == {"one": "First question", "two": "Second question"}
    chat.rename("  Renamed ", "one")
    assert {info.title for info in chat.sessions()} == {"Renamed", "Second question"}
    chat.delete("two")
    assert [(info.session_id, info.messages) for info in chat.sessions()] == [("one", 2)]
    again = make_chat(session_id="one", **keywords)
    assert [m.text for m in again.messages] == ["First question", "x"]
    with pytest.raises(ChatError):
        chat.rename(" ", "one")
    with pytest.raises(ChatError):
        chat.rename("x", "two")


@pytest.mark.parametrize("verb", ["sessions", "rename", "delete"])
def test_without_a_store_there_is_nothing_to_list(make_chat: MakeChat, verb: str) -> None:
    chat = make_chat(script=["x"])
    arguments = {"sessions": (), "rename": ("x",), "delete": ("y",)}
    with pytest.raises(ChatError, match=r'make it with Chat\(store="chats\.sqlite"\)'):
        getattr(chat, verb)(*arguments[verb])
