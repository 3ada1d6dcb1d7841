"""Stop: idempotent, for the one turn it names; and a turn ends exactly once, whatever races."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernelchat import Chat, ChatError
from kernelchat import commands as c
from kernelchat.events import Done, Event, Failed, Status, TokenAdded
from kernelchat.log import EventLog
from kernelchat.session import Session
from tools.pushed import PATIENCE, Call, PushedModel
from tools.reading import Server
from tools.talk import wait_until


class Kept:
    """Every event of a log from now on, however short its tail."""

    def __init__(self, log: EventLog) -> None:
        self.events: list[Event] = []
        self._log, self._after = log, log.last_id
        log.subscribe(self._take)

    def _take(self) -> None:
        for entry in self._log.read(self._after) or ():
            self.events.append(entry.event)
            self._after = entry.id

    def check(self) -> Counter[str]:
        """Each turn ended at most once, and nothing came after; how often each ended."""
        ends: Counter[str] = Counter()
        for event in self.events:
            match event:
                case TokenAdded(message_id):
                    assert not ends[message_id], "a token after the end"
                case Done(message_id) | Failed(message_id):
                    ends[message_id] += 1
        assert set(ends.values()) <= {1}
        return ends


STEPS = st.lists(
    st.sampled_from(["token", "end", "fail", "stop", "stop it", "stop another", "wait", "ask"]),
    max_size=30,
)


@settings(max_examples=200)
@given(STEPS)
@example(["wait", "end", "wait", "ask", "wait"])  # closed before the next turn could begin
async def test_in_any_order_a_turn_ends_once(steps: list[str]) -> None:
    model = PushedModel()
    session = Session("s1", model)
    kept = Kept(session.log)
    asked: list[str] = []
    calls: list[Call] = []
    for number, step in enumerate(["ask", *steps]):
        match step:
            case "ask":
                asked.append(f"a{number}")
                session.execute(c.Send(f"c{number}", "hello", reply_id=asked[-1]))
            case "stop":
                session.execute(c.Stop(f"c{number}"))
            case "stop it" | "stop another":
                named = asked[-1 if step == "stop it" else 0]
                running = session.conversation.running
                before = running and running.message_id
                session.execute(c.Stop(f"c{number}", message_id=named))
                if before != named:
                    assert session.conversation.running is running
            case "wait":
                await asyncio.sleep(0)
                calls = list(model.calls)
            case "token" if calls:
                calls[-1].push("x")
            case "end" if calls:
                calls[-1].end()
            case "fail" if calls:
                calls[-1].fail(ChatError("server", "no"))
    await session.close()
    ends = kept.check()
    # What never ran was taken back; all else has its end.
    for message_id in asked:
        message = session.state.get(message_id)
        assert (message is None) == (ends[message_id] == 0)
        assert message is None or message.status in ("done", "stopped", "failed")
    assert all(call.closed.is_set() for call in model.calls if call._pieces.empty())


def test_stop_done_and_failure_at_once_from_many_threads(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    kept = Kept(chat._session.log)
    for number in range(30):
        reply = chat.ask("question")
        call = model.call()
        call.push("text")
        start = threading.Barrier(5)

        def at_once(action: object, start: threading.Barrier = start) -> None:
            start.wait(PATIENCE)
            assert callable(action)
            action()

        actions = [
            call.end,
            lambda call=call: call.fail(ChatError("server", "no")),
            chat.stop,
            reply.stop,
            lambda number=number: server.command("stop", f"s{number}"),
        ]
        threads = [threading.Thread(target=at_once, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        wait_until(chat._session.log, lambda: chat._session.idle)
        assert call.closed.wait(PATIENCE)
        assert reply.message.status in ("done", "stopped", "failed")
    ends = kept.check()
    assert len(ends) == 30
    statuses = [event.status for event in kept.events if isinstance(event, Status)]
    assert statuses.count("idle") == 30


def test_a_stop_twice_is_one_stop(chat: Chat, model: PushedModel, server: Server) -> None:
    kept = Kept(chat._session.log)
    reply = chat.ask("question")
    model.call()
    first = server.command("stop", "s1").json()
    assert server.command("stop", "s1").json() == first
    assert server.command("stop", "s2").status_code == 202
    reply.stop()
    chat.stop()
    assert reply.result(PATIENCE) == ""
    assert list(kept.check().values()) == [1]


def test_a_late_stop_leaves_the_next_turn_alone(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    first = chat.ask("one")
    model.call().end("1")
    first.result(PATIENCE)
    second = chat.ask("two")
    call = model.call()
    call.push("half ")
    first.stop()
    chat.stop(first.message.id)
    assert server.command("stop", "s1", message_id=first.message.id).status_code == 202
    assert server.command("stop", "s2", message_id="nobody").status_code == 202
    call.end("a two")
    assert second.result(PATIENCE) == "half a two"
    assert second.message.status == "done"


def test_a_repeated_stop_command_leaves_the_next_turn_alone(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    # The command names no turn; sent again by a client that missed the answer, it is over.
    chat.ask("one")
    model.call().push("half")
    assert server.command("stop", "s1").status_code == 202
    second = chat.ask("two")
    call = model.call()
    assert server.command("stop", "s1").status_code == 202
    call.end("2")
    assert second.result(PATIENCE) == "2"
    assert second.message.status == "done"


def test_after_a_stop_the_queue_goes_on(chat: Chat, model: PushedModel) -> None:
    first, second = chat.ask("one"), chat.ask("two")
    model.call().push("half")
    wait_until(chat._session.log, lambda: first.text == "half")
    first.stop()
    assert first.result(PATIENCE) == "half"
    call = model.call()
    assert [m["content"] for m in call.messages] == ["one", "half", "two"]
    call.end("2")
    assert second.result(PATIENCE) == "2"
