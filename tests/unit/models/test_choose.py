from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kernelchat import Chat
from kernelchat.errors import ChatError
from kernelchat.look import LOOK
from kernelchat.models.base import BuiltinModel
from kernelchat.models.choose import CHAT_KEYWORDS, SDK_OPTIONS, choose
from kernelchat.models.function import FunctionModel, ObjectModel
from kernelchat.models.offline import OfflineModel
from kernelchat.models.openai import OpenAIModel, option_names
from kernelchat.models.script import ScriptModel

OLLAMA = "http://127.0.0.1:11434/v1"
NAMES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "KERNELCHAT_MODEL", "OPENAI_CUSTOM_HEADERS")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def answer(messages: list[dict[str, Any]]) -> str:
    return "hi"


class Model:
    async def stream(self, messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        yield "hi"


def test_without_a_key_the_offline_assistant_answers() -> None:
    assert isinstance(choose(), OfflineModel)
    assert not choose().connected


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_none(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert isinstance(choose(), OfflineModel)


def test_with_a_key_openai_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-123456")
    model = choose()
    assert isinstance(model, OpenAIModel)
    assert model.label == "gpt-5-mini"
    assert model.connected
    monkeypatch.setenv("KERNELCHAT_MODEL", "other")
    assert choose().label == "other"


def test_each_kind_of_model_is_known() -> None:
    assert isinstance(choose(script=["hi"]), ScriptModel)
    assert isinstance(choose(answer), FunctionModel)
    assert isinstance(choose(Model()), ObjectModel)
    assert isinstance(choose("qwen3", base_url=OLLAMA), OpenAIModel)
    assert isinstance(choose(api_key="sk-123456"), OpenAIModel)
    own = ScriptModel(["hi"])
    assert choose(own) is own


def test_a_missing_key_is_told_at_once() -> None:
    with pytest.raises(ChatError, match="OPENAI_API_KEY") as caught:
        choose("gpt-5-mini")
    assert caught.value.kind == "auth"


def test_a_missing_sdk_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-123456")
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"needs the openai package: run  %pip install"):
        choose()


def test_an_sdk_that_is_too_old_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai.__version__", "1.99.9")
    with pytest.raises(ImportError, match=r"openai 1.99.9 is too old: run  %pip install"):
        choose("m", base_url=OLLAMA)


@pytest.mark.parametrize(
    "keywords",
    [
        {"model": ""},
        {"model": "  "},
        {"model": "http://127.0.0.1:11434/v1"},
        {"model": "sk-abcdefghijklmnop123456"},
        {"model": 5},
        {"model": Model},
        {"model": object()},
        {"model": "m", "script": ["a"]},
        {"model": "m", "base_url": "127.0.0.1:11434"},
        {"model": "m", "base_url": "ftp://host"},
        {"model": "m", "base_url": "http://"},
        {"model": "m", "base_url": "http://host:port/v1"},
        {"model": "m", "base_url": "http://my host/v1"},
        {"model": "m", "base_url": 5},
        {"model": "m", "base_url": OLLAMA, "api_key": "two words"},
        {"model": "m", "base_url": OLLAMA, "api_key": "sk-\u4f60"},
        {"model": "m", "base_url": OLLAMA, "api_key": 5},
        {"base_url": OLLAMA},
        {"model": "m", "client": object()},
        {"model": "m", "client": object(), "api_key": "k"},
        {"script": "hello"},
        {"script": []},
        {"options": {"temperature": "hot"}},
        {"options": {"temperature": 3}},
        {"model": "m", "base_url": OLLAMA, "options": {"temperature": True}},
    ],
)
def test_a_bad_value_is_told_in_one_sentence(keywords: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}") as caught:
        choose(**keywords)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", ")."))
    assert "abcdefghijklmnop" not in message


@pytest.mark.parametrize("model", [None, answer])
def test_an_unknown_keyword_is_told_with_a_suggestion(model: object) -> None:
    with pytest.raises(TypeError, match=r"no keyword sytem: did you mean system\?"):
        choose(model, options={"sytem": "x"})
    with pytest.raises(TypeError, match="no keyword qqq: see"):
        choose(model, options={"qqq": 1})


def test_openai_takes_what_the_sdk_takes_and_nothing_else() -> None:
    choose("m", base_url=OLLAMA, options={"temperature": 0.2, "max_tokens": 5, "top_p": 1})
    with pytest.raises(TypeError, match="did you mean temperature"):
        choose("m", base_url=OLLAMA, options={"temprature": 1})
    for name in ("messages", "model", "stream"):
        with pytest.raises(TypeError, match=f"no keyword {name}"):
            choose("m", base_url=OLLAMA, options={name: 1})


def test_the_suggested_keywords_are_those_of_chat() -> None:
    parameters = set(inspect.signature(Chat.__init__).parameters) - {"self", "model", "options"}
    assert parameters | LOOK | {"layout", "tooltip", "tabbable"} == CHAT_KEYWORDS


def test_offline_takes_the_same_options() -> None:
    assert option_names() == SDK_OPTIONS
    choose(options=dict.fromkeys(SDK_OPTIONS))


@pytest.mark.parametrize(
    "keywords",
    [{"options": {"temperature": 1}}, {"base_url": OLLAMA}, {"api_key": "k"}, {"client": object()}],
)
def test_other_models_take_no_options_of_openai(keywords: dict[str, Any]) -> None:
    for model in ({"model": answer}, {"model": Model()}, {"script": ["a"]}):
        with pytest.raises(TypeError, match="is only for OpenAI models"):
            choose(**model, **keywords)


def test_a_function_with_the_wrong_arguments_is_told_at_once() -> None:
    def two(one: str, two: str) -> Iterator[str]:
        yield one

    with pytest.raises(TypeError, match="must take one argument"):
        choose(two)


def test_only_openai_models_import_the_sdk() -> None:
    code = """
        import sys
        from kernelchat.models.choose import choose
        class Model:
            async def stream(self, messages): yield ""
        choose(); choose(options={"temperature": 1})
        choose(lambda messages: ""); choose(Model()); choose(script=["a"])
        assert "openai" not in sys.modules, "imported"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)


def test_our_own_models_are_builtin_models() -> None:
    for model in (choose(), choose(answer), choose(Model()), choose(script=["a"])):
        assert isinstance(model, BuiltinModel)
        assert model.label
