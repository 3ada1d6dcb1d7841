"""A message: one bubble of a conversation, and the same while it is being written."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant", "system"]
MessageStatus: TypeAlias = Literal["queued", "streaming", "done", "stopped", "failed"]

ROLES: frozenset[str] = frozenset({"user", "assistant", "system"})
COLLAPSE_EVERY = 256
_TUPLES = frozenset({"tools", "attachments", "citations"})

# Compiled at first use, since most programs never ask for code.
_FENCE = r"(?ms)^(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)^(?P=fence)[`~]*[ \t\r]*$"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, immutable. Field names are those of the wire (DESIGN.md section 3).

    Attributes:
        created_at: milliseconds since 1970.
        tokens: index of the next token, so the number of tokens that came.
        timing: `first_token_ms`, `total_ms` (from the start of the turn), `tokens_per_second`.
    """

    id: str
    role: Role
    text: str = ""
    parent_id: str | None = None
    status: MessageStatus = "done"
    reasoning: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    feedback: str | None = None
    attachments: tuple[dict[str, Any], ...] = ()
    citations: tuple[dict[str, Any], ...] = ()
    created_at: int = 0
    tokens: int = 0

    def __str__(self) -> str:
        return self.text

    @property
    def code(self) -> list[str]:
        """The text of each fenced code block, in order, without its fence."""
        return [match["code"] for match in re.finditer(_FENCE, self.text)]

    def to_openai(self) -> dict[str, str]:
        """The `{"role", "content"}` dict that models take."""
        return {"role": self.role, "content": self.text}

    def to_wire(self) -> dict[str, Any]:
        """The message as plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in Message.__dataclass_fields__
            for value in (getattr(self, name),)
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Message:
        """The message that `data` describes; unknown fields are ignored.

        Raises:
            KeyError: `id` or `role` is missing.
        """
        return cls(**{"id": data["id"], "role": data["role"], **fields_of(data)})


def fields_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What of `data` a message has, as it has it: lists as tuples, fields it knows only."""
    return {
        name: tuple(value) if name in _TUPLES else value
        for name, value in data.items()
        if name in Message.__dataclass_fields__
    }


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text the model sent. `str(token)` is its text; `index` counts from 0."""

    text: str
    index: int
    message_id: str
    session_id: str

    def __str__(self) -> str:
        return self.text


class Draft:
    """An answer while it is written. One thread appends, any thread may read.

    The pieces are kept apart and joined now and then, since adding each to one long string costs
    the whole string. Readers get at them through one tuple, so text and count always agree and no
    lock is needed.
    """

    __slots__ = (
        "_begin",
        "_body",
        "_ends",
        "_ids",
        "_reasoning",
        "length",
        "message",
        "reasonings",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self.length = len(message.text)
        self.reasonings = 0
        self._body: tuple[str, int, list[str]] = (message.text, message.tokens, [])
        self._reasoning: list[str] = [message.reasoning]
        # What came before this process saw it: so many tokens and characters.
        self._begin = message.tokens, self.length
        self._ends = array("Q")
        self._ids = array("Q")

    def append(self, text: str, event_id: int) -> None:
        """Adds a token, which is event `event_id` of the log."""
        whole, count, pieces = self._body
        self.length += len(text)
        self._ends.append(self.length)
        self._ids.append(event_id)
        if len(pieces) >= COLLAPSE_EVERY:
            self._body = (whole + "".join(pieces), count + len(pieces), [text])
        else:
            pieces.append(text)

    def think(self, text: str) -> None:
        """Adds a piece of reasoning."""
        self._reasoning.append(text)
        self.reasonings += 1

    def read(self) -> tuple[str, int]:
        """The text so far and the number of tokens in it."""
        whole, count, pieces = self._body
        pieces = pieces[:]
        return whole + "".join(pieces), count + len(pieces)

    @property
    def tokens(self) -> int:
        """The next token's index."""
        _, count, pieces = self._body
        return count + len(pieces)

    def offset(self, index: int) -> int:
        """Where token `index` begins, in characters; of those it began with, where they end."""
        tokens, characters = self._begin
        return self._ends[index - tokens - 1] if index > tokens else characters

    def after(self, event_id: int) -> tuple[int, int]:
        """Index and offset in characters of the first token that came after event `event_id`."""
        index = self._begin[0] + bisect_right(self._ids, event_id)
        return index, self.offset(index)

    def freeze(self, **changes: Any) -> Message:
        """The message as it is now, with `changes` made."""
        text, tokens = self.read()
        reasoning = "".join(self._reasoning)
        return replace(self.message, text=text, reasoning=reasoning, tokens=tokens, **changes)
