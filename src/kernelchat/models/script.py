"""A model that plays answers written beforehand: demos and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from .base import BuiltinModel, ModelMessage
from .pace import paced


class ScriptModel(BuiltinModel):
    """Plays `script` in order: the n-th question gets the n-th answer, then it starts over.

    The questions in the talk are counted, so asking again for an answer gives the same one.

    Args:
        script: the answers, at least one.
        rate: tokens per second.

    Raises:
        ValueError: `script` is no list of strings or is empty, or `rate` is not positive.
    """

    label = "script"
    connected = False

    def __init__(self, script: Sequence[str], rate: float = 40.0) -> None:
        if isinstance(script, str | bytes) or not isinstance(script, Sequence):
            raise ValueError('script must be a list of answers, like script=["Hello!", "Bye."].')
        if not script:
            raise ValueError('script is empty: give it at least one answer, like ["Hello!"].')
        for number, answer in enumerate(script, 1):
            if not isinstance(answer, str):
                raise ValueError(
                    f"Answer {number} of script is a {type(answer).__name__}: make it a string."
                )
        if not rate > 0:
            raise ValueError("rate must be a positive number of tokens per second.")
        self._script = tuple(script)
        self._rate = rate

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[str]:
        """The answer to the last question, piece by piece."""
        questions = sum(message["role"] == "user" for message in messages)
        answer = self._script[(max(questions, 1) - 1) % len(self._script)]
        async for token in paced(answer, self._rate):
            yield token
