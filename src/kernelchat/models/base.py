"""What a model is: something that streams pieces of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

ModelMessage: TypeAlias = Mapping[str, Any]
"""A `{"role", "content"}` dict; the question is the last one's `content`."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of an answer.

    Attributes:
        text: what the user reads.
        reasoning: what the model thought aloud.
        finish_reason: `stop`, `length` or `content_filter`, in the last piece.
        usage: token counts as the service gave them.
        citations: passages that the answer rests on.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    citations: tuple[dict[str, Any], ...] = ()


@runtime_checkable
class Model(Protocol):
    """Anything with `stream`. A user's own object needs no base class.

    `stream` is called once per attempt with the whole talk, the system prompt first. It may raise
    `ChatError`; any other exception becomes one of kind `model`. When the turn is stopped its
    task is cancelled and the iterator closed (`aclose`): let go of the connection then.
    """

    def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta | str]:
        """The answer to `messages`, piece by piece."""
        ...


class BuiltinModel:
    """A model of ours: non-blocking, so it runs on the server's loop.

    Attributes:
        label: what the chat's header calls it.
        connected: False where no language model answers (the offline assistant, scripts).
        needs_finish: whether an end without a `finish_reason` is a truncated answer.
    """

    label: str = ""
    connected: bool = True
    needs_finish: bool = False

    def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta | str]:
        """The answer to `messages`, piece by piece. Runs on the server's loop, never blocks."""
        raise TypeError(f"{type(self).__name__} must define stream")

    async def warm(self) -> None:
        """Prepares what the first answer would otherwise wait for."""

    async def aclose(self) -> None:
        """Lets go of connections and threads."""
