"""A reader of event streams, written after the standard and not after our encoder.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class StreamEvent:
    """An event as an EventSource dispatches it. `id` is the last id that was seen until then."""

    name: str
    text: str
    id: str

    @property
    def data(self) -> dict[str, Any]:
        parsed = json.loads(self.text)
        assert isinstance(parsed, dict)
        return parsed


class EventParser:
    """Takes bytes in pieces of any size."""

    def __init__(self) -> None:
        self.retry: int | None = None
        self.comments: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line = ""
        self._after_cr = False
        self._last_id = ""
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[StreamEvent]:
        return [event for line in self._lines(data) for event in self._take(line)]

    def _lines(self, data: bytes) -> list[str]:
        text = self._decoder.decode(data)
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        self._after_cr = self._after_cr or text.endswith("\r")
        *lines, self._line = LINE_END.split(self._line + text)
        return lines

    def _take(self, line: str) -> Iterator[StreamEvent]:
        if not line:
            if self._data:
                yield StreamEvent(self._name or "message", "\n".join(self._data), self._last_id)
            self._name, self._data = "", []
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                self.comments.append(value)
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._last_id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value)


class EventReader:
    """Reads the events of a response one by one; waits for them on the calling thread."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.parser = EventParser()
        self._chunks = iter(chunks)
        self._waiting: list[StreamEvent] = []

    def __iter__(self) -> Iterator[StreamEvent]:
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            self._waiting.extend(self.parser.feed(chunk))

    def next(self, *names: str) -> StreamEvent:
        """The next event, or the next one of these names."""
        for event in self:
            if not names or event.name in names:
                return event
        raise AssertionError(f"the stream ended before {names or 'the next event'}")

    def rest(self) -> list[StreamEvent]:
        """All events until the stream ends."""
        return list(self)


def parse(data: bytes) -> list[StreamEvent]:
    """The events of a whole stream."""
    return EventParser().feed(data)


def joined(events: Iterable[StreamEvent]) -> str:
    """The text of the tokens."""
    return "".join(event.data["text"] for event in events if event.name == "token")


async def read_until(stream: AsyncIterator[bytes], *names: str) -> list[StreamEvent]:
    """The events up to the first one of these names; with none, up to the end."""
    parser, events = EventParser(), list[StreamEvent]()
    async for chunk in stream:
        events.extend(parser.feed(chunk))
        if any(event.name in names for event in events):
            return events
    assert not names, f"the stream ended before {names}"
    return events
