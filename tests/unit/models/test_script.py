from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.models.pace import paced, tokens
from kernelchat.models.script import ScriptModel
from tools.models import collect, text_of

# What a reader sees as one character, however many code points it has.
CHARACTERS = [
    "e\u0301",
    "\r\n",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "\N{WAVING HAND SIGN}\U0001f3fd",
    "\U0001f1e9\U0001f1ea",
    "1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\u0915\u094d\u0937\u093f",
    "\u1112\u1161\u11ab",
    "\u845b\U000e0100",
]


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(st.lists(st.sampled_from([*CHARACTERS, "a", "word", " ", "你", "好", "，", "\n"])))
def test_no_token_ends_inside_a_character(parts: list[str]) -> None:
    text = "".join(parts)
    cuts, at = set(), 0
    for token in tokens(text):
        at += len(token)
        cuts.add(at)
    at = 0
    for part in parts:
        if part in CHARACTERS:
            assert not cuts & set(range(at + 1, at + len(part)))
        at += len(part)


def test_tokens_are_of_the_size_that_models_send() -> None:
    assert list(tokens("Hello, big world!\n\nBye.")) == ["Hello,", " big", " world!", "\n\nBye."]
    assert list(tokens("你好，世界很大")) == ["你好", "，世", "界很", "大"]
    for token in tokens("x" * 1000 + " " * 1000 + "\N{GRINNING FACE}" * 100):
        assert len(token) <= 28
    flags = "\U0001f1e9\U0001f1ea" * 50
    assert all(len(token) % 2 == 0 for token in tokens(flags))


async def test_the_pace_holds_and_the_first_comes_at_once() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    times = [loop.time() - start async for _ in paced("one two three four five", 20)]
    assert len(times) == 5
    assert times == sorted(times)
    assert times[-1] >= 4 / 20 - 0.01
    assert all(later - earlier < 5 for earlier, later in pairwise(times))


async def test_the_nth_question_gets_the_nth_answer() -> None:
    model = ScriptModel(["one", "two"], rate=1000)
    talk: list[dict[str, str]] = [{"role": "system", "content": "s"}]
    heard = []
    for _ in range(3):
        talk.append({"role": "user", "content": "?"})
        heard.append(text_of(await collect(model, talk)))
        talk.append({"role": "assistant", "content": heard[-1]})
    assert heard == ["one", "two", "one"]
    assert (model.label, model.connected) == ("script", False)


@pytest.mark.parametrize("script", ["hello", [], [1], ["a", None], 5, b"x"])
def test_a_script_that_is_none_is_refused(script: object) -> None:
    with pytest.raises(ValueError, match="script"):
        ScriptModel(script)  # type: ignore[arg-type]


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        ScriptModel(["a"], rate=0)
