"""Branches: regenerate, edit, select, undo, clear."""

from __future__ import annotations

import pytest

from kernelchat import commands as c
from kernelchat.conversation import EndTurn
from kernelchat.errors import ChatError
from kernelchat.events import Leaf, Update
from tools.talk import Talk, refused, said


@pytest.fixture
def talk() -> Talk:
    return Talk()


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
    talk.say("half")
    talk.conversation.fail("a", ChatError("server", "It failed."))
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
