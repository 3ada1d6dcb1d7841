"""The event log: what happened in one conversation, in order, for any number of readers.

Each reader keeps its own cursor, the id of the last event that it has. The log keeps a bounded
tail, so a reader that is slow or was away costs nothing; when its cursor is no longer in the tail
`read` says so, and the reader starts again from a snapshot of the state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .events import Event, MessageAdded, Reasoning, TokenAdded, Update, to_wire

TAIL_EVENTS = 512
TAIL_CHARACTERS = 256 * 1024
_SLACK = 128


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_quote = json.encoder.encode_basestring


def dumps(value: object) -> str:
    """JSON on one line. `json.dumps` would build an encoder for each call."""
    return _encoder.encode(value)


class Entry:
    """An event in its place in a log. The encoded form is made once for all readers."""

    __slots__ = ("_data", "event", "id", "session_id")

    def __init__(self, entry_id: int, session_id: str, event: Event) -> None:
        self.id = entry_id
        self.session_id = session_id
        self.event = event
        self._data: str | None = None

    def wire(self) -> dict[str, Any]:
        """The `data` of the event as plain JSON values."""
        return to_wire(self.event, event_id=self.id, session_id=self.session_id)

    @property
    def data(self) -> str:
        """The `data` of the event as one line of JSON."""
        event = self.event
        if isinstance(event, TokenAdded):
            # Nearly all there is, and cheaper made anew for each reader than kept.
            return (
                f'{{"id":{self.id},"session_id":{_quote(self.session_id)},'
                f'"message_id":{_quote(event.message_id)},"index":{event.index},'
                f'"text":{_quote(event.text)}}}'
            )
        if self._data is None:
            self._data = dumps(self.wire())
        return self._data


class EventLog(Protocol):
    """A log of one conversation. `tests/contract` holds what every implementation must do.

    One thread writes. `read`, `last_id`, `closed` and `subscribe` may be called from any thread.
    """

    session_id: str

    @property
    def last_id(self) -> int:
        """The id of the newest event; before the first one, an id that is smaller than its."""
        ...

    @property
    def next_id(self) -> int:
        """The id that the next append gives. The writer's thread only."""
        ...

    @property
    def closed(self) -> bool:
        """Whether no event will come any more."""
        ...

    def append(self, event: Event) -> int:
        """Adds an event and wakes the readers; returns its id.

        Raises:
            ValueError: the log is closed.
        """
        ...

    def read(self, after: int) -> Sequence[Entry] | None:
        """The events after id `after`, None where that cursor is too old or ahead of the log."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` after each append, on the writer's thread; returns what ends it.

        `wake` must be quick and must not raise: it sets a flag, it does not read.
        """
        ...

    def close(self) -> None:
        """Wakes the readers for the last time. What is in the log can still be read."""
        ...


class MemoryLog:
    """A log in this process. Its ids start at `first_id` and grow by one."""

    def __init__(self, session_id: str, first_id: int) -> None:
        self.session_id = session_id
        self._next = first_id
        self._floor = first_id - 1
        self._entries: list[Entry] = []
        self._characters = 0
        self._wakes: dict[object, Callable[[], None]] = {}
        self._closed = False

    @property
    def last_id(self) -> int:
        """The id of the newest event."""
        return self._next - 1

    @property
    def next_id(self) -> int:
        """The id that the next append gives."""
        return self._next

    @property
    def closed(self) -> bool:
        """Whether no event will come any more."""
        return self._closed

    def append(self, event: Event) -> int:
        """Adds an event and wakes the readers; returns its id. The writer's thread only.

        Raises:
            ValueError: the log is closed.
        """
        if self._closed:
            raise ValueError(f"The log of {self.session_id} is closed.")
        entry = Entry(self._next, self.session_id, event)
        self._entries.append(entry)
        self._next += 1
        self._characters += _weight(event)
        if len(self._entries) > TAIL_EVENTS + _SLACK or self._characters > TAIL_CHARACTERS:
            self._trim()
        self._wake()
        return entry.id

    def read(self, after: int) -> Sequence[Entry] | None:
        """The events after id `after`, None where that cursor is too old or ahead of the log."""
        # The list is only ever appended to or replaced, so what was taken here stays true. It is
        # taken before the floor, which moves first: a trim in between can only yield None.
        entries, floor = self._entries, self._floor
        if after > self.last_id or after < floor:
            return None
        # Ids grow by one, so where to begin need not be looked for.
        return entries[max(0, after + 1 - entries[0].id) :] if entries else entries

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` after each append, on the writer's thread; returns what ends it."""
        key = object()
        self._wakes[key] = wake
        if self._closed:
            wake()
        return lambda: self._wakes.pop(key, None) and None

    def close(self) -> None:
        """Wakes the readers for the last time. What is in the log can still be read."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self._wakes.values()):
            wake()

    def _trim(self) -> None:
        entries = self._entries
        keep = entries[-TAIL_EVENTS:]
        characters = sum(_weight(entry.event) for entry in keep)
        start = 0
        while characters > TAIL_CHARACTERS and start < len(keep) - 1:
            characters -= _weight(keep[start].event)
            start += 1
        keep = keep[start:]
        self._floor = keep[0].id - 1
        self._entries = keep
        self._characters = characters


def _weight(event: Event) -> int:
    # `done` and `snapshot` share their text with the messages, they keep none alive themselves.
    if isinstance(event, TokenAdded | Reasoning):
        return len(event.text)
    if isinstance(event, MessageAdded):
        return len(event.message.text)
    if isinstance(event, Update):
        return len(event.changes.get("text", ""))
    return 0
