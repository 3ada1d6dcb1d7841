"""Prompts that wait."""

from __future__ import annotations

import pytest

from kernelchat import commands as c
from kernelchat.events import Removed
from tools.talk import Talk, refused, said


@pytest.fixture
def talk() -> Talk:
    return Talk()


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


def test_to_stop_an_answer_that_waits_takes_its_question_back(talk: Talk) -> None:
    talk.send("one", reply_id="a1")
    talk.send("two", message_id="u2", reply_id="a2")
    talk.conversation.execute(c.Stop(talk.id(), "a2"))
    assert talk.running == "a1"
    assert said(talk.events, Removed) == [Removed(("u2",))]
    talk.finish("1")
    assert talk.shown() == ["one", "1"]
    assert talk.conversation.running is None
