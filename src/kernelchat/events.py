"""What happened in a conversation: the events of the wire, version 1 (DESIGN.md section 3).

An event here has no id: the log gives it one. `tests/wire/` holds a sample of each, which this
module and the browser's `state/` are both tested against.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeAlias

from .message import Message


@dataclass(frozen=True, slots=True)
class MessageAdded:
    """A message was added."""

    name: ClassVar[str] = "message"
    message: Message


@dataclass(frozen=True, slots=True)
class Update:
    """Fields of a message changed."""

    name: ClassVar[str] = "update"
    message_id: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TokenAdded:
    """The model sent text. `index` counts from 0 in the message."""

    name: ClassVar[str] = "token"
    message_id: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model thought aloud."""

    name: ClassVar[str] = "reasoning"
    message_id: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool call started, went on or ended."""

    name: ClassVar[str] = "tool"
    message_id: str
    call_id: str
    tool: str
    arguments: str
    result: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Done:
    """The turn ended: stop, length, content_filter or stopped."""

    name: ClassVar[str] = "done"
    message_id: str
    full_text: str
    finish_reason: str
    usage: Mapping[str, Any] | None
    timing: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn failed; the text so far is kept."""

    name: ClassVar[str] = "error"
    message_id: str
    kind: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """Another path is shown."""

    name: ClassVar[str] = "leaf"
    leaf_id: str | None


@dataclass(frozen=True, slots=True)
class Removed:
    """Messages are gone for good."""

    name: ClassVar[str] = "removed"
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """idle, thinking, writing, retrying or closed. `retry_at` is in milliseconds since 1970."""

    name: ClassVar[str] = "status"
    status: str
    retry_at: int | None = None
    busy: bool | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know. `level` is info, warning or error."""

    name: ClassVar[str] = "notice"
    level: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state a reader starts from; it is made for a reader and never lies in a log."""

    name: ClassVar[str] = "snapshot"
    messages: tuple[Message, ...]
    leaf_id: str | None
    status: str
    has_more: bool


Event: TypeAlias = (
    MessageAdded
    | Update
    | TokenAdded
    | Reasoning
    | Tool
    | Done
    | Failed
    | Leaf
    | Removed
    | Status
    | Notice
    | Snapshot
)

EVENTS: Mapping[str, type[Event]] = {
    event.name: event
    for event in (
        MessageAdded,
        Update,
        TokenAdded,
        Reasoning,
        Tool,
        Done,
        Failed,
        Leaf,
        Removed,
        Status,
        Notice,
        Snapshot,
    )
}

# Attributes that are called otherwise on the wire: `fullText` is the tutorial's word, and a tool's
# `name` is taken here by the event's own.
_WIRE_NAMES = {"full_text": "fullText", "tool": "name"}
_ENCODE: Mapping[str, Callable[[Any], Any]] = {
    "messages": lambda messages: [message.to_wire() for message in messages],
    "message_ids": list,
    "changes": dict,
}
_FIELDS: Mapping[type[Event], tuple[tuple[str, str], ...]] = {
    event: tuple((f.name, _WIRE_NAMES.get(f.name, f.name)) for f in fields(event))
    for event in EVENTS.values()
}
_OPTIONAL = frozenset(
    f.name for event in EVENTS.values() for f in fields(event) if f.default is not MISSING
)


def is_plain(value: object) -> bool:
    """Whether `value` can travel: JSON values that every reader can parse.

    What cannot (a lone surrogate, NaN, an object) must not get into a log, since it would break
    all of its readers.
    """
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def to_wire(event: Event, *, event_id: int, session_id: str) -> dict[str, Any]:
    """The `data` of `event` as plain JSON values."""
    data: dict[str, Any] = {"id": event_id, "session_id": session_id}
    for attribute, key in _FIELDS[type(event)]:
        value = getattr(event, attribute)
        encode = _ENCODE.get(attribute)
        if isinstance(value, Message):
            value = value.to_wire()
        elif encode is not None:
            value = encode(value)
        data[key] = value
    return data


def from_wire(name: str, data: Mapping[str, Any]) -> Event | None:
    """The event that `name` and `data` describe, None where this version does not know it.

    Raises:
        KeyError: a required field is missing.
    """
    event = EVENTS.get(name)
    if event is None:
        return None
    values: dict[str, Any] = {
        attribute: data[key] for attribute, key in _FIELDS[event] if key in data
    }
    if event is MessageAdded:
        values["message"] = Message.from_wire(data["message"])
    if "messages" in values:
        values["messages"] = tuple(Message.from_wire(m) for m in values["messages"])
    if "message_ids" in values:
        values["message_ids"] = tuple(values["message_ids"])
    missing = [
        key
        for attribute, key in _FIELDS[event]
        if attribute not in values and attribute not in _OPTIONAL
    ]
    if missing:
        raise KeyError(missing[0])
    return event(**values)
