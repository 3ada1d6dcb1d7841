from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelchat import commands as c
from kernelchat import events as e
from kernelchat import log
from kernelchat.errors import ChatError
from kernelchat.events import Done, Event, Failed, TokenAdded
from kernelchat.reader import TextReader
from tools.talk import FIRST_ID, Talk, said

OFF_THE_LOG = 30
"""So many events push all that was there before off the log."""


@pytest.fixture(scope="module", autouse=True)
def short_log() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "TAIL_EVENTS", 8)
        patch.setattr(log, "_SLACK", 4)
        yield


class Reading:
    """What a reader got: text by message, and the ends."""

    def __init__(self, talk: Talk, after: int, message_id: str | None = None) -> None:
        self.reader = TextReader(talk.log, talk.state, after, message_id)
        self.texts: dict[str, str] = {}
        self.indices: dict[str, list[int]] = {}
        self.ends: list[Done | Failed] = []
        self.ids: list[int] = []

    def take(self, at_most: int | None = None) -> None:
        for event_id, event in islice(self.reader.take(), at_most):
            self.ids.append(event_id)
            if isinstance(event, TokenAdded):
                ended = [end.message_id for end in self.ends]
                assert event.message_id not in ended
                text = self.texts.get(event.message_id, "")
                self.texts[event.message_id] = text + event.text
                self.indices.setdefault(event.message_id, []).append(event.index)
            elif isinstance(event, Done | Failed):
                self.ends.append(event)

    def check(self, talk: Talk, begun: dict[str, int]) -> None:
        """All texts are those of the messages, from where the reading began."""
        answers = [m for i in talk.state.ids() if (m := talk.message(i)).role == "assistant"]
        for message in answers:
            if message.id in begun:
                expected = message.text[begun[message.id] :]
                assert self.texts.get(message.id, "") == expected
        ended = [end.message_id for end in self.ends]
        assert ended == [m.id for m in answers if m.id in begun and m.status != "streaming"]
        for end in self.ends:
            message = talk.message(end.message_id)
            if isinstance(end, Done):
                assert end.full_text == message.text
                assert end.finish_reason == message.finish_reason
                assert (end.usage, end.timing) == (message.usage, message.timing)
            else:
                assert message.error == {
                    "kind": end.kind,
                    "message": end.message,
                    "retryable": end.retryable,
                }
        assert self.ids == sorted(self.ids)
        for indices in self.indices.values():
            assert indices == sorted(set(indices))


step = st.one_of(
    st.just(("send", 0)),
    st.tuples(st.just("text"), st.integers(1, 3)),
    st.tuples(st.just("flood"), st.sampled_from([1, OFF_THE_LOG])),
    st.just(("noise", OFF_THE_LOG)),
    st.sampled_from([("finish", 0), ("fail", 0), ("stop", 0), ("regenerate", 0)]),
    st.tuples(st.sampled_from(["take 1", "take 2", "take both"]), st.integers(1, 4)),
    st.sampled_from([("take 1", 0), ("take 2", 0)]),
)


def play(talk: Talk, kind: str, count: int) -> None:
    conversation = talk.conversation
    running = conversation.running
    match kind:
        case "send":
            talk.send()
        case "text" | "flood" if running:
            for n in range(count):
                talk.say(f"{n}个,")
        case "noise":
            for _ in range(count):
                conversation.notice("info", "test", "noise")
        case "finish" if running:
            talk.finish()
        case "fail" if running:
            conversation.fail(running.message_id, ChatError("server", "It failed."))
        case "stop":
            conversation.execute(c.Stop(talk.id()))
        case "regenerate" if len(talk.shown()) > 1:
            conversation.execute(c.Regenerate(talk.id()))


