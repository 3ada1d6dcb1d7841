"""A stream that is cut anywhere: the reader comes back with its cursor and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelchat import Chat
from kernelchat import commands as c
from kernelchat.log import TAIL_EVENTS
from kernelchat.models.base import Delta
from kernelchat.runtime import runtime
from kernelchat.server.follow import follow
from kernelchat.session import Session
from tools.event_stream import EventReader, StreamEvent, parse
from tools.proxy import Proxy
from tools.pushed import Call, PushedModel
from tools.reading import CUT, Server, View

EXAMPLES = 15
# What a line-based format, a decoder or JSON could trip over.
TEXTS = st.text(st.sampled_from('ab \n\r\0"\\:{}é字🙂\u200d\u2028\ufeff\u0301'), min_size=1)
ANSWERS = st.lists(TEXTS | st.just("data: x\n\nevent: done\n\n"), min_size=1, max_size=12)
CUTS = st.lists(st.integers(0, 2500), max_size=8)


class Feed:
    """Pushes the next piece each time it is asked, the end after the last one."""

    def __init__(self, model: PushedModel, pieces: Sequence[str]) -> None:
        self._model = model
        self._pieces: Iterator[str | None] = iter([*pieces, None])
        self._call: Call | None = None

    def __call__(self) -> None:
        self._call = self._call or self._model.call()
        piece = next(self._pieces, "")
        if piece is None:
            self._call.end()
        elif piece:
            self._call.push(piece)


@contextmanager
def behind_a_proxy(cuts: Sequence[int]) -> Iterator[tuple[Chat, PushedModel, Server]]:
    model = PushedModel()
    chat = Chat(model)
    port = int(chat.endpoint.url.rpartition(":")[2])
    with Proxy(port) as proxy, Server(chat, proxy.port) as server:
        proxy.cut(*cuts)
        yield chat, model, server
    chat.close()


Open = Callable[[Server, int | None], AbstractContextManager[EventReader]]


@pytest.mark.parametrize("open_", [Server.events, Server.view_of], ids=["events", "many"])
@settings(max_examples=EXAMPLES)
@given(pieces=ANSWERS, cuts=CUTS)
def test_a_view_cut_after_any_byte_ends_with_the_whole_talk(
    static_files: object, open_: Open, pieces: list[str], cuts: list[int]
) -> None:
    with behind_a_proxy(cuts) as (chat, model, server):
        reply = chat.ask("question")
        view, feed = View(), Feed(model, pieces)
        while not complete(view):
            feed()
            with suppress(*CUT), open_(server, view.cursor) as reader:
                for event in reader:
                    view.take(event)
                    feed()
                    if complete(view):
                        break
        [answer] = view.answers
        assert answer.text == "".join(pieces) == reply.result()
        assert len(view.messages) == 2
        assert view.messages == chat.messages
        assert len(model.calls) == 1


@settings(max_examples=EXAMPLES)
@given(pieces=ANSWERS, cuts=CUTS)
def test_a_turn_asked_by_post_and_cut_after_any_byte_is_one_turn(
    static_files: object, pieces: list[str], cuts: list[int]
) -> None:
    with behind_a_proxy(cuts) as (chat, model, server):
        text = read_turn(lambda after: server.asked("question", "c1", after), Feed(model, pieces))
        assert text == "".join(pieces)
        assert len(model.calls) == 1
        assert [m.text for m in chat.messages] == ["question", text]


@settings(max_examples=EXAMPLES)
@given(pieces=ANSWERS, cuts=CUTS)
def test_a_turn_asked_by_ticket_and_cut_after_any_byte_is_one_turn(
    static_files: object, pieces: list[str], cuts: list[int]
) -> None:
    with behind_a_proxy(cuts) as (chat, model, server), Server(chat) as direct:
        path = f"/api/chat/stream?message=question&ticket={direct.ticket()}"
        text = read_turn(lambda after: server.stream("GET", path, after), Feed(model, pieces))
        assert text == "".join(pieces)
        assert len(model.calls) == 1
        assert [m.text for m in chat.messages] == ["question", text]


def complete(view: View) -> bool:
    done = [answer.status for answer in view.answers] == ["done"]
    return done and view.state.status == "idle"


def read_turn(
    open_: Callable[[int | None], AbstractContextManager[EventReader]], feed: Feed
) -> str:
    """As an EventSource: again with the last id, until the answer is 204."""
    tokens: list[str] = []
    last: int | None = None
    whole: str | None = None
    while True:
        with suppress(*CUT), open_(last) as reader:
            events = iter(reader)
            if (first := next(events, None)) is None:
                assert whole == "".join(tokens)
                return whole
            for event in chain([first], events):
                feed()
                last = int(event.id)
                if event.name == "token":
                    tokens.append(event.data["text"])
                elif event.name == "done":
                    whole = event.data["fullText"]


# what a cursor can be


def test_a_page_reloaded_in_the_middle_of_an_answer_goes_on(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    chat.ask("question")
    call = model.call()
    with server.view_of() as reader:
        before = View()
        call.push("half ", "an ")
        while not before.answers or before.answers[0].text != "half an ":
            before.read(reader, "token")
    with server.view_of() as reader:
        after = View()
        after.read(reader, "snapshot")
        assert after.answers[0].text == "half an "
        assert after.answers[0].status == "streaming"
        assert after.state.status == "writing"
        call.end("answer")
        token = after.read(reader, "token")
        # The next index, so that a view knows that nothing is missing.
        assert token.data["index"] == 2
        after.read(reader, "done")
    assert after.answers[0].text == "half an answer"
    assert after.snapshots == 1
    assert after.messages == chat.messages


@pytest.mark.parametrize("open_", [Server.events, Server.view_of], ids=["events", "many"])
def test_a_cursor_that_is_no_place_in_the_log_gets_a_snapshot(
    chat: Chat, model: PushedModel, server: Server, open_: Open
) -> None:
    first = first_id(server)
    reply = chat.ask("question")
    model.call().end("answer")
    reply.result()
    with open_(server, first) as reader:
        known = View()
        known.cursor = first
        known.read(reader, "done")
        assert known.snapshots == 0
        last = known.cursor
    ahead = last + 1_000
    for cursor in (None, 0, 1, first - 2, ahead, ahead * 1000, 2**63 - 1):
        with open_(server, cursor) as reader:
            view = View()
            view.read(reader, "snapshot")
            assert view.messages == chat.messages
            assert view.answers[0].text == "answer"


def first_id(server: Server) -> int:
    with server.events() as reader:
        return int(reader.next("snapshot").id)


def test_a_cursor_that_fell_off_the_log_gets_a_snapshot(
    chat: Chat, model: PushedModel, server: Server
) -> None:
    first = first_id(server)
    reply = chat.ask("question")
    pieces = [f"{n} " for n in range(3 * TAIL_EVENTS)]
    model.call().end(*pieces)
    assert reply.result() == "".join(pieces)
    with server.events(first) as reader:
        view = View()
        view.read(reader, "snapshot")
    assert view.answers[0].text == "".join(pieces)
    assert view.answers[0].tokens == len(pieces)


def test_a_cursor_of_an_earlier_kernel_gets_a_snapshot(static_files: object) -> None:
    # A talk of the same name, made anew: what a restarted kernel has.
    chat = Chat(script=["one"], session_id="same-talk")
    chat.ask("question").result()
    with Server(chat) as server, server.events() as reader:
        view = View()
        view.read(reader, "snapshot")
    old = view.cursor
    chat.close()
    chat = Chat(script=["two"], session_id="same-talk")
    with Server(chat) as server, server.events(old) as reader:
        view.read(reader, "snapshot")
    assert view.messages == [] == chat.messages
    assert view.cursor is not None
    assert old is not None
    assert view.cursor > old
    chat.close()


@settings(max_examples=EXAMPLES)
@given(pieces=ANSWERS, visits=st.lists(st.tuples(st.booleans(), st.integers(1, 9))), cuts=CUTS)
def test_two_views_that_come_and_go_in_any_order_see_the_same_talk(
    static_files: object, pieces: list[str], visits: list[tuple[bool, int]], cuts: list[int]
) -> None:
    with behind_a_proxy(cuts) as (chat, model, server):
        chat.ask("question")
        feed, views = Feed(model, pieces), (View(), View())
        for second, count in visits:
            feed()
            visit(server, views[second], count)
        for view in views:
            while not complete(view):
                feed()
                visit(server, view, 1_000)
        assert views[0].messages == views[1].messages == chat.messages
        assert [answer.text for answer in views[0].answers] == ["".join(pieces)]
        assert len(model.calls) == 1


def visit(server: Server, view: View, count: int) -> None:
    """Reads up to so many events of those that are there, and leaves."""
    session = runtime().registry.shared(server.session_id)
    assert session is not None
    there = 1 if view.cursor is None else session.log.last_id - view.cursor
    with suppress(*CUT), server.view_of(view.cursor) as reader:
        for event in islice(reader, 1, 1 + min(count, there)):
            view.take(event)


async def test_after_a_cut_at_every_byte_the_rest_is_exactly_the_rest() -> None:
    session = Session("s1", PushedModel())
    first = session.log.last_id
    conversation = session.conversation
    for text in ("question", "字 🙂\n\ndata: x"):
        conversation.execute(c.Send(c.new_id(), text))
        running = conversation.running
        assert running is not None
        for piece in ("one ", "🙂", "\r\n字", "\u2028"):
            conversation.delta(running.message_id, Delta(piece))
        conversation.finish(running.message_id, "stop", None)
    conversation.close()

    async def stream(cursor: int | None) -> bytes:
        reading = follow({session: cursor}, instance="k1", with_ids=True, stopping=asyncio.Event())
        return b"".join([chunk async for chunk in reading])

    whole = await stream(first)
    rests: dict[int, list[StreamEvent]] = {}
    for cut in range(len(whole) + 1):
        view = View()
        view.cursor = first
        for event in parse(whole[:cut]):
            view.take(event)
        if view.cursor not in rests:
            rests[view.cursor] = parse(await stream(view.cursor))
        for event in rests[view.cursor]:
            view.take(event)
        assert view.snapshots == 0
        assert view.cursor == session.log.last_id
        assert view.messages == session.state.path()
        assert view.state.status == "closed"
    assert len(rests) == session.log.last_id - first + 1
