from __future__ import annotations

import pytest

from kernelchat import commands as c
from kernelchat.conversation import MAX_ANSWER_BYTES, EndTurn
from kernelchat.errors import ChatError
from kernelchat.events import (
    Done,
    Failed,
    Leaf,
    Notice,
    Reasoning,
    Removed,
    Status,
    TokenAdded,
    Update,
)
from kernelchat.models.base import Delta
from tools.talk import Talk, said


@pytest.fixture
def talk() -> Talk:
    return Talk()


def refused(talk: Talk, command: c.Command, kind: str = "input") -> str:
    """The sentence, and nothing was changed."""
    events, effects = list(talk.events), list(talk.conversation.effects)
    shown, queue = talk.shown(), talk.queue()
    with pytest.raises(ChatError) as caught:
        talk.conversation.execute(command)
    assert caught.value.kind == kind
    assert talk.events == events
    assert list(talk.conversation.effects) == effects
    assert (talk.shown(), talk.queue()) == (shown, queue)
    return caught.value.message


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


# the queue


def test_prompts_wait_in_order(talk: Talk) -> None:
    talk.send("one", reply_id="a1")
    talk.send("two", message_id="u2", reply_id="a2")
    talk.send("three", message_id="u3", reply_id="a3")
    assert talk.queue() == ["u2", "u3"]
    assert talk.message("u2").status == "queued"
    assert talk.shown() == ["one", ""]
    talk.finish("1")
    assert talk.running == "a2"
    assert talk.queue() == ["u3"]
    talk.finish("2")
    talk.finish("3")
    assert talk.shown() == ["one", "1", "two", "2", "three", "3"]
    assert talk.message("u2").status == "done"
    assert talk.conversation.running is None
    assert [s.message_id for s in talk.started()] == ["a1", "a2", "a3"]


def test_what_waits_can_be_changed_and_taken_back(talk: Talk) -> None:
    talk.send("one")
    talk.send("two", message_id="u2")
    talk.send("three", message_id="u3")
    talk.conversation.execute(c.QueueEdit(talk.id(), "u3", "drei"))
    talk.conversation.execute(c.QueueRemove(talk.id(), "u2"))
    assert said(talk.events, Removed) == [Removed(("u2",))]
    assert talk.state.get("u2") is None
    talk.finish("1")
    talk.finish("3")
    assert talk.shown() == ["one", "1", "drei", "3"]


def test_only_what_waits_can_be_changed(talk: Talk) -> None:
    question_id, reply_id = talk.ask("one", "1")
    for message_id in (question_id, reply_id, "nobody"):
        refused(talk, c.QueueEdit(talk.id(), message_id, "x"), "not_found")
        refused(talk, c.QueueRemove(talk.id(), message_id), "not_found")


def test_a_changed_prompt_is_checked(talk: Talk) -> None:
    talk.send("one")
    talk.send("two", message_id="u2")
    assert "empty" in refused(talk, c.QueueEdit(talk.id(), "u2", "  "))


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


# regenerate, edit, select, undo, clear


def test_regenerate_is_a_sibling_answer(talk: Talk) -> None:
    question_id, first = talk.ask("one", "1")
    talk.conversation.execute(c.Regenerate(talk.id(), first, reply_id="again"))
    talk.finish("uno")
    assert talk.shown() == ["one", "uno"]
    assert talk.state.siblings(first) == (first, "again")
    assert talk.message("again").parent_id == question_id
    assert talk.message(first).text == "1"
    assert [m.text for m in talk.started()[-1].messages] == ["one"]


def test_regenerate_without_a_name_is_the_last_answer_shown(talk: Talk) -> None:
    talk.ask("one", "1")
    question_id, _ = talk.ask("two", "2")
    talk.conversation.execute(c.Regenerate(talk.id()))
    assert talk.message(talk.running).parent_id == question_id


def test_regenerate_a_question_answers_it(talk: Talk) -> None:
    question_id, first = talk.ask("one", "1")
    talk.conversation.execute(c.Regenerate(talk.id(), question_id))
    assert talk.state.siblings(first) == (first, talk.running)


def test_regenerate_retries_what_failed(talk: Talk) -> None:
    talk.send("one", reply_id="a")
    fail(talk, "half")
    talk.conversation.execute(c.Regenerate(talk.id(), "a"))
    talk.finish("whole")
    assert talk.shown() == ["one", "whole"]


def test_regenerate_higher_up_leaves_the_rest_on_its_branch(talk: Talk) -> None:
    _, first = talk.ask("one", "1")
    _, last = talk.ask("two", "2")
    talk.conversation.execute(c.Regenerate(talk.id(), first))
    talk.finish("uno")
    assert talk.shown() == ["one", "uno"]
    talk.conversation.execute(c.Select(talk.id(), first))
    assert talk.state.leaf_id == last
    assert talk.shown() == ["one", "1", "two", "2"]


def test_regenerate_needs_a_question(talk: Talk) -> None:
    assert "ask something first" in refused(talk, c.Regenerate(talk.id()))
    refused(talk, c.Regenerate(talk.id(), "nobody"), "not_found")
    talk.send("one")
    talk.send("two", message_id="u2")
    refused(talk, c.Regenerate(talk.id(), "u2"))


