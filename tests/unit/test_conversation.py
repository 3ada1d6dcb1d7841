from __future__ import annotations

import pytest

from kernelchat import commands as c
from kernelchat.conversation import MAX_ANSWER_BYTES, EndTurn
from kernelchat.errors import ChatError
from kernelchat.events import (
    Done,
    Failed,
    Notice,
    Reasoning,
    Status,
    TokenAdded,
)
from kernelchat.models.base import Delta
from tools.talk import Talk, refused, said


@pytest.fixture
def talk() -> Talk:
    return Talk()


# one question, one answer


def test_a_question_and_its_answer(talk: Talk) -> None:
    talk.send("What is SSE?", message_id="u", reply_id="a")
    talk.seconds = 0.5
    talk.say("Server-", "Sent ")
    talk.seconds = 1.5
    talk.conversation.finish("a", "stop", {"total_tokens": 9})
    question, answer = talk.state.path()
    assert (question.id, question.role, question.text) == ("u", "user", "What is SSE?")
    assert (question.status, question.parent_id) == ("done", None)
    assert (answer.id, answer.role, answer.text) == ("a", "assistant", "Server-Sent ")
    assert (answer.status, answer.finish_reason, answer.tokens) == ("done", "stop", 2)
    assert answer.usage == {"total_tokens": 9}
    assert answer.timing == {"first_token_ms": 500, "total_ms": 1500, "tokens_per_second": 1.0}
    assert answer.created_at == question.created_at == 1_764_000_000_000
    assert talk.state.status == "idle"
    assert talk.names() == [
        "message",
        "message",
        "leaf",
        "status",
        "status",
        "token",
        "token",
        "done",
        "status",
    ]
    assert [s.status for s in said(talk.events, Status) if isinstance(s, Status)] == [
        "thinking",
        "writing",
        "idle",
    ]


def test_the_model_is_asked_with_the_whole_talk(talk: Talk) -> None:
    talk.ask("one", "first")
    talk.send("two")
    first, second = talk.started()
    assert [m.to_openai() for m in first.messages] == [{"role": "user", "content": "one"}]
    assert [(m.role, m.text) for m in second.messages] == [
        ("user", "one"),
        ("assistant", "first"),
        ("user", "two"),
    ]


def test_tokens_are_counted_from_0_in_each_message(talk: Talk) -> None:
    talk.ask("one", "a")
    talk.send("two")
    talk.say("b", "", "c")
    assert [
        (t.index, t.text) for t in said(talk.events, TokenAdded) if isinstance(t, TokenAdded)
    ] == [
        (0, "a"),
        (0, "b"),
        (1, "c"),
    ]


def test_thoughts_and_citations(talk: Talk) -> None:
    talk.send()
    talk.say(Delta(reasoning="hm"), Delta(reasoning="so", citations=({"id": "k1"},)))
    assert talk.state.status == "thinking"
    talk.finish(Delta("42", citations=({"id": "k2"},)))
    answer = talk.state.path()[-1]
    assert (answer.reasoning, answer.text) == ("hmso", "42")
    assert answer.citations == ({"id": "k1"}, {"id": "k2"})
    assert [r.index for r in said(talk.events, Reasoning) if isinstance(r, Reasoning)] == [0, 1]


def test_an_answer_without_a_token_ends_all_the_same(talk: Talk) -> None:
    talk.send()
    talk.finish()
    answer = talk.state.path()[-1]
    assert (answer.status, answer.text) == ("done", "")
    assert answer.timing == {"first_token_ms": None, "total_ms": 0, "tokens_per_second": None}


# a turn ends exactly once


def end_by_finish(talk: Talk, reply_id: str) -> None:
    talk.conversation.finish(reply_id, "stop", None)


def end_by_fail(talk: Talk, reply_id: str) -> None:
    talk.conversation.fail(reply_id, ChatError("server", "It failed."))


def end_by_stop(talk: Talk, reply_id: str) -> None:
    talk.conversation.execute(c.Stop(talk.id(), reply_id))


def end_by_length(talk: Talk, reply_id: str) -> None:
    talk.conversation.delta(reply_id, Delta("x" * (MAX_ANSWER_BYTES + 1)))


ENDS = [end_by_finish, end_by_fail, end_by_stop, end_by_length]


