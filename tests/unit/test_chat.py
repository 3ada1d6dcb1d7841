from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import traitlets

from kernelchat import Chat, ChatError
from kernelchat.session import Session
from tools.pushed import PATIENCE, PushedModel
from tools.talk import wait_until

KEY = "sk-test-1234567890abcdef"


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(make_chat: Callable[..., Chat], model: PushedModel) -> Chat:
    return make_chat(model)


def session_of(chat: Chat) -> Session:
    return chat._session


def answered(chat: Chat, model: PushedModel, answer: str = "1", question: str = "one") -> None:
    reply = chat.ask(question)
    model.call().end(answer)
    assert reply.result(PATIENCE) == answer


def texts(chat: Chat) -> list[str]:
    return [message.text for message in chat.messages]


# talking


def test_what_a_cell_does(chat: Chat, model: PushedModel) -> None:
    answered(chat, model, "1", "one")
    answered(chat, model, "2", "two")
    assert texts(chat) == ["one", "1", "two", "2"]
    chat.undo()
    assert texts(chat) == ["one", "1"]
    again = chat.edit(chat.messages[0].id, "eins")
    model.call().end("I")
    assert again.result(PATIENCE) == "I"
    assert texts(chat) == ["eins", "I"]
    chat.feedback(chat.messages[1].id, "up")
    assert chat.messages[1].feedback == "up"
    chat.clear()
    assert texts(chat) == []
    chat.select(again.message.id)
    assert texts(chat) == ["eins", "I"]


def test_what_waits(chat: Chat, model: PushedModel) -> None:
    chat.ask("one")
    chat.ask("two")
    chat.ask("three")
    wait_until(session_of(chat).log, lambda: len(chat.queue) == 2)
    second, third = chat.queue
    chat.queue_edit(second.id, "zwei")
    chat.queue_remove(third.id)
    assert [message.text for message in chat.queue] == ["zwei"]
    model.call().end("1")
    model.call().end("2")
    wait_until(session_of(chat).log, lambda: texts(chat)[-1] == "2")
    assert texts(chat) == ["one", "1", "zwei", "2"]


def test_the_talk_so_far_goes_with_the_question(
    make_chat: Callable[..., Chat], model: PushedModel
) -> None:
    chat = make_chat(
        model,
        system="Be kind.",
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}],
    )
    chat.ask("and now?")
    call = model.call()
    assert [(m["role"], m["content"]) for m in call.messages] == [
        ("system", "Be kind."),
        ("user", "hi"),
        ("assistant", "Hello!"),
        ("user", "and now?"),
    ]
    call.end()


def test_system_and_model_between_turns(chat: Chat, model: PushedModel) -> None:
    answered(chat, model)
    chat.system = "Be brief."
    assert chat.system == "Be brief."
    chat.ask("two")
    call = model.call()
    assert call.messages[0] == {"role": "system", "content": "Be brief."}
    other = PushedModel()
    chat.model = other
    # The one that is being read from is let go of only when it is done.
    assert not model.closed.is_set()
    call.end("2")
    assert model.closed.wait(PATIENCE)
    answered(chat, other, "3", "three")
    assert chat.model is other
    assert texts(chat) == ["one", "1", "two", "2", "three", "3"]


def test_a_bad_model_changes_nothing(chat: Chat, model: PushedModel) -> None:
    with pytest.raises((TypeError, ValueError)):
        chat.model = 5
    with pytest.raises(TypeError, match="system must be a string"):
        chat.system = None  # type: ignore[assignment]
    answered(chat, model)
    assert chat.model is model


# traits


def test_traits_of_what_goes_on(chat: Chat, model: PushedModel) -> None:
    seen: list[str] = []
    chat.observe(lambda change: seen.append(change["new"]), "status")
    answered(chat, model)
    done = session_of(chat).log.last_id
    assert done
    chat.close()
    thread = chat._callbacks._thread
    assert thread is not None
    thread.join(PATIENCE)
    assert seen == ["thinking", "writing", "idle", "closed"]


@pytest.mark.parametrize("name", ["status", "session_id", "transport", "port", "widget_id"])
def test_they_may_be_read_only(chat: Chat, name: str) -> None:
    with pytest.raises(traitlets.TraitError, match="read-only"):
        setattr(chat, name, "x")


def test_a_look_may_be_changed_later(chat: Chat) -> None:
    chat.title = "Support"
    chat.theme = "dark"
    with pytest.raises(ValueError, match="theme must be one of"):
        chat.theme = "blue"
    assert (chat.title, chat.theme) == ("Support", "dark")


