"""The encoder, and the stream that one reader gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelchat.events import Notice, TokenAdded
from kernelchat.log import Entry, MemoryLog
from kernelchat.server import sse
from kernelchat.server.protocol import ABORT
from kernelchat.server.sse import BEAT, PRELUDE, EventResponse, Pulse, Signal, encode, pump
from tools.event_stream import EventParser, parse
from tools.pushed import PATIENCE

ANY_TEXT = st.text(st.characters(exclude_categories=()))
LINE_ENDS = [
    "\n",
    "\r",
    "\r\n",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x0c",
    "\n\ndata: x",
    "\ufeff",
]


@settings(deadline=None)
@given(ANY_TEXT, st.none() | st.integers(0, 10**18))
def test_any_text_arrives_as_it_was_sent(text: str, event_id: int | None) -> None:
    (event,) = parse(encode("token", {"text": text}, event_id))

    assert (event.name, event.data["text"]) == ("token", text)
    assert event.id == ("" if event_id is None else str(event_id))


@settings(deadline=None)
@given(ANY_TEXT, st.text())
def test_an_entry_of_the_log_arrives_as_it_is(text: str, session_id: str) -> None:
    entry = Entry(7, session_id, TokenAdded("m1", 3, text))
    (event,) = parse(encode(entry.event.name, entry.data, entry.id))

    assert event.id == "7"
    assert event.data == entry.wire()


@pytest.mark.parametrize("text", LINE_ENDS)
def test_what_ends_a_line_elsewhere_ends_none_here(text: str) -> None:
    data = encode("token", {"text": text}, 7)

    assert [line.partition(b":")[0] for line in data.split(b"\n")] == [
        b"id",
        b"event",
        b"data",
        b"",
        b"",
    ]
    assert b"\r" not in data
    assert parse(data)[0].data == {"text": text}


@settings(deadline=None)
@given(st.lists(ANY_TEXT, min_size=1), st.data())
def test_events_may_be_cut_anywhere(texts: list[str], data: st.DataObject) -> None:
    whole = b"".join(encode("token", {"text": text}, n) for n, text in enumerate(texts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    parser = EventParser()

    events = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        events += parser.feed(whole[start:end])

    assert [event.data["text"] for event in events] == texts


def test_half_a_character_costs_no_stream() -> None:
    assert json.loads(parse(encode("error", {"message": "\ud83d"}))[0].text) == {
        "message": "\ud83d"
    }


async def test_a_signal_set_early_is_not_lost_and_counts_once() -> None:
    signal = Signal()
    signal.set()
    signal.set()
    await signal.wait()
    waiting = asyncio.ensure_future(signal.wait())
    await asyncio.sleep(0)

    assert not waiting.done()
    signal.set()
    await waiting


async def test_a_signal_survives_who_waited_and_went() -> None:
    signal = Signal()
    waiting = asyncio.ensure_future(signal.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    signal.set()

    async with asyncio.timeout(PATIENCE):
        await signal.wait()


async def test_a_pulse_beats_again_and_again_in_silence() -> None:
    signal = Signal()
    pulse = Pulse(signal, 0.01)
    for _ in range(3):
        async with asyncio.timeout(PATIENCE):
            await signal.wait()
        assert pulse.due
        pulse.sent()
    pulse.stop()


class Clock:
    """A loop as far as a pulse needs one; its time passes by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append((self.now + seconds, call))
        return Timer(self.timers, self.timers[-1])

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        for timer in due:
            self.timers.remove(timer)
            timer[1]()


class Timer:
    def __init__(self, timers: list[Any], timer: Any) -> None:
        self._timers = timers
        self._timer = timer

    def cancel(self) -> None:
        self._timers.remove(self._timer)


def test_a_pulse_counts_from_what_was_sent_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    pulse = Pulse(Signal())

    clock.advance(9)
    pulse.sent()
    clock.advance(9)
    early = pulse.due
    clock.advance(1)
    assert (early, pulse.due) == (False, True)
    pulse.stop()
    assert clock.timers == []


class CountedLog(MemoryLog):
    """A log that knows how many wait for it."""

    def __init__(self) -> None:
        super().__init__("s1", 1)
        self.readers = 0

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        undo = super().subscribe(wake)
        self.readers += 1

        def end() -> None:
            self.readers -= 1
            undo()

        return end


