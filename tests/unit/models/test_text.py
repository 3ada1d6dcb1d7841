from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.models.text import WholeCharacters, describe, redact, sentence


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abc123_DEF is wrong",
        "key sk-abc***xyz is wrong",
        "Authorization: abc123secret",
        'headers {"Authorization": "Bearer abc123secret"}',
        "api_key=abc123secret",
        "the exact my.own.key here",
    ],
)
def test_keys_are_taken_out(text: str) -> None:
    clean = redact(text, "my.own.key")
    assert "[key]" in clean
    for secret in ("abc", "my.own.key", "xyz"):
        assert secret not in clean


def test_other_words_stay() -> None:
    text = "The risk-free task-list of gpt-5-mini, and asking for a disk-image."
    assert redact(text, "") == text


def test_a_sentence_is_one_short_line() -> None:
    assert sentence("two\n  lines") == "two lines."
    assert sentence("done。") == "done。"
    assert len(sentence("x" * 1000)) <= 302
    assert sentence("") == ""


def test_an_error_that_cannot_say_itself_is_still_described() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert describe(BrokenError()) == "BrokenError."
    assert describe(ValueError("a\nb")) == "ValueError: a b."


@given(st.text(st.characters(exclude_categories=["Cs"])), st.data())
def test_characters_cut_in_two_are_whole_again(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le")
    halves = [
        units[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(units), 2)
    ]
    joiner = WholeCharacters()
    whole = ""
    while halves:
        size = data.draw(st.integers(0, len(halves)))
        piece = joiner.feed("".join(halves[:size])) if size else joiner.feed(halves.pop(0))
        halves = halves[size:]
        whole += piece
        piece.encode()
    assert whole + joiner.flush() == text


@given(st.lists(st.text(st.characters(categories=["Cs", "L"]))))
def test_what_comes_out_can_always_be_sent(pieces: list[str]) -> None:
    joiner = WholeCharacters()
    ("".join(joiner.feed(piece) for piece in pieces) + joiner.flush()).encode()
