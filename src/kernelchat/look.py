"""How a chat looks: the keywords of `Chat` that are for the screen, checked.

A bad value is a `TypeError` or a `ValueError` with a sentence that says what to do, raised in the
cell that gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

LANGUAGES = ("auto", "en", "zh")
THEMES = ("auto", "light", "dark", "classic")
TRANSPORTS = ("auto", "direct", "proxy", "comm")
LOWEST, HIGHEST = 160, 4000


def check_look(name: str, value: object) -> Any:
    """`value` as the view takes it.

    Raises:
        TypeError: a wrong type.
        ValueError: a value that cannot be.
    """
    return _CHECKS[name](name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}.")
    return value


def _texts(name: str, value: object) -> list[str]:
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(item, str) and item.strip() for item in value)
    ):
        raise TypeError(f'{name} must be a list of questions, such as ["What is SSE?"].')
    return list(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}.")
    return value


def _one_of(choices: tuple[str, ...]) -> Callable[[str, object], str]:
    def check(name: str, value: object) -> str:
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return str(value)

    return check


def _language(name: str, value: object) -> str:
    # "zh-CN" and "en_US" are what people have at hand.
    short = value.replace("_", "-").split("-")[0].lower() if isinstance(value, str) else value
    if short not in LANGUAGES:
        raise ValueError(f"{name} must be one of {', '.join(LANGUAGES)}, not {value!r}.")
    return str(short)


def _height(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a number of pixels, such as 480, not {value!r}.")
    if not LOWEST <= value <= HIGHEST:
        raise ValueError(f"{name} must be {LOWEST} to {HIGHEST} pixels, not {value}.")
    return value


def _speed(name: str, value: object) -> float:
    # What the trait holds passes unchanged: traitlets checks a value more than once.
    if value in ("instant", -1.0):
        return -1.0
    if value in (None, "auto") or (value == 0 and not isinstance(value, bool)):
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f'{name} is characters per second, such as 60, or "instant".')
    return float(value)


def _cursor(name: str, value: object) -> str:
    if value is None:
        return "none"
    text = _text(name, value)
    if len(text) > 8:
        raise ValueError(f"{name} is one character such as ▍, or None for no cursor.")
    return text


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "title": _text,
    "avatar": _text,
    "user_avatar": _text,
    "greeting": _text,
    "prompts": _texts,
    "lang": _language,
    "theme": _one_of(THEMES),
    "height": _height,
    "speed": _speed,
    "cursor": _cursor,
    "input": _flag,
    "transport": _one_of(TRANSPORTS),
}
LOOK = frozenset(_CHECKS) - {"transport"}


def check_seconds(name: str, value: object) -> float:
    """A number of seconds over 0.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name} is a number of seconds over 0, such as 30, not {value!r}.")
    return float(value)


def check_retries(name: str, value: object) -> int:
    """A number of retries, 0 to 10.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10:
        raise ValueError(f"{name} is a whole number from 0 to 10, not {value!r}.")
    return value
