from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelchat import commands as c
from kernelchat.commands import COMMANDS, MAX_TEXT_BYTES, Command, check_id, check_text
from kernelchat.errors import ChatError

ids = st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
attachments = st.lists(st.dictionaries(texts, texts, max_size=1), max_size=2).map(tuple)

any_command: st.SearchStrategy[Command] = st.one_of(
    st.builds(c.Send, ids, texts, attachments),
    st.builds(c.Stop, ids, st.none() | ids),
    st.builds(c.Regenerate, ids, st.none() | ids),
    st.builds(c.Edit, ids, ids, texts),
    st.builds(c.Select, ids, ids),
    st.builds(c.Undo, ids),
    st.builds(c.Clear, ids),
    st.builds(c.QueueEdit, ids, ids, texts),
    st.builds(c.QueueRemove, ids, ids),
    st.builds(c.Feedback, ids, ids, st.sampled_from(["up", "down", None])),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refused(data: object) -> str:
    with pytest.raises(ChatError) as caught:
        c.from_wire(data)
    assert caught.value.kind == "input"
    return caught.value.message


def test_every_command_has_its_type() -> None:
    assert set(COMMANDS.values()) == set(get_args(Command))
    assert all(COMMANDS[kind].type == kind for kind in COMMANDS)


@given(any_command)
def test_a_command_survives_the_wire(command: Command) -> None:
    assert c.from_wire(json.loads(json.dumps(c.to_wire(command)))) == command


@given(any_command)
def test_fields_of_a_later_version_are_ignored(command: Command) -> None:
    assert c.from_wire({**c.to_wire(command), "mood": "sunny"}) == command


def test_ids_of_messages_are_minted_in_this_process_only() -> None:
    wire = {"type": "send", "command_id": "c1", "text": "hi", "message_id": "x", "reply_id": "y"}
    assert c.from_wire(wire) == c.Send("c1", "hi")
    assert "reply_id" not in c.to_wire(c.Send("c1", "hi", message_id="x", reply_id="y"))
    assert c.from_wire({"type": "edit", "command_id": "c1", "message_id": "u", "text": "t"}) == (
        c.Edit("c1", "u", "t")
    )


@given(json_values)
def test_whatever_comes_in_is_refused_with_a_sentence(data: object) -> None:
    sentence = refused(data)
    assert sentence.endswith((".", "-"))
    assert len(sentence) < 200


@given(any_command, st.data())
def test_a_field_of_any_type_is_taken_or_refused_with_a_sentence(
    command: Command, data: st.DataObject
) -> None:
    wire = c.to_wire(command)
    name = data.draw(st.sampled_from(sorted(wire)))
    wire[name] = data.draw(json_values)
    refusal: ChatError | None = None
    try:
        command = c.from_wire(wire)
    except ChatError as error:
        refusal = error
    else:
        assert c.from_wire(c.to_wire(command)) == command
    assert refusal is None or (refusal.kind == "input" and refusal.message)


REQUIRED = [
    (kind, f.name)
    for kind, command in COMMANDS.items()
    for f in fields(command)
    if f.default is f.default_factory
]


@pytest.mark.parametrize(("kind", "gone"), REQUIRED)
@pytest.mark.parametrize("null", [True, False])
def test_a_missing_field_is_named(kind: str, gone: str, null: bool) -> None:
    wire: dict[str, Any] = {
        "type": kind,
        "command_id": "c1",
        "message_id": "m1",
        "text": "hi",
        "value": "up",
    }
    if null and gone == "value":
        return  # null is a value: it takes the thumbs back
    wire[gone] = None
    if not null:
        del wire[gone]
    sentence = refused(wire)
    assert gone in sentence or (gone == "text" and "The text" in sentence)


@pytest.mark.parametrize(
    ("wire", "word"),
    [
        ([], "object"),
        ({}, "None"),
        ({"type": "dance", "command_id": "c"}, "'dance'"),
        ({"type": ["send"], "command_id": "c"}, "send"),
        ({"type": "send", "command_id": "c 1", "text": "x"}, "command_id"),
        ({"type": "send", "command_id": "c" * 129, "text": "x"}, "command_id"),
        ({"type": "send", "command_id": "c\n", "text": "x"}, "command_id"),
        ({"type": "send", "command_id": 1, "text": "x"}, "command_id"),
        ({"type": "send", "command_id": "c", "text": 5}, "string"),
        ({"type": "send", "command_id": "c", "text": " \n"}, "empty"),
        ({"type": "send", "command_id": "c", "text": "x", "attachments": "file"}, "attachments"),
        ({"type": "send", "command_id": "c", "text": "x", "attachments": ["f"]}, "attachments"),
        ({"type": "stop", "command_id": "c", "message_id": {}}, "message_id"),
        ({"type": "feedback", "command_id": "c", "message_id": "a", "value": "meh"}, "feedback"),
        ({"type": "feedback", "command_id": "c", "message_id": "a", "value": ["up"]}, "feedback"),
    ],
)
def test_the_sentence_says_what_is_wrong(wire: object, word: str) -> None:
    assert word in refused(wire)


def test_a_broken_character_in_an_attachment_is_refused() -> None:
    # JSON can spell it, but no stream can carry it: every reader would break on it.
    sentence = refused(
        {"type": "send", "command_id": "c", "text": "x", "attachments": [{"name": ["\ud83d"]}]}
    )
    assert "attachments" in sentence


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000", "\u00a0"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ChatError, match="empty"):
        check_text(text)


@pytest.mark.parametrize("value", [None, 5, b"bytes", ["text"], {"text": "hi"}])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(ChatError, match=type(value).__name__):
        check_text(value)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ChatError, match="broken character"):
        check_text("half of it: \ud83d")


@pytest.mark.parametrize("character", ["x", "é", "你", "👋"])
def test_the_limit_counts_bytes(character: str) -> None:
    size = len(character.encode())
    longest = character * (MAX_TEXT_BYTES // size)
    assert check_text(longest) is longest
    with pytest.raises(ChatError, match=r"1\.0 MB, over the limit of 1 MiB"):
        check_text(longest + character)


@given(ids)
def test_a_good_id_is_taken(value: str) -> None:
    assert check_id(value, "session_id") is value


@pytest.mark.parametrize("value", ["", "a b", "ä", "a/b", "x" * 129, "a\n", None, 7])
def test_a_bad_id_is_refused(value: object) -> None:
    with pytest.raises(ChatError, match="session_id must be"):
        check_id(value, "session_id")


def test_ids_are_unique() -> None:
    assert len({c.new_id() for _ in range(100)}) == 100
    assert check_id(c.new_id(), "id")