def pumped(
    log: MemoryLog, stopping: asyncio.Event | None = None
) -> tuple[AsyncGenerator[bytes, None], list[int]]:
    """The notices of a log as bytes, and how many were taken each time."""
    cursor, taken = log.last_id, list[int]()

    def collect() -> bytes:
        nonlocal cursor
        entries = log.read(cursor) or ()
        cursor = log.last_id
        taken.append(len(entries))
        return b"".join(encode(entry.event.name, entry.data, entry.id) for entry in entries)

    stream = pump(
        [log],
        prelude=b": hello\n\n",
        collect=collect,
        over=lambda: log.closed,
        stopping=stopping or asyncio.Event(),
    )
    return stream, taken


def say(log: MemoryLog, count: int = 1) -> None:
    for _ in range(count):
        log.append(Notice("info", "test", "x"))


async def test_the_stream_begins_at_once_and_carries_what_comes() -> None:
    log = CountedLog()
    stream, _ = pumped(log)

    assert await anext(stream) == PRELUDE + b": hello\n\n"
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    say(log)
    assert [event.name for event in parse(await waiting)] == ["notice"]
    await stream.aclose()
    assert log.readers == 0


async def test_a_backlog_leaves_in_one_send() -> None:
    log = CountedLog()
    stream, taken = pumped(log)
    await anext(stream)
    say(log, 300)

    assert len(parse(await anext(stream))) == 300
    assert taken == [300]
    await stream.aclose()


async def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT", 0.01)
    stream, _ = pumped(CountedLog())
    await anext(stream)

    async with asyncio.timeout(PATIENCE):
        assert [await anext(stream) for _ in range(3)] == [BEAT] * 3
    await stream.aclose()


async def test_the_stream_ends_with_the_log_and_leaves_nothing_out() -> None:
    log = CountedLog()
    stream, _ = pumped(log)
    await anext(stream)
    say(log, 2)
    log.close()

    assert [len(parse(chunk)) async for chunk in stream] == [2]
    assert log.readers == 0


async def test_the_stream_ends_with_the_server() -> None:
    log, stopping = CountedLog(), asyncio.Event()
    stream, _ = pumped(log, stopping)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    stopping.set()

    async with asyncio.timeout(PATIENCE):
        assert await waiting is None
    assert log.readers == 0


class Reader:
    """The other end of an ASGI response: takes so many messages, then nothing more."""

    def __init__(self, takes: int) -> None:
        self.taken: list[Any] = []
        self.stuck = asyncio.Event()
        self.left = asyncio.Event()
        self.aborted = asyncio.Event()
        self.scope = {
            "type": "http",
            "method": "GET",
            "asgi": {"spec_version": "2.3"},
            "state": {ABORT: self.aborted.set},
        }
        self._takes = takes

    async def send(self, message: Any) -> None:
        if len(self.taken) == self._takes:
            self.stuck.set()
            await asyncio.Event().wait()
        self.taken.append(message)

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


class Endless:
    """Events without end, and whether they were ended."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x"
        finally:
            self.closed.set()


async def test_a_reader_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SEND_TIMEOUT", 0.01)
    reader, events = Reader(takes=3), Endless()

    async with asyncio.timeout(PATIENCE):
        await EventResponse(events.stream())(reader.scope, reader.receive, reader.send)

    assert reader.aborted.is_set()
    assert events.closed.is_set()


async def test_a_reader_that_leaves_in_the_middle_of_a_send_ends_its_events() -> None:
    reader, events = Reader(takes=3), Endless()
    response = EventResponse(events.stream())
    answering = asyncio.ensure_future(response(reader.scope, reader.receive, reader.send))
    await reader.stuck.wait()
    reader.left.set()

    async with asyncio.timeout(PATIENCE):
        await answering
    assert events.closed.is_set()
    assert not reader.aborted.is_set()


async def test_a_stream_that_ends_is_ended_properly() -> None:
    async def two() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"

    reader = Reader(takes=10)
    await EventResponse(two())(reader.scope, reader.receive, reader.send)

    head, *chunks = reader.taken
    headers = dict(head["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"x-accel-buffering"] == b"no"
    assert [(c["body"], c["more_body"]) for c in chunks] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]