@pytest.mark.parametrize("second", ENDS)
@pytest.mark.parametrize("first", ENDS)
def test_a_turn_ends_exactly_once(talk: Talk, first: object, second: object) -> None:
    assert callable(first)
    assert callable(second)
    talk.send(reply_id="a")
    talk.say("some")
    first(talk, "a")
    ended = talk.state.ended("a")
    message = talk.message("a")
    second(talk, "a")
    assert not talk.conversation.delta("a", Delta("late"))
    talk.conversation.retrying("a", 5)
    talk.conversation.thinking("a")
    assert talk.message("a") == message
    assert talk.state.ended("a") == ended
    assert len(said(talk.events, Done)) + len(said(talk.events, Failed)) == 1
    assert talk.state.status == "idle"


def test_text_after_the_close_is_refused(talk: Talk) -> None:
    talk.send(reply_id="a")
    talk.say("some")
    talk.conversation.close()
    events = list(talk.events)
    assert not talk.conversation.delta("a", Delta("late"))
    talk.conversation.finish("a", "stop", None)
    talk.conversation.notice("info", "late", "late")
    talk.conversation.close()
    assert talk.events == events
    assert talk.message("a").status == "stopped"
    assert talk.message("a").text == "some"


def test_close_takes_back_what_waits_and_says_so(talk: Talk) -> None:
    talk.send("one")
    talk.send("two", message_id="u2")
    talk.conversation.close()
    assert [name for name in talk.names() if name in ("removed", "done")] == ["removed", "done"]
    assert talk.events[-1][1] == Status("closed")
    assert talk.log.closed
    assert talk.queue() == []
    assert len(talk.started()) == 1
    assert "closed" in refused(talk, c.Send("late", "x"), "cancelled")


# stop


def test_stop_ends_the_named_turn_and_the_queue_goes_on(talk: Talk) -> None:
    talk.send("one", reply_id="a1")
    talk.send("two", reply_id="a2")
    talk.say("some")
    talk.conversation.execute(c.Stop(talk.id(), "a1"))
    assert (talk.message("a1").status, talk.message("a1").text) == ("stopped", "some")
    assert talk.message("a1").finish_reason == "stopped"
    assert EndTurn("a1") in talk.let_go()
    assert talk.running == "a2"


@pytest.mark.parametrize("other", ["a1", "u2", "nobody"])
def test_stop_ends_no_other_turn(talk: Talk, other: str) -> None:
    talk.send("one", reply_id="a1")
    talk.finish("1")
    talk.send("two", message_id="u2", reply_id="a2")
    talk.conversation.execute(c.Stop(talk.id(), other))
    assert talk.running == "a2"
    assert talk.let_go() == []


def test_stop_without_a_name_ends_what_runs(talk: Talk) -> None:
    talk.conversation.execute(c.Stop(talk.id()))
    assert talk.events == []
    talk.send(reply_id="a")
    talk.conversation.execute(c.Stop(talk.id()))
    assert talk.message("a").status == "stopped"


# failure


def fail(talk: Talk, *pieces: str) -> str:
    reply_id = talk.running
    talk.say(*pieces)
    talk.conversation.fail(reply_id, ChatError("server", "It failed."))
    return reply_id


def test_a_failure_keeps_the_text_and_says_what_happened(talk: Talk) -> None:
    talk.send(reply_id="a")
    fail(talk, "so ", "far")
    answer = talk.message("a")
    assert (answer.status, answer.text) == ("failed", "so far")
    assert answer.error == {"kind": "server", "message": "It failed.", "retryable": True}
    assert said(talk.events, Failed) == [Failed("a", "server", "It failed.", True)]
    assert talk.state.status == "idle"


@pytest.mark.parametrize("next_command", ["send", "regenerate", "edit"])
def test_a_failure_pauses_the_queue_until_the_next_command(talk: Talk, next_command: str) -> None:
    talk.send("one", message_id="u1", reply_id="a1")
    talk.send("two", message_id="u2", reply_id="a2")
    fail(talk)
    assert talk.conversation.running is None
    assert talk.queue() == ["u2"]
    if next_command == "send":
        # What waited longer goes first.
        talk.send("three", message_id="u3")
        assert talk.running == "a2"
        assert talk.queue() == ["u3"]
        return
    if next_command == "regenerate":
        talk.conversation.execute(c.Regenerate(talk.id(), "a1"))
    else:
        talk.conversation.execute(c.Edit(talk.id(), "u1", "eins"))
    assert talk.running not in ("a1", "a2")
    talk.finish("1")
    assert talk.running == "a2"


