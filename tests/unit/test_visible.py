from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.visible import visible_text

JOINERS = "\u200c\u200d\ufe0e\ufe0f"
ODD = JOINERS + "\u200b\u202e\u2066\U000e0041\r\n\t\0aä你क❤👩👍🏽1#\u0301\u094dم"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\rc\n\td", "a\nb\nc\n\td"),
        ("a\0b\x1b[31mc\x7f", "ab[31mc"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("\u2066x\u2069 \u200ey\u200f", "x y"),
        ("pass\u00adword zero\u200bwidth \ufeffbom", "password zerowidth bom"),
        ("".join(chr(0xE0000 + ord(c)) for c in "obey"), ""),
        ("a" + "".join(chr(0xE0100 + n) for n in range(9)), "a"),
        ("blank\u3164letter", "blankletter"),
    ],
)
def test_what_deceives_is_left_out(text: str, shown: str) -> None:
    assert visible_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d💻",
        "❤\ufe0f",
        "🏳\ufe0f\u200d🌈",
        "👍🏽",
        "1\ufe0f\u20e3",
        "می\u200cخواهم",
        "क\u094d\u200dष",
    ],
)
def test_what_joins_letters_and_emoji_stays(text: str) -> None:
    assert visible_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u200db", "ab"),
        ("你\u200c好", "你好"),
        (" \u200d", " "),
        ("\ufe0fx", "x"),
        ("👩\u200d\u200d\u200d💻", "👩\u200d💻"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f"),
    ],
)
def test_joiners_that_join_nothing_go(text: str, shown: str) -> None:
    assert visible_text(text) == shown


@given(st.text(st.sampled_from(ODD)))
def test_nothing_is_smuggled_in_a_row(text: str) -> None:
    shown = visible_text(text)
    assert visible_text(shown) == shown
    in_a_row = re.findall(f"[{JOINERS}]+", shown)
    # In an emoji sequence there are two: the selector and the joiner.
    assert all(len(run) == 1 or run == "\ufe0f\u200d" for run in in_a_row)
    assert shown[:1] not in set(JOINERS)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Lo"])))
def test_what_one_sees_stays(text: str) -> None:
    assert visible_text(text) == text
