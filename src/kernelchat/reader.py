"""Reading a log for its text: who fell behind gets the missing text as one token.

Replies, callbacks and the stream of one turn read this way; views read the log itself and start
again from a snapshot. A reader may run on any thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .events import Done, Event, Failed, TokenAdded
from .log import EventLog
from .message import Message
from .state import State


class TextReader:
    """Follows the answers of one conversation from a cursor. Belongs to one thread at a time.

    However late it reads, the tokens it yields for a message join to the message's text, and
    each end is seen once.

    Args:
        log: what to read.
        state: the fold of that log.
        after: the id of the last event that the reader has.
        message_id: the one answer to follow, None for all.
    """

    def __init__(
        self, log: EventLog, state: State, after: int, message_id: str | None = None
    ) -> None:
        self.cursor = after
        self._log = log
        self._state = state
        self._message_id = message_id
        # Of each answer that goes on: how many tokens and characters were read.
        # No characters are known where the reading began so late that nobody could tell.
        self._read: dict[str, tuple[int, int | None]] = {}
        # What is made up for events that were missed, until it is taken.
        self._made_up: deque[tuple[int, Event]] = deque()
        # Who begins in the middle of an answer has all that came before.
        self._read.update({i: draft.after(after) for i, draft in state.drafts()})

    def resume(self, message_id: str, tokens: int, characters: int) -> None:
        """Says how much of an answer the reader has already."""
        self._read[message_id] = (tokens, characters)

    def take(self) -> Iterator[tuple[int, Event]]:
        """The events that wait, with their ids; those missed are made up from the state."""
        while True:
            while self._made_up:
                yield self._made_up.popleft()
            if self.cursor >= self._log.last_id:
                return
            entries = self._log.read(self.cursor)
            if entries is None:
                self._catch_up()
                continue
            for entry in entries:
                self.cursor = entry.id
                if self._is_new(entry.event):
                    yield entry.id, entry.event

    def _is_new(self, event: Event) -> bool:
        if isinstance(event, TokenAdded):
            return self._wants(event.message_id) and self._is_next(event)
        if isinstance(event, Done | Failed):
            self._read.pop(event.message_id, None)
            return self._wants(event.message_id)
        return True

    def _wants(self, message_id: str) -> bool:
        return self._message_id is None or self._message_id == message_id

    def _is_next(self, event: TokenAdded) -> bool:
        known = self._read.get(event.message_id)
        if known is None:
            offset = self._state.offset(event.message_id, event.index) if event.index else 0
            known = (event.index, offset)
        tokens, characters = known
        if event.index < tokens:
            return False
        after = None if characters is None else characters + len(event.text)
        self._read[event.message_id] = (event.index + 1, after)
        return True

    def _catch_up(self) -> None:
        # Taken before the state is read: what is read there may be newer, never older.
        last = self._state.last_id
        for message_id in (self._message_id,) if self._message_id else self._state.ids():
            # In this order: an answer that is seen complete has its end, or none in this log.
            message, ended = self._state.get(message_id), self._state.ended(message_id)
            if message is None or message.role != "assistant":
                continue
            if message.status != "streaming" and (ended is None or ended <= self.cursor):
                continue
            tokens, characters = self._read.get(message_id, (0, 0))
            if characters is not None:
                missing, now = self._state.text_after(message_id, characters)
                if missing:
                    self._read[message_id] = (now, characters + len(missing))
                    before_end = last if ended is None else min(last, ended - 1)
                    self._made_up.append((before_end, TokenAdded(message_id, tokens, missing)))
            if ended is not None and ended <= last:
                self._read.pop(message_id, None)
                self._made_up.append((ended, _end(message)))
        self.cursor = last


def _end(message: Message) -> Event:
    if message.status == "failed" and message.error is not None:
        error = message.error
        return Failed(message.id, error["kind"], error["message"], error["retryable"])
    return Done(
        message.id, message.text, message.finish_reason or "stop", message.usage, message.timing
    )
