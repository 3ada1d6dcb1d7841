"""Text that comes from outside: one sentence of it, without secrets, in whole characters."""

from __future__ import annotations

import re

MAX_SENTENCE = 300
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf)[-_][\w*.\-]{3,}"
    r"|(?i:\bbearer\s+)[^\s\"',;]+"
    r"|(?i:\b(?:authorization|(?:x-)?api[-_]key)\"?\s*[:=]\s*\"?(?:bearer\s+)?)[^\s\"',;]+"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def redact(text: str, *secrets: str) -> str:
    """`text` without `secrets` and without anything that looks like a key."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    return _SECRETS.sub("[key]", text)


def sentence(text: str) -> str:
    """`text` on one line, at most 300 characters, ending like a sentence."""
    line = " ".join(text.split())
    if len(line) > MAX_SENTENCE:
        line = line[:MAX_SENTENCE].rstrip() + "…"
    return line if not line or line[-1] in ".!?…。！？" else line + "."


def describe(error: BaseException) -> str:
    """The type of `error` and what it says, as one sentence without keys."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a user's own __str__ may be what is broken
        text = ""
    name = type(error).__name__
    return sentence(redact(f"{name}: {text}" if text.strip() else name))


class WholeCharacters:
    r"""Joins the halves of a character that a service cut in two.

    JSON allows `\ud83d` in one piece and `\ude00` in the next. A half alone cannot be encoded as
    UTF-8, so it waits for the other one and becomes U+FFFD if that never comes.
    """

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """`text` as far as it is whole."""
        if not self._half and not _SURROGATE.search(text):
            return text
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def flush(self) -> str:
        """What stands for a half that was left over."""
        half, self._half = self._half, ""
        return "\ufffd" if half else ""
