"""The tutorial's endpoint: a request that asks, and an answer that is the stream of that one turn.

A ticket, or the `command_id` of a POST, names one turn. Presented again it continues that turn and
never asks the model again, so an EventSource that reconnects by itself does no harm.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ..commands import Send, new_id
from ..errors import ChatError
from ..events import Done, Event, Failed, Removed, TokenAdded
from ..log import Entry
from ..reader import TextReader
from ..registry import Grant
from ..session import Session
from .follow import greeting
from .sse import MAX_SEND, encode, pump

START_WITHIN = 30.0
KEPT_AFTER_END = 60.0
MAX_TURNS = 10_000


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """A turn that somebody asked for over HTTP. `first_id` is the id of its first event."""

    session: Session
    question_id: str
    reply_id: str
    first_id: int

    def all_delivered(self, after: int) -> bool:
        """Whether a reader that has event `after` has everything."""
        ended = self.session.state.ended(self.reply_id)
        return ended is not None and after >= ended


class AskedTurns:
    """Who asked for which turn, by ticket or by command id. The server's loop only."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, tuple[Grant, float]] = OrderedDict()
        self._turns: OrderedDict[tuple[str, str], AskedTurn] = OrderedDict()

    def issue(self, grant: Grant) -> str:
        """A new ticket for one turn that must start within 30 s."""
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = (grant, time.monotonic() + START_WITHIN)
        while len(self._tickets) > MAX_TURNS:
            self._tickets.popitem(last=False)
        return ticket

    def grant(self, ticket: str) -> Grant | None:
        """What the ticket opens; None where there is no such ticket or it was not used in time."""
        grant, until = self._tickets.get(ticket, (None, 0.0))
        if grant is None:
            return None
        turn = self._turns.get(("", ticket))
        if turn is None:
            return grant if time.monotonic() < until else None
        return grant if self._kept(turn) else None

    def ticketed(self, ticket: str) -> AskedTurn | None:
        """The turn that the ticket started."""
        return self._turns.get(("", ticket))

    def commanded(self, session: Session, command_id: str) -> AskedTurn | None:
        """The turn that this command started.

        Raises:
            ChatError: kind `not_found`; it ended more than a minute ago.
        """
        turn = self._turns.get((session.session_id, command_id))
        if turn is not None and not self._kept(turn):
            raise ChatError("not_found", "That turn is over: read it in the conversation.")
        return turn

    def ask(self, session: Session, text: str, key: tuple[str, str]) -> AskedTurn:
        """Asks, and remembers the turn under `key`.

        Raises:
            ChatError: the question is refused.
        """
        command_id = key[1]
        question_id, reply_id = new_id(), new_id()
        first_id = session.log.last_id + 1
        session.execute(Send(command_id, text, message_id=question_id, reply_id=reply_id))
        turn = AskedTurn(session, question_id, reply_id, first_id)
        self._turns[key] = turn
        while len(self._turns) > MAX_TURNS:
            self._turns.popitem(last=False)
        return turn

    def _kept(self, turn: AskedTurn) -> bool:
        return turn.session.kept(turn.reply_id)


async def turn_stream(
    turn: AskedTurn, after: int | None, *, instance: str, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """`connected`, the tokens of one turn from cursor `after` on, `done` or `error`, the end."""
    session = turn.session
    if after is None or not turn.first_id <= after <= session.log.last_id:
        after = turn.first_id
    reader = TextReader(session.log, session.state, after, turn.reply_id)
    draft = session.draft(turn.reply_id)
    if draft is not None:
        reader.resume(turn.reply_id, *draft.after(after))
    ended = False

    def collect() -> bytes:
        nonlocal ended
        parts: list[bytes] = []
        size = 0
        for event_id, event in reader.take():
            shown = _shown(event, turn)
            if shown is None:
                continue
            parts.append(
                encode(shown.name, Entry(event_id, session.session_id, shown).data, event_id)
            )
            size += len(parts[-1])
            ended = ended or isinstance(shown, Done | Failed)
            if ended or size >= MAX_SEND:
                break
        return b"".join(parts)

    stream = pump(
        [session.log],
        prelude=encode("connected", greeting(session, instance), after),
        collect=lambda: b"" if ended else collect(),
        over=lambda: ended or session.log.closed or session.state.get(turn.question_id) is None,
        stopping=stopping,
    )
    try:
        async for chunk in stream:
            yield chunk
    finally:
        await stream.aclose()


def _shown(event: Event, turn: AskedTurn) -> Event | None:
    if isinstance(event, TokenAdded | Done | Failed):
        return event
    if isinstance(event, Removed) and turn.question_id in event.message_ids:
        return Failed(turn.reply_id, "cancelled", "The question was taken back.", False)
    return None
