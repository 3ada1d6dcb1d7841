"""What can go wrong, in words a user can act on."""

from __future__ import annotations

from typing import Any, Literal, get_args

ErrorKind = Literal[
    "auth",
    "not_found",
    "rate_limit",
    "quota",
    "bad_request",
    "server",
    "connection",
    "timeout",
    "truncated",
    "protocol",
    "model",
    "input",
    "cancelled",
]

ERROR_KINDS: frozenset[str] = frozenset(get_args(ErrorKind))

RETRYABLE: frozenset[str] = frozenset(
    {"rate_limit", "server", "connection", "timeout", "truncated", "protocol", "model"}
)


class ChatError(Exception):
    """A turn or a command that failed.

    Attributes:
        kind: one of the kinds of DESIGN.md section 4, the same word as on the wire.
        message: one sentence for the user; never holds a key or a token.
        retryable: whether asking again may help.
        text: what of the answer had come before it failed, "" if nothing.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        retryable: bool | None = None,
        text: str = "",
    ) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.retryable = kind in RETRYABLE if retryable is None else retryable
        self.text = text

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions with keyword arguments do not pickle by themselves (joblib, multiprocessing).
        return (_rebuild, (self.kind, self.message, self.retryable, self.text))

    def to_wire(self) -> dict[str, Any]:
        """The error as it stands in a message's `error` field and in the `error` event."""
        return {"kind": self.kind, "message": self.message, "retryable": self.retryable}


def _rebuild(kind: ErrorKind, message: str, retryable: bool, text: str) -> ChatError:
    return ChatError(kind, message, retryable=retryable, text=text)