def test_repr(chat: Chat, model: PushedModel) -> None:
    assert repr(chat) == "Chat(pushed, 0 messages, idle)"
    answered(chat, model)
    assert "2 messages" in repr(chat)
    chat.close()
    assert "closed" in repr(chat)


# secrets


def test_no_secret_is_in_a_trait_or_a_repr(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat("some-model", base_url="http://127.0.0.1:9/v1", api_key=KEY, transport="auto")
    endpoint = chat.endpoint
    secrets = [KEY, endpoint.token, chat._runtime.registry.token]
    with pytest.raises(ChatError) as caught:
        raise ChatError("input", repr(chat))
    shown = [
        repr(chat),
        repr(endpoint),
        str(endpoint),
        repr(chat.model),
        repr(chat.ask),
        repr(session_of(chat)),
        repr(chat._registration),
        str(caught.value),
        json.dumps(chat.get_state(), default=str),
        json.dumps(chat._repr_mimebundle_(), default=str),
    ]
    for text in shown:
        assert not [secret for secret in secrets if secret in text]


def test_endpoint_and_link(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(script=["Hello"], transport="auto")
    assert chat.endpoint.url == f"http://127.0.0.1:{chat.port}"
    assert chat.endpoint.session_id == chat.session_id
    links = {chat.link(), chat.link()}
    assert len(links) == 2
    assert all(link.startswith(f"{chat.endpoint.url}/#code=") for link in links)
    assert not [link for link in links if chat.endpoint.token in link]


def test_over_comm_there_is_no_address(chat: Chat) -> None:
    assert chat.port == 0
    for ask in (lambda: chat.endpoint, chat.link):
        with pytest.raises(ChatError, match="has no address"):
            ask()


# one conversation, several chats


def test_the_same_session_id_is_the_same_conversation(
    make_chat: Callable[..., Chat], model: PushedModel
) -> None:
    first = make_chat(model, session_id="talk", system="Be kind.")
    answered(first, model)
    second = make_chat(session_id="talk")
    assert texts(second) == ["one", "1"]
    assert second.model is model
    assert second.system == "Be kind."
    answered(second, model, "2", "two")
    assert texts(first) == ["one", "1", "two", "2"]
    first.close()
    assert not model.closed.is_set()
    answered(second, model, "3", "three")
    second.close()
    assert model.closed.is_set()
    assert texts(make_chat(model, session_id="talk")) == []


def test_a_cell_run_twice_seeds_once(make_chat: Callable[..., Chat], model: PushedModel) -> None:
    for _ in range(2):
        chat = make_chat(
            model, session_id="seeded", messages=[{"role": "assistant", "content": "Hello!"}]
        )
    assert texts(chat) == ["Hello!"]


def test_a_new_chat_is_a_new_talk(make_chat: Callable[..., Chat], model: PushedModel) -> None:
    first, second = make_chat(model), make_chat(model)
    answered(first, model)
    assert texts(second) == []
    assert first.session_id != second.session_id


# the end


def test_close_twice(chat: Chat, model: PushedModel) -> None:
    answered(chat, model)
    chat.close()
    chat.close()
    assert model.closed.is_set()
    assert texts(chat) == ["one", "1"]
    for ask in (lambda: chat.ask("x"), chat.regenerate, chat.clear, chat.undo, chat.link):
        with pytest.raises(ChatError, match=r"closed: make a new one with Chat\(\)") as caught:
            ask()
        assert caught.value.kind == "cancelled"


def test_close_in_the_middle_of_an_answer(chat: Chat, model: PushedModel) -> None:
    reply = chat.ask("hello")
    call = model.call()
    call.push("so far")
    wait_until(session_of(chat).log, lambda: reply.text)
    before = time.monotonic()
    chat.close()
    assert time.monotonic() - before < 2 * 2  # promised: under 2 s
    assert call.closed.is_set()
    assert reply.result(PATIENCE) == "so far"
    assert reply.message.status == "stopped"


def test_send_is_not_ask(chat: Chat) -> None:
    with pytest.raises(TypeError, match=r"use chat\.ask"):
        chat.send("hello")
    chat.send({"type": "from the future"})


def test_a_chat_that_could_not_be_made_leaves_nothing_behind(
    make_chat: Callable[..., Chat], model: PushedModel
) -> None:
    registry = make_chat(model)._runtime.registry
    before = registry.chats()
    bad: list[dict[str, Any]] = [{"layout": 5}, {"tooltip": 5}, {"theme": "blue"}, {"mood": 1}]
    for keywords in bad:
        with pytest.raises((TypeError, ValueError, traitlets.TraitError)):
            make_chat(model, **keywords)
        assert registry.chats() == before
    assert not model.closed.is_set()
