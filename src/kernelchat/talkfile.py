"""A talk as a JSON file: all of its branches, as they were. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, get_args

from .commands import check_id
from .errors import ERROR_KINDS, ChatError
from .events import is_plain
from .message import ROLES, Message, MessageStatus
from .store import Talk

VERSION = 1
_STATUSES = frozenset(get_args(MessageStatus))


def to_json(session_id: str, title: str, leaf_id: str | None, messages: Sequence[Message]) -> str:
    """The talk as JSON; `messages` are those of all branches, oldest first."""
    talk = {
        "kernelchat": VERSION,
        "session_id": session_id,
        "title": title,
        "leaf_id": leaf_id,
        "messages": [message.to_wire() for message in messages],
    }
    return json.dumps(talk, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> tuple[Talk, str]:
    """The talk that `to_json` wrote, and its title.

    Raises:
        ValueError: it is no such JSON; the message is the rest of a sentence about the file.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("holds no JSON: name a file that chat.export wrote") from None
    version = data.get("kernelchat") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("holds no talk: name a file that chat.export wrote")
    if version > VERSION:
        raise ValueError("was written by a newer kernelchat: upgrade this one")
    title, leaf_id, found = data.get("title", ""), data.get("leaf_id"), data.get("messages")
    if not isinstance(title, str) or not isinstance(found, list) or not is_plain(data):
        raise _damaged("it has no messages, or text that is broken")
    shown: set[str | None] = {None}
    known: set[str] = set()
    messages = []
    for number, fields in enumerate(found, 1):
        message = _message(fields, f"message {number}")
        if message.id in known or message.parent_id not in shown:
            raise _damaged(f"message {number} has an id that is taken, or no parent above it")
        known.add(message.id)
        if message.status != "queued":
            shown.add(message.id)
        elif message.role != "user" or message.parent_id is not None:
            raise _damaged(f"message {number} waits, but is no question")
        messages.append(message)
    if not isinstance(leaf_id, str | None) or leaf_id not in shown:
        raise _damaged("it shows a message that is not in it")
    return Talk(tuple(messages), leaf_id), title


def _damaged(reason: str) -> ValueError:
    return ValueError(f"is damaged ({reason}): export the talk again")


def _message(data: object, name: str) -> Message:
    if not isinstance(data, dict):
        raise _damaged(f"{name} is no object")
    for field, is_right in _CHECKS.items():
        if field in data and not is_right(data[field]):
            raise _damaged(f"the {field} of {name} cannot be")
    if not {"id", "role"} <= data.keys():
        raise _damaged(f"{name} has no id or no role")
    return Message.from_wire(data)


def _is_id(value: object) -> bool:
    try:
        check_id(value, "id")
    except ChatError:
        return False
    return True


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_record(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_error(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and value.get("kind") in ERROR_KINDS
        and isinstance(value.get("message"), str)
        and isinstance(value.get("retryable"), bool)
    )


def _one_of(choices: frozenset[Any]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str | None) and value in choices


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "id": _is_id,
    "role": _one_of(ROLES),
    "text": _is_text,
    "parent_id": lambda value: value is None or _is_id(value),
    "status": _one_of(_STATUSES),
    "reasoning": _is_text,
    "tools": _is_list,
    "finish_reason": lambda value: isinstance(value, str | None),
    "usage": _is_record,
    "timing": _is_record,
    "error": _is_error,
    "feedback": _one_of(frozenset({"up", "down", None})),
    "attachments": _is_list,
    "citations": _is_list,
    "created_at": _is_count,
    "tokens": _is_count,
}
