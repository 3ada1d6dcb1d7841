"""The stream of whole conversations: from a cursor on, or from a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

import pytest

from kernelchat.commands import Send
from kernelchat.log import TAIL_EVENTS
from kernelchat.server.follow import follow
from kernelchat.server.sse import MAX_SEND
from kernelchat.session import Session
from tools.event_stream import StreamEvent, parse, read_until
from tools.pushed import PATIENCE, PushedModel
from tools.talk import until


async def answered(session_id: str, *pieces: str) -> Session:
    """A conversation with one question and its answer."""
    model = PushedModel()
    session = Session(session_id, model)
    session.execute(Send("c1", "hello"))
    (await model.called()).end(*pieces)
    await until(session.log, lambda: session.idle)
    return session


def reading(
    cursors: Mapping[Session, int | None],
    *,
    with_ids: bool = True,
    stopping: asyncio.Event | None = None,
) -> AsyncGenerator[bytes, None]:
    return follow(cursors, instance="i1", with_ids=with_ids, stopping=stopping or asyncio.Event())


async def events_of(stream: AsyncGenerator[bytes, None]) -> list[StreamEvent]:
    """What is there now: the greeting and what follows in the next send."""
    chunks = [await anext(stream), await anext(stream)]
    await stream.aclose()
    return parse(b"".join(chunks))


async def test_without_a_cursor_the_reader_gets_a_snapshot() -> None:
    session = await answered("s1", "a", "b")
    connected, snapshot = await events_of(reading({session: None}))

    assert (connected.name, connected.id) == ("connected", "")
    assert connected.data == {
        "session_id": "s1",
        "protocol": 1,
        "instance": "i1",
        "status": "idle",
        "message": "connected",
    }
    assert snapshot.name == "snapshot"
    assert [m["text"] for m in snapshot.data["messages"]] == ["hello", "ab"]
    assert int(snapshot.id) == snapshot.data["id"] == session.log.last_id


async def test_after_each_event_come_exactly_the_later_ones() -> None:
    session = await answered("s1", "a", "b", "c")
    first = session.log.last_id
    entries = session.log.read(0) or session.log.read(first - 9) or ()
    ids = [entry.id for entry in entries]

    for number, event_id in enumerate(ids[:-1]):
        _, *events = await events_of(reading({session: event_id}))
        assert [int(event.id) for event in events] == ids[number + 1 :]
        assert [event.data["id"] for event in events] == ids[number + 1 :]


@pytest.mark.parametrize("cursor", [0, 10**18])
async def test_a_cursor_of_another_time_gets_a_snapshot(cursor: int) -> None:
    session = await answered("s1", "a")
    _, *events = await events_of(reading({session: cursor}))

    assert [event.name for event in events] == ["snapshot"]


async def test_a_cursor_that_fell_off_the_log_gets_a_snapshot() -> None:
    model = PushedModel()
    session = Session("s1", model)
    session.execute(Send("c1", "hello"))
    early = session.log.last_id
    (await model.called()).end(*"x" * (TAIL_EVENTS * 2))
    await until(session.log, lambda: session.idle)

    _, *events = await events_of(reading({session: early}))
    assert [event.name for event in events] == ["snapshot"]
    assert events[0].data["messages"][1]["text"] == "x" * (TAIL_EVENTS * 2)


async def test_of_many_conversations_the_id_is_in_the_data_only() -> None:
    one, two = await answered("s1", "a"), await answered("s2", "b")
    stream = reading({one: None, two: two.log.last_id}, with_ids=False)
    events = await events_of(stream)

    assert [(event.name, event.data["session_id"], event.id) for event in events] == [
        ("connected", "s1", ""),
        ("connected", "s2", ""),
        ("snapshot", "s1", ""),
    ]
    assert events[2].data["id"] == one.log.last_id


async def test_new_events_of_all_conversations_come_to_one_reader() -> None:
    models = [PushedModel(), PushedModel()]
    sessions = [Session(f"s{n}", model) for n, model in enumerate(models)]
    stream = reading(dict.fromkeys(sessions), with_ids=False)
    await anext(stream)
    await anext(stream)
    for n, (session, model) in enumerate(zip(sessions, models, strict=True)):
        session.execute(Send("c1", "hello"))
        (await model.called()).end(f"answer {n}")

    async with asyncio.timeout(PATIENCE):
        done: dict[str, str] = {}
        while len(done) < 2:
            for event in await read_until(stream, "done"):
                if event.name == "done":
                    done[event.data["session_id"]] = event.data["fullText"]
    assert done == {"s0": "answer 0", "s1": "answer 1"}
    await stream.aclose()


async def test_no_send_is_larger_than_the_limit_and_nothing_is_lost() -> None:
    model = PushedModel()
    session = Session("s1", model)
    stream = reading({session: session.log.last_id})
    await anext(stream)
    session.execute(Send("c1", "hello"))
    # Little in the log, much on the wire: each NUL is six bytes of JSON.
    pieces = [str(n % 10) + "\0" * 999 for n in range(200)]
    (await model.called()).end(*pieces)
    await until(session.log, lambda: session.idle)
    last = session.log.last_id

    chunks: list[bytes] = []
    while not chunks or int(parse(chunks[-1])[-1].id) < last:
        chunks.append(await anext(stream))
    await stream.aclose()

    assert len(chunks) > 1
    # The whole text at the end is one event, however long it is.
    assert all(len(chunk) <= MAX_SEND or len(parse(chunk)) == 1 for chunk in chunks)
    tokens = [e.data["text"] for e in parse(b"".join(chunks)) if e.name == "token"]
    assert tokens == pieces


async def test_one_event_over_the_limit_goes_alone() -> None:
    session = await answered("s1", "\0" * MAX_SEND)
    stream = reading({session: session.log.last_id - 4})
    await anext(stream)

    names = []
    while "done" not in names:
        names += [event.name for event in parse(await anext(stream))]
    assert names[-2:] == ["token", "done"]
    await stream.aclose()


async def test_readers_are_counted_while_they_read() -> None:
    session = await answered("s1", "a")
    counts: list[int] = []
    session.on_readers_changed(lambda: counts.append(session.http_readers))
    one, two = reading({session: None}), reading({session: None})
    for stream in (one, two):
        await anext(stream)
    for stream in (one, two):
        await stream.aclose()

    assert counts == [1, 2, 1, 0]


async def test_the_stream_ends_once_all_conversations_are_closed() -> None:
    one, two = await answered("s1", "a"), await answered("s2", "b")
    stream = reading({one: one.log.last_id, two: two.log.last_id}, with_ids=False)
    await anext(stream)
    await one.close()
    assert parse(await anext(stream))[0].data["status"] == "closed"
    await two.close()

    assert [e.data["session_id"] for e in await read_until(stream)] == ["s2"]
    assert (one.http_readers, two.http_readers) == (0, 0)


async def test_the_stream_ends_with_the_server() -> None:
    session, stopping = await answered("s1", "a"), asyncio.Event()
    stream = reading({session: session.log.last_id}, stopping=stopping)
    await anext(stream)
    stopping.set()

    assert await read_until(stream) == []
    assert session.http_readers == 0
