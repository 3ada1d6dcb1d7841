"""What every store must do, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernelchat.message import Message
from kernelchat.store import Change, SqliteStore, Store, Talk

MakeStore = Callable[[], Store]


class DictStore:
    """The least that a user's own store has to do."""

    def __init__(self) -> None:
        self.talks: dict[str, tuple[dict[str, Message], str | None]] = {}

    def load(self, session_id: str) -> Talk | None:
        if session_id not in self.talks:
            return None
        messages, leaf_id = self.talks[session_id]
        return Talk(tuple(messages.values()), leaf_id)

    def save(self, session_id: str, change: Change) -> None:
        messages, _ = self.talks.get(session_id, ({}, None))
        messages |= {message.id: message for message in change.messages}
        for removed in change.removed:
            messages.pop(removed, None)
        self.talks[session_id] = (messages, change.leaf_id)


@pytest.fixture(params=["sqlite", "dict"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    count = iter(range(1_000_000))
    if request.param == "dict":
        return DictStore
    return lambda: SqliteStore(tmp_path / f"chats-{next(count)}.sqlite")


def message(name: str, text: str = "text", parent_id: str | None = None) -> Message:
    return Message(name, "user", text, parent_id, created_at=1)


def test_it_is_a_store(make_store: MakeStore) -> None:
    assert isinstance(make_store(), Store)


def test_what_was_never_kept_is_not_there(make_store: MakeStore) -> None:
    assert make_store().load("s1") is None


def test_what_was_kept_comes_back_whole(make_store: MakeStore) -> None:
    store = make_store()
    answer = Message(
        "a1",
        "assistant",
        "half 👋🏽\u2028\x00",
        "u1",
        "stopped",
        reasoning="hm",
        tools=({"call_id": "c1", "name": "f"},),
        finish_reason="stopped",
        usage={"total_tokens": 3},
        timing={"total_ms": 5},
        feedback="up",
        citations=({"n": 1},),
        created_at=7,
        tokens=2,
    )
    store.save("s1", Change((message("u1", "你好"), answer), (), "a1"))
    assert store.load("s1") == Talk((message("u1", "你好"), answer), "a1")


def test_a_changed_message_keeps_its_place(make_store: MakeStore) -> None:
    store = make_store()
    store.save("s1", Change((message("m1"), message("m2")), (), "m2"))
    store.save("s1", Change((message("m1", "changed"),), (), "m2"))
    assert store.load("s1") == Talk((message("m1", "changed"), message("m2")), "m2")


def test_what_was_removed_is_gone(make_store: MakeStore) -> None:
    store = make_store()
    store.save("s1", Change((message("m1"), message("m2")), (), "m1"))
    store.save("s1", Change((), ("m2", "never-there"), "m1"))
    assert store.load("s1") == Talk((message("m1"),), "m1")


def test_conversations_stay_apart(make_store: MakeStore) -> None:
    store = make_store()
    store.save("s1", Change((message("m1", "one"),), (), "m1"))
    store.save("s2", Change((message("m1", "two"),), (), None))
    assert store.load("s1") == Talk((message("m1", "one"),), "m1")
    assert store.load("s2") == Talk((message("m1", "two"),), None)


names = st.sampled_from("abcdef")
changes = st.builds(
    Change,
    st.lists(names, unique=True, max_size=4).flatmap(
        lambda chosen: st.tuples(
            *(st.builds(message, st.just(name), st.text(max_size=5)) for name in chosen)
        )
    ),
    st.lists(names, unique=True, max_size=2).map(tuple),
    st.none() | names,
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(changes, min_size=1, max_size=8))
def test_any_sequence_of_changes_adds_up(make_store: MakeStore, sequence: list[Change]) -> None:
    store, expected = make_store(), DictStore()
    for change in sequence:
        # A message that is removed by the change that holds it is gone.
        store.save("s1", change)
        expected.save("s1", change)
    assert store.load("s1") == expected.load("s1")
    if isinstance(store, SqliteStore):
        store.close()