@given(st.lists(step, max_size=25), st.lists(step, max_size=25))
@settings(max_examples=150, deadline=None)
def test_joined_tokens_are_the_message_however_one_reads(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    talk = Talk()
    talk.conversation.seed([{"role": "assistant", "content": "I was here before."}])
    first = Reading(talk, talk.log.last_id)
    readers = {"take 1": [first]}
    from_the_top = dict.fromkeys(talk.state.ids(), 0)

    def run(steps: list[tuple[str, int]]) -> None:
        for kind, count in steps:
            if kind == "take both":
                chosen = [reading for each in readers.values() for reading in each]
            else:
                chosen = readers.get(kind, [])
            for reading in chosen:
                reading.take(count or None)
            play(talk, kind, count)

    run(before)
    # The second one begins somewhere, perhaps in the middle of an answer.
    second = Reading(talk, talk.log.last_id)
    readers["take 2"] = [second]
    known = talk.state.ids()
    half = talk.conversation.running
    begun_second = {half.message_id: len(talk.message(half.message_id).text)} if half else {}
    run(after)
    for reading in (first, second):
        reading.take()
        reading.take()
    answers = {i: 0 for i in talk.state.ids() if i not in from_the_top}
    first.check(talk, answers)
    second.check(talk, begun_second | {i: 0 for i in talk.state.ids() if i not in known})


@given(st.lists(step, max_size=30))
@settings(max_examples=100, deadline=None)
def test_one_answer_alone(steps: list[tuple[str, int]]) -> None:
    talk = Talk()
    talk.ask("before", "earlier")
    after = talk.log.last_id
    talk.send("now", reply_id="mine")
    reading = Reading(talk, after, "mine")
    for kind, count in steps:
        if kind.startswith("take"):
            reading.take(count or None)
        play(talk, kind, count)
    reading.take()
    assert set(reading.texts) <= {"mine"}
    reading.check(talk, {"mine": 0})


def noise(talk: Talk) -> None:
    for _ in range(OFF_THE_LOG):
        talk.conversation.notice("info", "test", "noise")


def test_who_fell_behind_gets_the_missing_text_as_one_token() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    talk.say("zero ")
    reader = TextReader(talk.log, talk.state, FIRST_ID - 1)
    tokens = [event for _, event in reader.take() if isinstance(event, TokenAdded)]
    assert [token.text for token in tokens] == ["zero "]
    talk.say(*(f"{n} " for n in range(OFF_THE_LOG)))
    late = [event for _, event in reader.take()]
    missing = "".join(f"{n} " for n in range(OFF_THE_LOG))
    assert late == [TokenAdded("a", 1, missing)]
    talk.finish("end")
    assert next(event for _, event in reader.take()) == TokenAdded("a", OFF_THE_LOG + 1, "end")


def test_a_reader_that_begins_in_an_answer_misses_nothing_after() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    talk.say("before ")
    reading = Reading(talk, talk.log.last_id)
    talk.say("after")
    talk.finish()
    noise(talk)
    reading.take()
    assert reading.texts == {"a": "after"}
    assert [end.message_id for end in reading.ends] == ["a"]


def test_a_pause_at_the_first_token_loses_nothing() -> None:
    # The reader got hold of the beginning, and the answer ended before it went on.
    talk = Talk()
    reading = Reading(talk, talk.log.last_id)
    talk.send(reply_id="a")
    talk.say("one ")
    waiting = reading.reader.take()
    next(waiting)
    talk.say(*["more "] * OFF_THE_LOG)
    talk.finish()
    texts = [event.text for _, event in waiting if isinstance(event, TokenAdded)]
    assert "".join(texts) == talk.message("a").text


def test_what_was_said_before_is_no_token() -> None:
    talk = Talk()
    talk.conversation.seed([{"role": "assistant", "content": "Hello!"}])
    reading = Reading(talk, talk.log.last_id)
    noise(talk)
    reading.take()
    assert reading.texts == {}
    assert reading.ends == []


def test_a_late_reader_of_a_whole_answer() -> None:
    talk = Talk()
    after = talk.log.last_id
    talk.send(reply_id="a")
    talk.finish("Hello")
    noise(talk)
    assert [event.name for _, event in TextReader(talk.log, talk.state, after, "a").take()] == [
        "token",
        "done",
    ]


def test_a_failure_is_made_up_too() -> None:
    talk = Talk()
    after = talk.log.last_id
    talk.send(reply_id="a")
    talk.say("half")
    talk.conversation.fail("a", ChatError("quota", "No credit.", retryable=False))
    noise(talk)
    events = [event for _, event in TextReader(talk.log, talk.state, after, "a").take()]
    assert events == [TokenAdded("a", 0, "half"), Failed("a", "quota", "No credit.", False)]


def test_who_leaves_in_the_middle_goes_on_there() -> None:
    talk = Talk()
    reading = Reading(talk, talk.log.last_id)
    for n in range(3):
        talk.ask(f"q{n}", f"a{n}")
    noise(talk)
    for _ in range(20):
        reading.take(1)
    assert list(reading.texts.values()) == ["a0", "a1", "a2"]
    assert len(reading.ends) == 3


def test_resuming_after_what_one_has() -> None:
    talk = Talk()
    talk.send(reply_id="a")
    talk.say("Hel", "lo", " you")
    cursor = next(event_id for event_id, event in talk.events if event == TokenAdded("a", 0, "Hel"))
    reader = TextReader(talk.log, talk.state, cursor, "a")
    reader.resume("a", *talk.state.draft("a").after(cursor))
    noise(talk)
    assert [event for _, event in reader.take()] == [TokenAdded("a", 1, "lo you")]


@pytest.mark.parametrize("kinds", [(e.Status,), (e.MessageAdded, e.Leaf)])
def test_other_events_pass_as_they_are(kinds: tuple[type[Event], ...]) -> None:
    talk = Talk()
    reader = TextReader(talk.log, talk.state, talk.log.last_id)
    talk.ask("one", "1")
    read = [event for _, event in reader.take()]
    for kind in kinds:
        assert said(read, kind) == said(talk.events, kind)


def test_two_cursors_know_nothing_of_each_other() -> None:
    talk = Talk()
    readings = [Reading(talk, talk.log.last_id) for _ in range(2)]
    actions: list[Callable[[], None]] = [readings[0].take, lambda: None]
    talk.send(reply_id="a")
    for act in actions * 3:
        talk.say("x")
        act()
    readings[1].take()
    assert readings[1].texts == {"a": "x" * 6}
    readings[0].take()
    assert readings[0].texts == {"a": "x" * 6}
