from __future__ import annotations

import pytest

from kernelchat.look import check_look


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("speed", "instant", -1.0),
        ("speed", None, 0.0),
        ("speed", "auto", 0.0),
        ("speed", 60, 60.0),
        ("cursor", None, "none"),
        ("cursor", "▍", "▍"),
        ("lang", "zh_CN", "zh"),
        ("height", 480, 480),
        ("prompts", ("What is SSE?",), ["What is SSE?"]),
    ],
)
def test_a_value_becomes_what_the_view_takes_and_may_be_checked_again(
    name: str, value: object, held: object
) -> None:
    assert check_look(name, value) == held
    # traitlets checks what a trait already holds, too.
    assert check_look(name, held) == held


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("speed", -2, r'characters per second, such as 60, or "instant"'),
        ("speed", False, r'characters per second, such as 60, or "instant"'),
        ("cursor", "too many signs", "one character"),
        ("lang", "fr", "one of auto, en, zh, not 'fr'"),
        ("theme", "blue", "one of auto, light, dark, classic, not 'blue'"),
        ("height", 20, "160 to 4000 pixels, not 20"),
        ("height", "480", "a number of pixels, such as 480, not '480'"),
        ("title", 3, "title must be a string, not int"),
        ("prompts", "What is SSE?", "a list of questions"),
        ("input", 1, "True or False, not 1"),
    ],
)
def test_a_bad_value_is_refused_with_what_to_do(name: str, value: object, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        check_look(name, value)
