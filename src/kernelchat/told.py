"""What a model is told at each turn: the talk so far."""

from __future__ import annotations

from .message import Message
from .state import State


class Told:
    """The path to each question, without answers that are empty. The writer's thread only.

    A turn goes on from what the last one was told, since that text never changes. Walked from the
    top at each turn, a talk of 10,000 turns would hold up all others.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._last: tuple[str | None, tuple[Message, ...]] = (None, ())

    def up_to(self, question_id: str) -> tuple[Message, ...]:
        """The messages from the top to that question."""
        last_id, talk = self._last
        fresh: list[Message] = []
        message_id: str | None = question_id
        while message_id != last_id:
            message = self._state.get(message_id) if message_id else None
            if message is None:
                talk = ()
                break
            if message.role == "user" or message.text:
                fresh.append(message)
            message_id = message.parent_id
        talk = (*talk, *reversed(fresh))
        self._last = question_id, talk
        return talk