def test_what_the_model_gets_of_bad_endings(talk: Talk) -> None:
    talk.send("failed with text")
    fail(talk, "half")
    talk.send("failed empty")
    fail(talk)
    talk.send("stopped with text")
    talk.say("part")
    talk.conversation.execute(c.Stop(talk.id()))
    talk.send("stopped empty")
    talk.conversation.execute(c.Stop(talk.id()))
    talk.send("now")
    assert [message.text for message in talk.started()[-1].messages] == [
        "failed with text",
        "half",
        "failed empty",
        "stopped with text",
        "part",
        "stopped empty",
        "now",
    ]


def test_retrying_is_said(talk: Talk) -> None:
    talk.send(reply_id="a")
    talk.conversation.retrying("a", 1_764_000_000_500)
    assert talk.state.status == "retrying"
    talk.conversation.thinking("a")
    assert talk.state.status == "thinking"
    assert Status("retrying", retry_at=1_764_000_000_500) in said(talk.events, Status)


# the length


@pytest.mark.parametrize("character", ["x", "é", "你", "👋"])
def test_an_answer_is_cut_at_8_mib(talk: Talk, character: str) -> None:
    talk.send("one", reply_id="a")
    talk.send("two", reply_id="b")
    piece = character * (1 << 18)
    while talk.running == "a":
        going_on = talk.conversation.delta("a", Delta(piece))
        assert going_on is (talk.conversation.running is not None and talk.running == "a")
    answer = talk.message("a")
    size = len(answer.text.encode())
    assert MAX_ANSWER_BYTES - len(piece.encode()) < size <= MAX_ANSWER_BYTES
    assert set(answer.text) == {character}
    assert (answer.status, answer.finish_reason) == ("done", "length")
    (notice,) = said(talk.events, Notice)
    assert isinstance(notice, Notice)
    assert (notice.kind, notice.level) == ("length", "warning")
    assert "8 MiB" in notice.text
    assert EndTurn("a") in talk.let_go()
    assert talk.running == "b"


def test_endless_thinking_is_cut_too(talk: Talk) -> None:
    talk.send(reply_id="a")
    piece = Delta(reasoning="x" * (1 << 20))
    count = 0
    while talk.conversation.delta("a", piece):
        count += 1
        assert count < 10
    assert talk.message("a").finish_reason == "length"
    assert len(talk.message("a").reasoning) <= MAX_ANSWER_BYTES


# the same command again


def all_commands(talk: Talk) -> list[c.Command]:
    return [
        c.Send("x", "three"),
        c.Stop("x"),
        c.Regenerate("x"),
        c.Edit("x", "u1", "eins"),
        c.Select("x", "a1"),
        c.Undo("x"),
        c.Clear("x"),
        c.QueueEdit("x", "u3", "changed"),
        c.QueueRemove("x", "u3"),
        c.Feedback("x", "a1", "up"),
    ]


@pytest.mark.parametrize("n", range(10))
def test_the_same_command_again_does_nothing_twice(talk: Talk, n: int) -> None:
    talk.send("one", message_id="u1", reply_id="a1")
    talk.finish("1")
    talk.send("two", message_id="u2", reply_id="a2")
    talk.send("three", message_id="u3", reply_id="a3")
    command = all_commands(talk)[n]
    answered = talk.conversation.execute(command)
    assert answered == talk.log.last_id
    if talk.conversation.running is not None:
        talk.say("goes on")
    events, effects = list(talk.events), list(talk.conversation.effects)
    assert talk.conversation.execute(command) == answered
    assert talk.events == events
    assert list(talk.conversation.effects) == effects
    # Also once the chat is closed: the caller may have missed the answer.
    talk.conversation.close()
    assert talk.conversation.execute(command) == answered


def test_a_refused_command_may_be_sent_again(talk: Talk) -> None:
    refused(talk, c.Undo("x"))
    talk.ask("one", "1")
    talk.conversation.execute(c.Undo("x"))
    assert talk.shown() == []


# what was said before


def test_seeds_hang_under_the_leaf(talk: Talk) -> None:
    talk.conversation.seed(
        [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "Hello!"}]
    )
    assert talk.shown() == ["Be kind.", "Hello!"]
    talk.send("hi")
    assert [m.to_openai() for m in talk.started()[-1].messages] == [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "hi"},
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {"role": "robot", "content": "x"},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": ["user"], "content": "x"},
        {"content": "x"},
        {"role": "user", "content": "\ud83d"},
        "hello",
        None,
    ],
)
def test_a_bad_seed_is_refused_and_nothing_is_added(talk: Talk, bad: object) -> None:
    with pytest.raises(ChatError, match="messages") as caught:
        talk.conversation.seed([{"role": "user", "content": "good"}, bad])
    assert caught.value.kind == "input"
    assert talk.events == []
