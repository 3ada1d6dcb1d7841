"""Turns without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from kernelchat import commands as c
from kernelchat.events import Status
from kernelchat.message import Message
from kernelchat.models.base import BuiltinModel, Delta, ModelMessage
from kernelchat.turn import Limits, run_turn

from .pushed import PATIENCE
from .talk import Talk, said

NEVER = Limits(first_token_timeout=PATIENCE, token_timeout=PATIENCE)


class Turn:
    """A talk whose one question is being answered by a model."""

    def __init__(self, model: BuiltinModel, limits: Limits = NEVER) -> None:
        self.talk = Talk()
        self.talk.send("hello", reply_id="a")
        self.task = asyncio.create_task(
            run_turn(self.talk.conversation, model, "a", [{"role": "user"}], limits)
        )

    @property
    def answer(self) -> Message:
        return self.talk.message("a")

    async def end(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.answer

    def stop(self) -> None:
        self.talk.conversation.execute(c.Stop("stop", "a"))
        self.task.cancel()

    def statuses(self) -> list[str]:
        return [e.status for e in said(self.talk.events, Status) if isinstance(e, Status)]


class Pieces(BuiltinModel):
    """Gives all pieces without ever waiting."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta | str]:
        for piece in self.pieces:
            yield piece
