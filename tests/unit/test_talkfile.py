from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat.message import Message
from kernelchat.store import Talk
from kernelchat.talkfile import from_json, to_json

MESSAGES: list[dict[str, Any]] = [
    {"id": "q", "role": "user", "text": "Why?"},
    {"id": "a", "role": "assistant", "text": "So.", "parent_id": "q", "feedback": "up"},
]


def talk_file(**changes: Any) -> str:
    whole = {"kernelchat": 1, "session_id": "s1", "title": "T", "leaf_id": "a"}
    return json.dumps({**whole, "messages": MESSAGES, **changes})


def with_message(**changes: Any) -> str:
    return talk_file(messages=[MESSAGES[0], {**MESSAGES[1], **changes}])


def test_a_file_is_read() -> None:
    talk, title = from_json(talk_file())
    assert title == "T"
    assert talk.leaf_id == "a"
    assert [m.to_openai()["content"] for m in talk.messages] == ["Why?", "So."]
    assert talk.messages[1].feedback == "up"


def test_what_a_later_version_adds_is_ignored() -> None:
    talk, _ = from_json(
        talk_file(extra={"x": 1}, messages=[{**MESSAGES[0], "mood": "curious"}], leaf_id="q")
    )
    assert talk.messages == (Message("q", "user", "Why?"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no JSON"),
        ("{", "holds no JSON"),
        ("[" * 100_000, "holds no JSON"),
        ("[]", "holds no talk"),
        ("null", "holds no talk"),
        ("{}", "holds no talk"),
        (talk_file(kernelchat=0), "holds no talk"),
        (talk_file(kernelchat=True), "holds no talk"),
        (talk_file(kernelchat="1"), "holds no talk"),
        (talk_file(kernelchat=2), "was written by a newer kernelchat: upgrade this one"),
        (talk_file(messages=None), "it has no messages"),
        (talk_file(title=1), "it has no messages, or text that is broken"),
        (talk_file(title="\ud800"), "text that is broken"),
        (talk_file(extra=float("nan")), "text that is broken"),
        (talk_file(leaf_id="x"), "it shows a message that is not in it"),
        (talk_file(leaf_id=["a"]), "it shows a message that is not in it"),
        (talk_file(messages=["x"]), "message 1 is no object"),
        (talk_file(messages=[{"role": "user"}]), "message 1 has no id or no role"),
        (talk_file(messages=[MESSAGES[1]]), "no parent above it"),
        (talk_file(messages=[*MESSAGES, MESSAGES[0]]), "message 3 has an id that is taken"),
        (with_message(parent_id="a"), "no parent above it"),
        (with_message(status="queued"), "message 2 waits, but is no question"),
        (with_message(id="a b"), "the id of message 2 cannot be"),
        (with_message(id=7), "the id of message 2 cannot be"),
        (with_message(role="robot"), "the role of message 2 cannot be"),
        (with_message(role=["user"]), "the role of message 2 cannot be"),
        (with_message(text=None), "the text of message 2 cannot be"),
        (with_message(parent_id=["q"]), "the parent_id of message 2 cannot be"),
        (with_message(status="odd"), "the status of message 2 cannot be"),
        (with_message(reasoning=1), "the reasoning of message 2 cannot be"),
        (with_message(tools={}), "the tools of message 2 cannot be"),
        (with_message(citations=["x"]), "the citations of message 2 cannot be"),
        (with_message(finish_reason=1), "the finish_reason of message 2 cannot be"),
        (with_message(usage=[]), "the usage of message 2 cannot be"),
        (with_message(error={}), "the error of message 2 cannot be"),
        (with_message(error={"kind": "odd"}), "the error of message 2 cannot be"),
        (with_message(feedback="sideways"), "the feedback of message 2 cannot be"),
        (with_message(created_at=-1), "the created_at of message 2 cannot be"),
        (with_message(tokens=True), "the tokens of message 2 cannot be"),
    ],
)
def test_a_file_that_is_none_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"export|wrote|upgrade") as caught:
        from_json(text)
    assert sentence in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    field=st.sampled_from([*Message.__dataclass_fields__, "kernelchat", "messages", "leaf_id"]),
    value=VALUES,
)
def test_any_value_is_taken_or_refused_with_a_sentence(field: str, value: object) -> None:
    inside = field in Message.__dataclass_fields__
    text = with_message(**{field: value}) if inside else talk_file(**{field: value})
    try:
        talk, title = from_json(text)
    except ValueError:
        return
    again = to_json("s1", title, talk.leaf_id, talk.messages)
    assert from_json(again) == (talk, title)


def test_what_is_written_is_read_again() -> None:
    messages = [
        Message("s", "system", "Be brief."),
        Message("q", "user", "你好 👋🏽\u202e", "s", attachments=({"name": "a.csv"},)),
        Message(
            *("a1", "assistant", "1", "q", "stopped"),
            reasoning="Hm.",
            tools=({"call_id": "c", "name": "f"},),
            finish_reason="stopped",
            usage={"total_tokens": 3},
            timing={"first_token_ms": None},
            feedback="down",
            citations=({"title": "x"},),
            created_at=1_764_000_000_000,
            tokens=4,
        ),
        Message(
            *("a2", "assistant", "", "q", "failed"),
            error={"kind": "server", "message": "x", "retryable": True},
        ),
        Message("w", "user", "next", None, "queued"),
        Message("a3", "assistant", "so f", "q", "streaming"),
    ]
    text = to_json("s1", "T", "a1", messages)
    assert json.loads(text)["session_id"] == "s1"
    assert from_json(text) == (Talk(tuple(messages), "a1"), "T")
