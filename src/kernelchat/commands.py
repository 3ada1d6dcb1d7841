"""What somebody wants of a conversation: the commands of the wire (DESIGN.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias
from uuid import uuid4

from .errors import ChatError
from .events import is_plain
from .message import ROLES, Role

MAX_TEXT_BYTES = 1 << 20
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_FEEDBACK = ("up", "down", None)
_MESSAGES = (
    'messages must be dicts such as {"role": "user", "content": "Hello"}, '
    "with a role of user, assistant or system"
)


def new_id() -> str:
    """A fresh id for a command, a message or a session."""
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Send:
    """Asks, or queues while a turn runs. A caller in Python mints the ids of both messages."""

    type: ClassVar[str] = "send"
    command_id: str
    text: str
    attachments: tuple[dict[str, Any], ...] = ()
    message_id: str | None = None
    reply_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends the turn of that message and no other; without one, the turn that runs."""

    type: ClassVar[str] = "stop"
    command_id: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Regenerate:
    """A sibling answer; also the retry of a failed one. Without an id: the last answer shown."""

    type: ClassVar[str] = "regenerate"
    command_id: str
    message_id: str | None = None
    reply_id: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A sibling question, answered anew."""

    type: ClassVar[str] = "edit"
    command_id: str
    message_id: str
    text: str
    reply_id: str | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """Shows the branch that holds a message."""

    type: ClassVar[str] = "select"
    command_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Undo:
    """The leaf moves up one exchange."""

    type: ClassVar[str] = "undo"
    command_id: str


@dataclass(frozen=True, slots=True)
class Clear:
    """The leaf moves to the top."""

    type: ClassVar[str] = "clear"
    command_id: str


@dataclass(frozen=True, slots=True)
class QueueEdit:
    """Changes a prompt that waits."""

    type: ClassVar[str] = "queue_edit"
    command_id: str
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class QueueRemove:
    """Takes back a prompt that waits."""

    type: ClassVar[str] = "queue_remove"
    command_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """Thumbs: up, down or None."""

    type: ClassVar[str] = "feedback"
    command_id: str
    message_id: str
    value: str | None


Command: TypeAlias = (
    Send | Stop | Regenerate | Edit | Select | Undo | Clear | QueueEdit | QueueRemove | Feedback
)

COMMANDS: Mapping[str, type[Command]] = {
    command.type: command
    for command in (
        Send,
        Stop,
        Regenerate,
        Edit,
        Select,
        Undo,
        Clear,
        QueueEdit,
        QueueRemove,
        Feedback,
    )
}
# Ids that a caller in this process mints; nobody else may choose them.
_LOCAL: Mapping[str, frozenset[str]] = {
    "send": frozenset({"message_id", "reply_id"}),
    "regenerate": frozenset({"reply_id"}),
    "edit": frozenset({"reply_id"}),
}


def check_text(value: object) -> str:
    """`value` as the text of a question.

    Raises:
        ChatError: kind `input`; it is no text, empty, too long, or not valid Unicode.
    """
    if not isinstance(value, str):
        raise ChatError("input", f"The text must be a string, not {type(value).__name__}.")
    if not value.strip():
        raise ChatError("input", "The message is empty: type a question first.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ChatError(
            "input", "The message holds a broken character (a lone surrogate): remove it."
        ) from None
    if size > MAX_TEXT_BYTES:
        raise ChatError(
            "input",
            f"The message is {size / 1e6:.1f} MB, over the limit of 1 MiB: shorten it.",
        )
    return value


def check_id(value: object, name: str) -> str:
    """`value` as an id.

    Raises:
        ChatError: kind `input`; it is no string of 1 to 128 letters, digits and `_.:-`.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ChatError(
            "input",
            f"{name} must be 1 to 128 characters out of letters, digits and _ . : -",
        )
    return value


def check_messages(messages: object) -> list[tuple[Role, str]]:
    """`messages` as roles and texts.

    Raises:
        ChatError: kind `input`; it is no list of `{"role", "content"}` dicts.
    """
    if not isinstance(messages, list | tuple):
        raise ChatError("input", f"{_MESSAGES}, in a list, not {type(messages).__name__}.")
    return [_message(message) for message in messages]


def _message(message: object) -> tuple[Any, str]:
    if isinstance(message, Mapping):
        role, text = message.get("role"), message.get("content")
        if isinstance(role, str) and role in ROLES and isinstance(text, str):
            if is_plain(text):
                return role, text
            raise ChatError(
                "input", "messages hold a broken character (a lone surrogate): remove it."
            )
    raise ChatError("input", f"{_MESSAGES}; got {str(message)[:80]!r}.")


def to_wire(command: Command) -> dict[str, Any]:
    """The command as plain JSON values."""
    local = _LOCAL.get(command.type, frozenset())
    data: dict[str, Any] = {"type": command.type}
    for f in fields(command):
        if f.name not in local:
            value = getattr(command, f.name)
            data[f.name] = list(value) if isinstance(value, tuple) else value
    return data


def from_wire(data: object) -> Command:
    """The command that `data`, any JSON value that came in, describes.

    Raises:
        ChatError: kind `input`; the sentence says what is wrong.
    """
    if not isinstance(data, Mapping):
        raise ChatError("input", "A command is a JSON object.")
    kind = data.get("type")
    command = COMMANDS.get(kind) if isinstance(kind, str) else None
    if command is None:
        raise ChatError("input", f"There is no command of type {str(kind)[:40]!r}.")
    local = _LOCAL.get(command.type, frozenset())
    values: dict[str, Any] = {}
    for f in fields(command):
        if f.name in local or (f.name not in data and f.name != "command_id"):
            continue
        value = data.get(f.name)
        # Left out and null are the same where a command does without.
        values[f.name] = None if value is None and f.default is None else _check(f.name, value)
    try:
        return command(**values)
    except TypeError:
        needed = [f.name for f in fields(command) if f.name not in local]
        raise ChatError("input", f"A {command.type!r} command needs {', '.join(needed)}.") from None


def _check(name: str, value: object) -> Any:
    if name == "text":
        return check_text(value)
    if name == "attachments":
        if not isinstance(value, list | tuple) or not all(isinstance(a, dict) for a in value):
            raise ChatError("input", "attachments must be a list of objects.")
        if not is_plain(value):
            raise ChatError("input", "attachments hold a broken character or number: remove it.")
        return tuple(value)
    if name == "value":
        if value not in _FEEDBACK:
            raise ChatError("input", "The value of feedback is up, down or null.")
        return value
    return check_id(value, name)
