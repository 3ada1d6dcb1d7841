"""The pieces of a chat completion as services really send them: fields missing, null or odd."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import ChatError
from .base import Delta
from .text import WholeCharacters

_FINISHES = {"length": "length", "model_length": "length", "content_filter": "content_filter"}


class ChunkReader:
    """Turns the chunks of one answer into deltas; knows no SDK, only attributes.

    Attributes:
        finished: why the answer ended, None while it has not.
        started: whether any chunk came.
    """

    def __init__(self, host: str) -> None:
        self.finished: str | None = None
        self.started = False
        self._host = host
        self._usage: Mapping[str, Any] | None = None
        self._text = WholeCharacters()
        self._reasoning = WholeCharacters()

    def read(self, chunk: Any) -> Delta | None:
        """What `chunk` adds to the answer, None if nothing.

        Raises:
            ChatError: kind `server`; the service says that it failed.
        """
        self.started = True
        self.read_usage(chunk)
        choice = _first(getattr(chunk, "choices", None))
        if choice is None:
            return None
        delta = getattr(choice, "delta", None)
        finish = getattr(choice, "finish_reason", None)
        if finish == "error":
            raise ChatError("server", f"{self._host} failed while it answered: try again.")
        if isinstance(finish, str) and finish:
            self.finished = _FINISHES.get(finish, "stop")
        text = self._text.feed(_string(delta, "content") + _string(delta, "refusal"))
        reasoning = _string(delta, "reasoning_content") or _string(delta, "reasoning")
        reasoning = self._reasoning.feed(reasoning)
        return Delta(text, reasoning) if text or reasoning else None

    def read_usage(self, chunk: Any) -> None:
        """Notes the token counts; some services send them with each chunk, the last one counts."""
        usage = getattr(chunk, "usage", None)
        dump = getattr(usage, "model_dump", None)
        if dump is not None:
            usage = dump(exclude_none=True)
        if isinstance(usage, Mapping):
            self._usage = usage

    def last(self) -> Delta | None:
        """What ends the answer: the reason, the token counts. None if there is nothing to say."""
        text, reasoning = self._text.flush(), self._reasoning.flush()
        if text or reasoning or self.finished or self._usage:
            return Delta(text, reasoning, self.finished, self._usage)
        return None


def said(body: object) -> tuple[str, str]:
    """A service's own word and sentence for what is wrong, out of the body of its answer."""
    if isinstance(body, str):
        return "", "" if body.lstrip().startswith("<") else body
    if not isinstance(body, Mapping):
        return "", ""
    code = " ".join(str(body[key]) for key in ("code", "type") if body.get(key) is not None)
    for key in ("message", "error", "detail"):
        value = body.get(key)
        if isinstance(value, str) and value:
            return code, value
        if value:
            return code, json.dumps(value, ensure_ascii=False, default=str)
    return code, ""


def parsed(body: bytes) -> object:
    """`body` as JSON, None if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _first(choices: object) -> Any:
    if isinstance(choices, list | tuple):
        for choice in choices:
            if getattr(choice, "index", None) in (0, None):
                return choice
    return None


def _string(delta: object, name: str) -> str:
    value = getattr(delta, name, None)
    return value if isinstance(value, str) else ""
