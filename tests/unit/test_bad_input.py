"""Bad input gets one clear sentence that says what to do, and the chat goes on working."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from kernelchat import Chat, ChatError
from tools.programs import output_of
from tools.pushed import PATIENCE

Messages = list[dict[str, Any]]


@pytest.fixture
def works(make_chat: Callable[..., Chat]) -> Iterator[Chat]:
    """A chat that must go on working, whatever a test does to it."""
    chat = make_chat(lambda messages: f"You said {messages[-1]['content']}.")
    yield chat
    assert chat.ask("hello").result(PATIENCE) == "You said hello."


def sentence_of(raised: BaseException) -> str:
    text = str(raised)
    assert "\n" not in text
    assert 10 < len(text) < 250
    assert text[0].isupper() or text.split()[0].isidentifier()
    return text


BAD_KEYWORDS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"temprature": 0.5}, TypeError, "did you mean temperature"),
    ({"sytem": "x"}, TypeError, "did you mean system"),
    ({"zzz": 1}, TypeError, "no keyword zzz"),
    ({"temperature": 3}, ValueError, "temperature must be a number from 0 to 2, not 3"),
    ({"temperature": "hot"}, ValueError, "temperature"),
    ({"system": None}, TypeError, "system must be a string, not NoneType"),
    ({"system": 5}, TypeError, "system must be a string, not int"),
    ({"session_id": ""}, ChatError, "session_id must be"),
    ({"session_id": "a b"}, ChatError, "session_id must be"),
    ({"session_id": 5}, ChatError, "session_id must be"),
    ({"first_token_timeout": 0}, ValueError, "seconds over 0"),
    ({"first_token_timeout": "60"}, ValueError, "seconds over 0"),
    ({"token_timeout": -1}, ValueError, "seconds over 0"),
    ({"token_timeout": float("nan")}, ValueError, "seconds over 0"),
    ({"max_retries": 11}, ValueError, "whole number from 0 to 10"),
    ({"max_retries": 1.5}, ValueError, "whole number from 0 to 10"),
    ({"max_retries": True}, ValueError, "whole number from 0 to 10"),
    ({"script": []}, ValueError, "script is empty"),
    ({"script": "Hello"}, ValueError, "script must be a list"),
    ({"script": [1]}, ValueError, "make it a string"),
    ({"script": ["x"], "api_key": "k"}, TypeError, "api_key is only for OpenAI models"),
    ({"messages": "hello"}, ChatError, "messages must be dicts such as"),
    ({"messages": 5}, ChatError, "in a list, not int"),
    ({"messages": {"role": "user", "content": "x"}}, ChatError, "in a list, not dict"),
    ({"messages": [{"role": "robot", "content": "x"}]}, ChatError, "role of user, assistant"),
    ({"messages": [{"role": "user", "content": "\ud83d"}]}, ChatError, "broken character"),
    ({"transport": "pigeon"}, ValueError, "transport must be one of auto, direct, proxy, comm"),
    ({"transport": False}, ValueError, "transport must be one of"),
    ({"transport": ""}, ValueError, "transport must be one of"),
    ({"theme": "blue"}, ValueError, "theme must be one of"),
    ({"theme": ["dark"]}, ValueError, "theme must be one of"),
    ({"lang": "fr"}, ValueError, "lang must be one of"),
    ({"lang": None}, ValueError, "lang must be one of"),
    ({"height": "tall"}, TypeError, "height is a number of pixels"),
    ({"height": 10}, ValueError, "160 to 4000 pixels"),
    ({"speed": -5}, ValueError, "characters per second"),
    ({"speed": "fast"}, ValueError, "characters per second"),
    ({"cursor": "much too long"}, ValueError, "one character"),
    ({"cursor": 5}, TypeError, "cursor must be a string"),
    ({"title": 5}, TypeError, "title must be a string"),
    ({"avatar": None}, TypeError, "avatar must be a string"),
    ({"prompts": "What?"}, TypeError, "list of questions"),
    ({"prompts": [""]}, TypeError, "list of questions"),
    ({"input": "no"}, TypeError, "True or False"),
    ({"base_url": "http://127.0.0.1:9/v1"}, ValueError, "needs the name of a model"),
    ({"store": 5}, TypeError, "store must be a path"),
]


@pytest.mark.parametrize(
    ("keywords", "kind", "words"), BAD_KEYWORDS, ids=[repr(row[0])[:60] for row in BAD_KEYWORDS]
)
def test_a_bad_keyword(
    works: Chat,
    make_chat: Callable[..., Chat],
    keywords: dict[str, Any],
    kind: type[Exception],
    words: str,
) -> None:
    with pytest.raises(kind) as caught:
        make_chat(**keywords)
    assert words in sentence_of(caught.value)


def no_argument() -> str:
    return "x"


def two_arguments(one: Messages, two: Messages) -> str:
    return "x"


class NoModel:
    """Has no stream."""


class StreamWithoutMessages:
    async def stream(self) -> AsyncIterator[str]:
        yield "x"


BAD_MODELS: dict[str, tuple[Any, str]] = {
    "no argument": (no_argument, "must take one argument"),
    "two arguments": (two_arguments, "must take one argument"),
    "an object without stream": (NoModel(), "stream"),
    "a class": (StreamWithoutMessages, "is a class"),
    "stream without messages": (StreamWithoutMessages(), "must take one argument"),
    "a number": (5, "not int"),
    "an empty name": ("  ", "name is empty"),
    "an address": ("http://127.0.0.1:9/v1", "An address goes into base_url"),
    "a key": ("sk-abcdefghijklmnopqrst", "A key goes into api_key"),
}


@pytest.mark.parametrize("model", BAD_MODELS)
def test_a_bad_model(works: Chat, make_chat: Callable[..., Chat], model: str) -> None:
    value, words = BAD_MODELS[model]
    with pytest.raises((TypeError, ValueError)) as caught:
        make_chat(value)
    assert words in sentence_of(caught.value)
    assert "abcdefghij" not in str(caught.value)
    with pytest.raises((TypeError, ValueError)):
        works.model = value


def test_a_missing_key(works: Chat, make_chat: Callable[..., Chat]) -> None:
    with pytest.raises(ChatError) as caught:
        make_chat("gpt-5-mini")
    assert caught.value.kind == "auth"
    assert "OPENAI_API_KEY" in sentence_of(caught.value)


def test_a_missing_sdk(
    works: Chat, make_chat: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "openai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "kernelchat.models.openai", raising=False)
    with pytest.raises(ImportError) as caught:
        make_chat("gpt-5-mini", api_key="sk-test-1234567890abcdef")
    assert "pip install" in sentence_of(caught.value)


def test_all_but_openai_works_without_the_sdk() -> None:
    found = output_of(
        """
        import sys
        sys.modules["openai"] = None
        from kernelchat import Chat
        print(Chat(script=["Hello"]).ask("hi").result(30))
        offline = Chat()
        print(len(offline.ask("What is kernelchat?").result(60)) > 0)
        try:
            Chat("gpt-5-mini", api_key="sk-test-1234567890abcdef")
        except ImportError as error:
            print("pip install" in str(error))
        """
    )
    assert found == "Hello\nTrue\nTrue\n"


# questions

BAD_QUESTIONS: dict[str, tuple[Any, str]] = {
    "empty": ("", "The message is empty"),
    "blank": (" \n\t", "The message is empty"),
    "2 MB": ("x" * 2_000_000, "2.0 MB, over the limit of 1 MiB"),
    "2 MB of Chinese": ("你" * 700_000, "2.1 MB, over the limit of 1 MiB"),
    "half a character": ("\ud83d", "broken character"),
    "None": (None, "must be a string, not NoneType"),
    "bytes": (b"hello", "must be a string, not bytes"),
    "a list": (["hello"], "must be a string, not list"),
}


@pytest.mark.parametrize("question", BAD_QUESTIONS)
def test_a_bad_question(works: Chat, question: str) -> None:
    value, words = BAD_QUESTIONS[question]
    with pytest.raises(ChatError) as caught:
        works.ask(value)
    assert caught.value.kind == "input"
    assert words in sentence_of(caught.value)
    assert works.messages == []
    works.ask("first").result(PATIENCE)
    with pytest.raises(ChatError):
        works.edit(works.messages[0].id, value)
    assert len(works.messages) == 2


@pytest.mark.parametrize("name", ["regenerate", "select", "edit", "feedback", "queue_remove"])
def test_a_message_that_is_not_there(works: Chat, name: str) -> None:
    more = {"edit": ["text"], "feedback": ["up"]}.get(name, [])
    with pytest.raises(ChatError) as caught:
        getattr(works, name)("nobody", *more)
    assert caught.value.kind == "not_found"
    sentence_of(caught.value)


def test_nothing_to_go_back_to(works: Chat) -> None:
    for verb, words in ((works.undo, "nothing to undo"), (works.regenerate, "ask something first")):
        with pytest.raises(ChatError, match=words) as caught:
            verb()
        assert caught.value.kind == "input"
    works.stop()
    works.clear()


def test_feedback_that_is_none(works: Chat) -> None:
    works.ask("hello").result(PATIENCE)
    with pytest.raises(ChatError, match='"up", "down" or None'):
        works.feedback(works.messages[-1].id, "meh")


# models that fail while they answer


def fails_before(messages: Messages) -> Iterator[str]:
    raise ZeroDivisionError("division by zero")


def fails_after(messages: Messages) -> Iterator[str]:
    yield "so "
    yield "far"
    raise ZeroDivisionError("division by zero")


async def fails_later(messages: Messages) -> AsyncIterator[str]:
    yield "so far"
    raise ZeroDivisionError("division by zero")


async def fails_at_once(messages: Messages) -> str:
    raise ZeroDivisionError("division by zero")


def leaves(messages: Messages) -> str:
    sys.exit("away")


def gives_nothing(messages: Messages) -> None:
    return None


def gives_numbers(messages: Messages) -> Iterator[int]:
    yield 5


FAILURES: dict[str, tuple[Any, str, str]] = {
    "before": (fails_before, "", "ZeroDivisionError: division by zero"),
    "after": (fails_after, "so far", "ZeroDivisionError: division by zero"),
    "async after": (fails_later, "so far", "ZeroDivisionError: division by zero"),
    "async before": (fails_at_once, "", "ZeroDivisionError: division by zero"),
    "sys.exit": (leaves, "", "SystemExit: away"),
    "no text": (gives_nothing, "", "returned None"),
    "numbers": (gives_numbers, "", "yielded a value of type int"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_model_that_fails(make_chat: Callable[..., Chat], failure: str) -> None:
    model, text, words = FAILURES[failure]
    chat = make_chat(model)
    errors: list[ChatError] = []
    chat.on_error(errors.append)
    for _ in range(2):
        reply = chat.ask("hello")
        with pytest.raises(ChatError) as caught:
            reply.result(PATIENCE)
        assert caught.value.kind == "model"
        assert caught.value.text == text
        assert words in sentence_of(caught.value)
        assert (reply.message.status, reply.message.text) == ("failed", text)
    chat.model = lambda messages: "well"
    assert chat.regenerate().result(PATIENCE) == "well"
    assert chat.ask("again").result(PATIENCE) == "well"
    chat.close()
    thread = chat._callbacks._thread
    assert thread is not None
    thread.join(PATIENCE)
    assert [error.kind for error in errors] == ["model", "model"]
