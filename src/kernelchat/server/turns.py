"""The tutorial's endpoint: a request that asks, and an answer that is the stream of that one turn.

A ticket, or the `command_id` of a POST, names one turn. Presented again it continues that turn and
never asks the model again, so an EventSource that reconnects by itself does no harm.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Hashable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..commands import Send, new_id
from ..errors import ChatError
from ..events import Done, Event, Failed, TokenAdded
from ..log import Entry
from ..reader import TextReader
from ..registry import Grant
from ..session import Session
from .follow import greeting
from .sse import MAX_SEND, encode, pump

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

START_WITHIN = 30.0
MAX_TURNS = 10_000


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """A turn that somebody asked for over HTTP. `first_id` is the id of its first event."""

    session: Session
    question_id: str
    reply_id: str
    first_id: int

    @property
    def kept(self) -> bool:
        """Whether it can be continued: it waits, goes on, or ended less than a minute ago."""
        return self.session.kept(self.reply_id)

    @property
    def taken_back(self) -> bool:
        """Whether the question was removed while it waited, so that no answer will come."""
        return self.session.state.get(self.question_id) is None

    def all_delivered(self, after: int) -> bool:
        """Whether a reader that has event `after` has everything."""
        if self.taken_back:
            # What follows the first event of such a turn is the error that says so.
            return after > self.first_id
        ended = self.session.state.ended(self.reply_id)
        return ended is not None and after >= ended


@dataclass(slots=True)
class Ticket:
    """The right to start one turn in time, and to come back to it.

    Attributes:
        grant: what it opens.
        until: when it lapses unused, on `time.monotonic`.
        turn: what it started.
    """

    grant: Grant
    until: float
    turn: AskedTurn | None = None

    @property
    def valid(self) -> bool:
        """Whether it can be presented now."""
        return time.monotonic() < self.until if self.turn is None else self.turn.kept


class AskedTurns:
    """Who asked for which turn, by ticket or by command id. The server's loop only."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}
        # By the session itself: clients of two chats may give their talks the same name.
        self._commands: dict[tuple[Session, str], AskedTurn] = {}

    def issue(self, grant: Grant) -> str:
        """A new ticket for one turn that must start within 30 s."""
        self._tickets = {t: v for t, v in self._tickets.items() if v.valid}
        name = secrets.token_urlsafe(32)
        _put(self._tickets, name, Ticket(grant, time.monotonic() + START_WITHIN))
        return name

    def ticket(self, name: str) -> Ticket | None:
        """The ticket of that name; None where there is none, or none that is valid any more."""
        ticket = self._tickets.get(name)
        return ticket if ticket is not None and ticket.valid else None

    def ask(self, session: Session, text: str, command_id: str) -> AskedTurn:
        """Asks, or finds the turn that the same command started before.

        Raises:
            ChatError: the question is refused; kind `not_found`, the command was carried out and
                its turn is over.
        """
        self._commands = {c: turn for c, turn in self._commands.items() if turn.kept}
        turn = self._commands.get((session, command_id))
        if turn is None:
            turn = self.start(session, text, command_id)
            _put(self._commands, (session, command_id), turn)
        return turn

    def start(self, session: Session, text: str, command_id: str) -> AskedTurn:
        """Asks.

        Raises:
            ChatError: as `ask`.
        """
        turn = AskedTurn(session, new_id(), new_id(), session.log.last_id + 1)
        session.execute(Send(command_id, text, message_id=turn.question_id, reply_id=turn.reply_id))
        if turn.taken_back:
            raise ChatError("not_found", "That turn is over: read it in the conversation.")
        return turn


def _put(kept: dict[K, V], key: K, value: V) -> None:
    kept[key] = value
    if len(kept) > MAX_TURNS:
        del kept[next(iter(kept))]


def turn_stream(
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
    held = b""

    def collect() -> bytes:
        nonlocal ended, held
        parts = [held] if held else []
        size, held = len(held), b""
        for event_id, event in () if ended else _events(reader, turn):
            ended = isinstance(event, Done | Failed)
            part = encode(event.name, Entry(event_id, session.session_id, event).data, event_id)
            size += len(part)
            if parts and size > MAX_SEND:
                held = part
                break
            parts.append(part)
            if ended:
                break
        return b"".join(parts)

    return pump(
        [session.log],
        # With the answer's id a client can stop this turn before its first token, and no other.
        prelude=encode(
            "connected", greeting(session, instance) | {"message_id": turn.reply_id}, after
        ),
        collect=collect,
        over=lambda: ended or session.log.closed,
        stopping=stopping,
    )


def _events(reader: TextReader, turn: AskedTurn) -> Iterator[tuple[int, Event]]:
    for event_id, event in reader.take():
        if isinstance(event, TokenAdded | Done | Failed):
            yield event_id, event
    # Asked of the state, since the event may have fallen off the log.
    if turn.taken_back:
        error = Failed(turn.reply_id, "cancelled", "The question was taken back.", False)
        yield turn.session.log.last_id, error
