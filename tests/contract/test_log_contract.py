"""What every EventLog must do, whatever it is made of."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernelchat.events import (
    Done,
    Event,
    MessageAdded,
    Notice,
    Reasoning,
    Status,
    TokenAdded,
    Update,
)
from kernelchat.log import TAIL_CHARACTERS, TAIL_EVENTS, EventLog, MemoryLog
from kernelchat.message import Message

MakeLog: TypeAlias = Callable[[], EventLog]
FIRST = 1_764_000_000_000_000
SLACK = 256
"""How much longer than its bound a tail may be for a while, so that trimming costs little."""

IMPLEMENTATIONS: dict[str, MakeLog] = {"memory": lambda: MemoryLog("s1", FIRST)}


@pytest.fixture(params=IMPLEMENTATIONS)
def make(request: pytest.FixtureRequest) -> MakeLog:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
def log(make: MakeLog) -> EventLog:
    return make()


def token(n: int, text: str = "x") -> TokenAdded:
    return TokenAdded("a1", n, text)


def fill(log: EventLog, count: int) -> list[int]:
    return [log.append(token(n)) for n in range(count)]


def ids(log: EventLog, after: int) -> list[int]:
    entries = log.read(after)
    assert entries is not None
    return [entry.id for entry in entries]


def kept(log: EventLog) -> int:
    """How many events can still be read."""
    low, high = FIRST - 1, log.last_id
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if log.read(middle) is None else (low, middle)
    return log.last_id - low


def test_an_empty_log(log: EventLog) -> None:
    assert log.last_id < log.next_id
    assert ids(log, log.last_id) == []
    assert not log.closed
    assert log.session_id == "s1"


def test_ids_strictly_grow_from_the_first(log: EventLog) -> None:
    given_ids = []
    for n in range(20):
        announced = log.next_id
        given_ids.append(log.append(token(n)))
        assert given_ids[-1] == announced == log.last_id
    assert given_ids[0] == FIRST
    assert given_ids == sorted(set(given_ids))


def test_a_read_gives_events_in_their_places(log: EventLog) -> None:
    events: list[Event] = [Status("thinking"), token(0, "你"), Notice("info", "x", "y")]
    first = log.next_id
    for event in events:
        log.append(event)
    entries = log.read(first - 1)
    assert entries is not None
    assert [entry.event for entry in entries] == events
    assert {entry.session_id for entry in entries} == {"s1"}
    assert [json.loads(entry.data) for entry in entries] == [entry.wire() for entry in entries]
    assert entries[1].wire()["text"] == "你"


@pytest.mark.parametrize("count", [1, 5, TAIL_EVENTS])
def test_every_cursor_is_read_from(log: EventLog, count: int) -> None:
    start = log.last_id
    written = fill(log, count)
    for at, cursor in enumerate([start, *written]):
        assert ids(log, cursor) == written[at:]


def test_a_cursor_from_elsewhere_is_none(log: EventLog) -> None:
    fill(log, 3)
    assert log.read(log.last_id + 1) is None
    assert log.read(FIRST * 2) is None
    assert log.read(FIRST - 2) is None
    assert log.read(0) is None
    assert log.read(-1) is None


def test_a_cursor_that_fell_off_is_none(log: EventLog) -> None:
    start = log.last_id
    written = fill(log, 3 * TAIL_EVENTS)
    assert log.read(start) is None
    assert log.read(written[0]) is None
    # The newest are always there.
    assert ids(log, written[-TAIL_EVENTS - 1]) == written[-TAIL_EVENTS:]


def test_the_tail_is_bounded_in_events(log: EventLog) -> None:
    for n in range(5 * TAIL_EVENTS):
        log.append(token(n))
        if n % 50 == 0:
            assert kept(log) <= TAIL_EVENTS + SLACK
    assert TAIL_EVENTS <= kept(log) <= TAIL_EVENTS + SLACK


LARGE: dict[str, Callable[[str], Event]] = {
    "token": lambda text: token(0, text),
    "reasoning": lambda text: Reasoning("a1", 0, text),
    "message": lambda text: MessageAdded(Message("u1", "user", text)),
    "update": lambda text: Update("u1", {"text": text}),
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_tail_is_bounded_in_characters(log: EventLog, kind: str) -> None:
    size = TAIL_CHARACTERS // 4
    for _ in range(40):
        log.append(LARGE[kind]("x" * size))
        assert kept(log) <= 5
    # One event larger than the whole bound is kept all the same: somebody must be able to read it.
    log.append(LARGE[kind]("x" * 2 * TAIL_CHARACTERS))
    assert kept(log) == 1
    log.append(token(1))
    assert ids(log, log.last_id - 1) == [log.last_id]


def test_an_end_costs_nothing(log: EventLog) -> None:
    # It shares its text with the message, so it must not push the tokens out.
    start = log.last_id
    written = fill(log, 10)
    written.append(log.append(Done("a1", "x" * 2 * TAIL_CHARACTERS, "stop", None, None)))
    assert ids(log, start) == written


@given(st.lists(st.integers(0, TAIL_CHARACTERS // 2), max_size=30), st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=50,
)
def test_a_read_is_all_that_follows_or_nothing(
    make: MakeLog, sizes: list[int], data: st.DataObject
) -> None:
    log = make()
    start = log.last_id
    written = [log.append(token(n, "x" * size)) for n, size in enumerate(sizes)]
    cursor = data.draw(st.sampled_from([start, *written]))
    entries = log.read(cursor)
    if entries is not None:
        assert [entry.id for entry in entries] == [i for i in written if i > cursor]


def test_what_was_read_stays_as_it_is(log: EventLog) -> None:
    fill(log, 5)
    entries = log.read(FIRST - 1)
    assert entries is not None
    before = [entry.id for entry in entries]
    fill(log, 5 * TAIL_EVENTS)
    assert [entry.id for entry in entries] == before


def test_readers_are_woken_after_each_append(log: EventLog) -> None:
    seen: list[int] = []
    undo = log.subscribe(lambda: seen.append(log.last_id))
    other: list[int] = []
    log.subscribe(lambda: other.append(log.last_id))
    first = fill(log, 2)
    assert seen == other == first
    undo()
    undo()  # twice is fine
    second = fill(log, 2)
    assert seen == first
    assert other == first + second


def test_a_reader_may_leave_while_it_is_woken(log: EventLog) -> None:
    calls: list[str] = []

    def once() -> None:
        calls.append("once")
        undo()

    undo = log.subscribe(once)
    log.subscribe(lambda: calls.append("always"))
    fill(log, 2)
    assert calls == ["once", "always", "always"]


def test_close_wakes_for_the_last_time(log: EventLog) -> None:
    woken: list[bool] = []
    start = log.last_id
    written = fill(log, 2)
    log.subscribe(lambda: woken.append(log.closed))
    log.close()
    assert woken == [True]
    assert log.closed
    with pytest.raises(ValueError, match="closed"):
        log.append(token(0))
    assert woken == [True]
    assert ids(log, start) == written


def test_who_comes_after_the_close_is_woken_at_once(log: EventLog) -> None:
    log.close()
    woken = threading.Event()
    log.subscribe(woken.set)
    assert woken.is_set()


def test_other_threads_read_while_one_writes(log: EventLog) -> None:
    count = 20 * TAIL_EVENTS
    start = log.last_id
    problems: list[str] = []
    begin = threading.Barrier(3)

    def read() -> None:
        begin.wait()
        cursor, woken = start, threading.Event()
        undo = log.subscribe(woken.set)
        while cursor < start + count:
            woken.clear()
            entries = log.read(cursor)
            if entries is None:
                if cursor > log.last_id:
                    problems.append(f"{cursor} is ahead")
                cursor = log.last_id
            elif entries:
                found = [entry.id for entry in entries]
                if found != list(range(cursor + 1, cursor + 1 + len(found))):
                    problems.append(f"after {cursor}: {found[:3]}...")
                cursor = found[-1]
            elif not woken.wait(30):
                problems.append("was never woken")
                break
        undo()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    begin.wait()
    fill(log, count)
    for reader in readers:
        reader.join()
    assert problems == []
