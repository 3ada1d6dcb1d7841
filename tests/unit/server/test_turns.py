"""Turns that somebody asked for over HTTP: tickets, commands, and the stream of one turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from kernelchat import session as session_module
from kernelchat.commands import Clear, QueueRemove, Send
from kernelchat.errors import ChatError
from kernelchat.log import TAIL_EVENTS
from kernelchat.registry import Grant
from kernelchat.server import turns
from kernelchat.server.sse import MAX_SEND
from kernelchat.server.turns import AskedTurn, AskedTurns, turn_stream
from kernelchat.session import Session
from tools.event_stream import joined, parse, read_until
from tools.pushed import PATIENCE, Call, PushedModel
from tools.talk import until


class Asking:
    """A conversation, and the turns asked for in it."""

    def __init__(self) -> None:
        self.model = PushedModel()
        self.session = Session("s1", self.model)
        self.turns = AskedTurns()

    def ask(self, command_id: str = "c1", text: str = "hello") -> AskedTurn:
        return self.turns.ask(self.session, text, command_id)

    async def answered(self, *pieces: str) -> AskedTurn:
        turn = self.ask()
        (await self.model.called()).end(*pieces)
        await self.idle()
        return turn

    async def forgotten(self, turn: AskedTurn) -> None:
        """The task of a turn ends a step after its last event."""
        async with asyncio.timeout(PATIENCE):
            while turn.kept:  # noqa: ASYNC110 - nothing is set then
                await asyncio.sleep(0)

    async def idle(self) -> None:
        await until(self.session.log, lambda: self.session.idle)


@pytest.fixture
async def asking() -> Asking:
    return Asking()


def stream_of(turn: AskedTurn, after: int | None = None) -> AsyncGenerator[bytes, None]:
    return turn_stream(turn, after, instance="i1", stopping=asyncio.Event())


# who asked for what


async def test_the_same_command_is_the_same_turn(asking: Asking) -> None:
    turn = asking.ask()

    assert asking.ask() is turn
    assert asking.ask("c2") is not turn
    await asking.model.called()
    assert len(asking.model.calls) == 1


async def test_talks_of_one_name_in_two_chats_stay_apart(asking: Asking) -> None:
    other = Session("s1", PushedModel())
    mine, theirs = asking.ask(), asking.turns.ask(other, "hello", "c1")

    assert mine is not theirs
    assert theirs.session is other


async def test_a_command_is_not_carried_out_again_once_its_turn_is_forgotten(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "KEEP_ENDED_TURNS", -1.0)
    await asking.forgotten(await asking.answered("a"))

    with pytest.raises(ChatError) as refused:
        asking.ask()
    assert refused.value.kind == "not_found"
    assert len(asking.model.calls) == 1


async def test_a_refused_question_leaves_nothing_behind(asking: Asking) -> None:
    with pytest.raises(ChatError):
        asking.ask(text="  ")

    assert asking.ask().reply_id in asking.session.state.ids()


async def test_a_ticket_that_was_not_used_in_time_is_none(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "START_WITHIN", -1.0)

    assert asking.turns.ticket(asking.turns.issue(Grant())) is None


async def test_a_ticket_holds_as_long_as_its_turn(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = asking.turns.issue(Grant("w1"))
    ticket = asking.turns.ticket(name)
    assert ticket is not None
    assert ticket.grant == Grant("w1")
    ticket.turn = asking.turns.start(asking.session, "hello", "c1")
    ticket.until = 0.0
    call = await asking.model.called()
    assert asking.turns.ticket(name) is ticket
    call.end("a")
    await asking.idle()
    assert asking.turns.ticket(name) is ticket

    monkeypatch.setattr(session_module, "KEEP_ENDED_TURNS", -1.0)
    name = asking.turns.issue(Grant())
    ticket = asking.turns.ticket(name)
    assert ticket is not None
    turn = ticket.turn = asking.turns.start(asking.session, "again", "c2")
    (await asking.model.called()).end("b")
    await asking.forgotten(turn)
    assert asking.turns.ticket(name) is None


@pytest.mark.parametrize("name", ["", "x", "None"])
async def test_a_made_up_ticket_is_none(asking: Asking, name: str) -> None:
    asking.turns.issue(Grant())

    assert asking.turns.ticket(name) is None


async def test_tickets_and_turns_do_not_pile_up(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MAX_TURNS", 3)
    names = [asking.turns.issue(Grant()) for _ in range(5)]

    assert [asking.turns.ticket(name) is not None for name in names] == [False, False] + [True] * 3


# the stream of one turn


async def test_a_turn_from_its_first_event_to_its_end(asking: Asking) -> None:
    turn = await asking.answered("Hel", "lo")
    connected, *tokens, done = await read_until(stream_of(turn))

    assert (connected.name, int(connected.id)) == ("connected", turn.first_id)
    assert [(t.name, t.data["index"], t.data["text"]) for t in tokens] == [
        ("token", 0, "Hel"),
        ("token", 1, "lo"),
    ]
    assert (done.name, done.data["fullText"], done.data["finish_reason"]) == (
        "done",
        "Hello",
        "stop",
    )
    assert int(done.id) == done.data["id"]
    assert {e.data["message_id"] for e in (*tokens, done)} == {turn.reply_id}


async def test_after_any_event_of_it_the_rest_comes_to_the_letter(asking: Asking) -> None:
    pieces = ["你", "好，", "wor", "ld\n", "\n", "👋🏽", "!"]
    turn = await asking.answered(*pieces)
    whole = await read_until(stream_of(turn))

    for number, event in enumerate(whole[:-1]):
        assert not turn.all_delivered(int(event.id))
        again = await read_until(stream_of(turn, int(event.id)))
        assert again[0].id == event.id
        assert again[1:] == whole[number + 1 :]
    assert turn.all_delivered(int(whole[-1].id))


@pytest.mark.parametrize("after", [0, 10**18])
async def test_a_cursor_that_is_not_of_this_turn_starts_over(asking: Asking, after: int) -> None:
    turn = asking.ask()
    call = await asking.model.called()
    stream = stream_of(turn, after)
    assert int(parse(await anext(stream))[0].id) == turn.first_id
    call.end("a")

    assert joined(await read_until(stream)) == "a"


async def test_a_reader_that_fell_behind_gets_what_is_missing_as_one_token(asking: Asking) -> None:
    turn = asking.ask()
    call = await asking.model.called()
    stream = stream_of(turn)
    await anext(stream)
    call.push("first")
    (first,) = parse(await anext(stream))
    call.end(*"x" * (TAIL_EVENTS * 2))
    await asking.idle()

    missing, done = await read_until(stream)
    assert (missing.name, missing.data["index"]) == ("token", 1)
    assert first.data["text"] + missing.data["text"] == done.data["fullText"]


async def test_who_comes_back_after_that_gets_no_letter_twice(asking: Asking) -> None:
    turn = asking.ask()
    call = await asking.model.called()
    call.push(*"x" * (TAIL_EVENTS * 2))
    await until(
        asking.session.log,
        lambda: asking.session.state.draft(turn.reply_id).tokens == TAIL_EVENTS * 2,
    )
    stream = stream_of(turn)
    _, token = await read_until(stream, "token")
    await stream.aclose()
    call.end("the end")
    await asking.idle()

    rest = await read_until(stream_of(turn, int(token.id)))
    assert [e.name for e in rest] == ["connected", "token", "done"]
    assert token.data["text"] + joined(rest) == rest[-1].data["fullText"]


async def test_no_send_is_larger_than_the_limit(asking: Asking) -> None:
    pieces = [str(n % 10) + "\0" * 999 for n in range(200)]
    turn = await asking.answered(*pieces)
    chunks = [chunk async for chunk in stream_of(turn)]

    assert len(chunks) > 2
    # The whole text at the end is one event, however long it is.
    assert max(map(len, chunks[:-1])) <= MAX_SEND
    assert [event.name for event in parse(chunks[-1])] == ["done"]
    events = parse(b"".join(chunks))
    assert joined(events) == "".join(pieces)
    assert [event.name for event in events].count("done") == 1


async def test_a_failure_is_the_end_and_says_why(asking: Asking) -> None:
    turn = asking.ask()
    call = await asking.model.called()
    call.push("so far")
    call.fail(ChatError("quota", "No money left."))
    await asking.idle()

    *_, error = await read_until(stream_of(turn))
    assert error.name == "error"
    assert (error.data["kind"], error.data["message"]) == ("quota", "No money left.")
    assert turn.all_delivered(int(error.id))


async def test_what_happens_around_it_is_not_in_the_stream(asking: Asking) -> None:
    one = asking.ask("c1", "one")
    two = asking.ask("c2", "two")
    for text in ("first", "second"):
        (await asking.model.called()).end(text)
    await until(asking.session.log, lambda: two.all_delivered(asking.session.log.last_id))

    for turn, text in ((one, "first"), (two, "second")):
        events = await read_until(stream_of(turn))
        assert [event.name for event in events] == ["connected", "token", "done"]
        assert joined(events) == text


async def test_a_stopped_turn_ends_with_what_had_come(asking: Asking) -> None:
    turn = asking.ask()
    call = await asking.model.called()
    call.push("so far")
    stream = stream_of(turn)
    await read_until(stream, "token")
    asking.session.execute(Clear("c2"))

    (done,) = await read_until(stream)
    assert (done.data["finish_reason"], done.data["fullText"]) == ("stopped", "so far")


async def taken_back(asking: Asking) -> tuple[AskedTurn, Call]:
    asking.session.execute(Send("c0", "first"))
    call = await asking.model.called()
    turn = asking.ask()
    return turn, call


async def test_a_question_that_is_taken_back_ends_with_an_error(asking: Asking) -> None:
    turn, _ = await taken_back(asking)
    stream = stream_of(turn)
    await anext(stream)
    asking.session.execute(QueueRemove("c2", turn.question_id))

    (error,) = await read_until(stream)
    assert (error.name, error.data["kind"]) == ("error", "cancelled")
    assert turn.all_delivered(int(error.id))
    assert not turn.all_delivered(turn.first_id)


async def test_so_it_does_for_who_comes_long_after(asking: Asking) -> None:
    turn, call = await taken_back(asking)
    asking.session.execute(QueueRemove("c2", turn.question_id))
    call.end(*"x" * (TAIL_EVENTS * 2))
    await asking.idle()

    async with asyncio.timeout(PATIENCE):
        connected, error = await read_until(stream_of(turn, turn.first_id))
    assert (connected.name, error.name, error.data["kind"]) == ("connected", "error", "cancelled")
    assert turn.all_delivered(int(error.id))


async def test_a_chat_that_closes_ends_all_its_turns(asking: Asking) -> None:
    running = asking.ask("c1")
    waiting = asking.ask("c2")
    await asking.model.called()
    streams = [stream_of(running), stream_of(waiting)]
    for stream in streams:
        await anext(stream)
    await asking.session.close()

    ends = [(await read_until(stream))[-1] for stream in streams]
    assert [end.name for end in ends] == ["done", "error"]