def test_edit_is_a_sibling_question(talk: Talk) -> None:
    talk.ask("zero", "0")
    question_id, answer_id = talk.ask("one", "1")
    talk.conversation.execute(c.Edit(talk.id(), question_id, "eins", reply_id="again"))
    talk.finish("I")
    assert talk.shown() == ["zero", "0", "eins", "I"]
    assert len(talk.state.siblings(question_id)) == 2
    assert talk.message(question_id).text == "one"
    assert [m.text for m in talk.started()[-1].messages] == ["zero", "0", "eins"]
    talk.conversation.execute(c.Select(talk.id(), question_id))
    assert talk.state.leaf_id == answer_id


def test_edit_keeps_the_attachments(talk: Talk) -> None:
    talk.conversation.execute(c.Send(talk.id(), "look", ({"name": "cat.png"},), message_id="u"))
    talk.finish("nice")
    talk.conversation.execute(c.Edit(talk.id(), "u", "look again"))
    assert talk.state.path()[0].attachments == ({"name": "cat.png"},)


def test_only_a_question_that_was_asked_can_be_edited(talk: Talk) -> None:
    question_id, answer_id = talk.ask("one", "1")
    refused(talk, c.Edit(talk.id(), answer_id, "x"))
    refused(talk, c.Edit(talk.id(), "nobody", "x"), "not_found")
    refused(talk, c.Edit(talk.id(), question_id, ""))
    talk.send("two")
    talk.send("three", message_id="u3")
    refused(talk, c.Edit(talk.id(), "u3", "x"))


@pytest.mark.parametrize("name", ["regenerate", "edit", "undo", "clear"])
def test_they_stop_a_running_turn_first(talk: Talk, name: str) -> None:
    talk.send("one", message_id="u", reply_id="a")
    talk.send("two", message_id="u2")
    talk.say("some")
    commands: dict[str, c.Command] = {
        "regenerate": c.Regenerate("x", "a"),
        "edit": c.Edit("x", "u", "eins"),
        "undo": c.Undo("x"),
        "clear": c.Clear("x"),
    }
    talk.conversation.execute(commands[name])
    assert talk.message("a").status == "stopped"
    assert EndTurn("a") in talk.let_go()
    # What waits does not rush into a conversation that was just changed.
    assert talk.queue() == ["u2"]
    assert talk.message("u2").status == "queued"


def test_select_does_not_stop_what_runs(talk: Talk) -> None:
    _, first = talk.ask("one", "1")
    talk.conversation.execute(c.Regenerate(talk.id(), reply_id="again"))
    talk.conversation.execute(c.Select(talk.id(), first))
    assert talk.running == "again"
    assert talk.shown() == ["one", "1"]
    talk.finish("uno")
    assert talk.message("again").text == "uno"
    assert talk.shown() == ["one", "1"]


def test_undo_moves_up_one_exchange(talk: Talk) -> None:
    talk.ask("one", "1")
    _, last = talk.ask("two", "2")
    talk.conversation.execute(c.Undo(talk.id()))
    assert talk.shown() == ["one", "1"]
    talk.conversation.execute(c.Undo(talk.id()))
    assert talk.shown() == []
    assert "nothing to undo" in refused(talk, c.Undo(talk.id()))
    talk.conversation.execute(c.Select(talk.id(), last))
    assert talk.shown() == ["one", "1", "two", "2"]


def test_clear_shows_an_empty_chat_and_can_be_taken_back(talk: Talk) -> None:
    question_id, answer_id = talk.ask("one", "1")
    talk.conversation.execute(c.Clear(talk.id()))
    assert said(talk.events, Leaf)[-1] == Leaf(None)
    assert talk.shown() == []
    talk.ask("anew", "2")
    assert talk.shown() == ["anew", "2"]
    assert [m.text for m in talk.started()[-1].messages] == ["anew"]
    talk.conversation.execute(c.Select(talk.id(), question_id))
    assert talk.state.leaf_id == answer_id


def test_select_needs_a_message_that_hangs_in_the_tree(talk: Talk) -> None:
    refused(talk, c.Select(talk.id(), "nobody"), "not_found")
    talk.send("one")
    talk.send("two", message_id="u2")
    # A prompt that waits hangs nowhere yet: shown now, it would become its own parent.
    refused(talk, c.Select(talk.id(), "u2"))
    talk.finish("1")
    assert talk.shown() == ["one", "1", "two", ""]


def test_feedback(talk: Talk) -> None:
    _, answer_id = talk.ask("one", "1")
    for value in ("up", "down", None):
        talk.conversation.execute(c.Feedback(talk.id(), answer_id, value))
        assert talk.message(answer_id).feedback == value
    refused(talk, c.Feedback(talk.id(), "nobody", "up"), "not_found")
    assert said(talk.events, Update)[0] == Update(answer_id, {"feedback": "up"})


def test_feedback_while_it_is_written(talk: Talk) -> None:
    talk.send(reply_id="a")
    talk.say("so ")
    talk.conversation.execute(c.Feedback(talk.id(), "a", "up"))
    talk.finish("far")
    assert (talk.message("a").feedback, talk.message("a").text) == ("up", "so far")


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
