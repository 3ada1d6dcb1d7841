from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from kernelchat import commands as c
from kernelchat import registry as registry_module
from kernelchat.errors import ChatError
from kernelchat.registry import Grant, Registration, Registry
from kernelchat.session import Session
from tools.pushed import PushedModel


class House:
    """A registry with two chats."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.sent: list[Mapping[str, Any]] = []
        self.first, self.second = self.chat("w1", "s1"), self.chat("w2", "s2")

    def chat(self, widget_id: str, session_id: str) -> Registration:
        chat = Registration(
            widget_id,
            Session(session_id, PushedModel()),
            lambda session_id: Session(session_id, PushedModel()),
            dict,
            self.sent.append,
        )
        self.registry.add(chat)
        return chat

    def refused(self, session_id: str | None, grant: Grant, kind: str = "not_found") -> str:
        with pytest.raises(ChatError) as caught:
            self.registry.talk(session_id, grant)
        assert caught.value.kind == kind
        return caught.value.message


@pytest.fixture
def house() -> House:
    return House()


ALL = Grant()
FIRST = Grant("w1")


def test_each_token_opens_its_own(house: House) -> None:
    grants = dict(house.registry.tokens())
    assert grants == {
        house.registry.token: ALL,
        house.first.token: FIRST,
        house.second.token: Grant("w2"),
    }
    assert all(len(token) >= 43 for token in grants)  # 256 bits


def test_a_token_of_a_chat_that_left_opens_nothing(house: House) -> None:
    house.registry.remove("w1")
    house.registry.remove("w1")
    assert house.first.token not in dict(house.registry.tokens())
    house.refused("s1", FIRST)
    house.refused(None, FIRST)
    with pytest.raises(ChatError):
        house.registry.session("s1", ALL)


def test_the_kernels_token_reaches_all_and_starts_nothing(house: House) -> None:
    house.first.talk("visitor")
    for session_id in ("s1", "s2", "visitor"):
        assert house.registry.session(session_id, ALL).session_id == session_id
        assert house.registry.talk(session_id, ALL).session_id == session_id
    house.refused("new", ALL)
    assert "session_id" in house.refused(None, ALL, "input")


def test_a_chats_token_reaches_its_own_and_its_talks(house: House) -> None:
    registry = house.registry
    assert registry.talk(None, FIRST) is house.first.session
    assert registry.talk("s1", FIRST) is house.first.session
    talk = registry.talk("visitor", FIRST)
    assert registry.talk("visitor", FIRST) is talk
    assert registry.session("visitor", FIRST) is talk


def test_unknown_and_foreign_look_the_same(house: House) -> None:
    house.second.talk("theirs")
    sentences = set()
    for session_id in ("s2", "theirs", "nobody"):
        with pytest.raises(ChatError) as caught:
            house.registry.session(session_id, FIRST)
        sentences.add((caught.value.kind, caught.value.message))
    sentences.add(("not_found", house.refused("s2", FIRST)))
    assert len(sentences) == 1


def test_a_talk_of_the_same_name_in_two_chats_is_two_talks(house: House) -> None:
    ours = house.registry.talk("visitor", FIRST)
    theirs = house.registry.talk("visitor", Grant("w2"))
    assert ours is not theirs


def test_the_longest_idle_talk_goes_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "MAX_TALKS", 3)
    talks = [house.first.talk(f"t{n}") for n in range(3)]
    for at, talk in zip((5.0, 1.0, 9.0), talks, strict=True):
        talk.used_at = at
    house.first.talk("t3")
    assert list(house.first.talks) == ["t0", "t2", "t3"]
    assert talks[1].log.closed
    assert not talks[0].log.closed


def test_a_talk_that_is_answered_is_not_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "MAX_TALKS", 2)
    for n in range(2):
        house.first.talk(f"t{n}").conversation.execute(c.Send("c1", "hello"))
    with pytest.raises(ChatError, match="try again later") as caught:
        house.first.talk("t2")
    assert caught.value.kind == "rate_limit"
    assert list(house.first.talks) == ["t0", "t1"]
    house.first.talks["t1"].conversation.execute(c.Stop("c2"))
    house.first.talk("t2")
    assert list(house.first.talks) == ["t0", "t2"]


def test_what_is_shown_by_some_chat(house: House) -> None:
    assert house.registry.shared("s1") is house.first.session
    assert house.registry.shared("nobody") is None
    talk = house.first.talk("visitor")
    assert set(house.registry.sessions()) == {house.first.session, house.second.session, talk}


def test_a_probe_is_answered_to_its_widget_only(house: House) -> None:
    house.registry.answer_probe("w1", "challenge")
    house.registry.answer_probe("nobody", "challenge")
    assert house.sent == [{"type": "grant", "c": "challenge", "token": house.registry.token}]


def test_a_link_is_good_once(house: House) -> None:
    code = house.registry.link_code("w1")
    assert house.registry.exchange(code) is house.first
    for bad in (code, "made up", ""):
        with pytest.raises(ChatError, match=r"chat\.link\(\)") as caught:
            house.registry.exchange(bad)
        assert caught.value.kind == "auth"


def test_a_link_lives_for_ten_minutes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(registry_module, "time", SimpleNamespace(monotonic=lambda: now))
    early, late = house.registry.link_code("w1"), house.registry.link_code("w1")
    now += 599
    assert house.registry.exchange(early) is house.first
    now += 2
    with pytest.raises(ChatError, match="too old"):
        house.registry.exchange(late)


def test_a_link_to_a_chat_that_left(house: House) -> None:
    code = house.registry.link_code("w1")
    house.registry.remove("w1")
    with pytest.raises(ChatError):
        house.registry.exchange(code)


def test_origins_that_views_report_are_let_in(house: House) -> None:
    for origin in ("https://hub.example", "null", ""):
        house.registry.admit(origin)
    assert house.registry.origins == {"https://hub.example"}
    for n in range(1000):
        house.registry.admit(f"https://{n}.example")
    assert len(house.registry.origins) == registry_module.MAX_ORIGINS


def test_no_token_is_in_a_repr(house: House) -> None:
    text = f"{house.registry!r} {house.first!r} {house.registry.chats()!r}"
    for token in dict(house.registry.tokens()):
        assert token not in text
