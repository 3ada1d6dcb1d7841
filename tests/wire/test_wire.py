"""The samples of the wire, which the browser's tests read too, so that the halves cannot drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kernelchat import commands, events
from kernelchat.commands import COMMANDS
from kernelchat.events import EVENTS
from kernelchat.log import Entry
from kernelchat.state import State

HERE = Path(__file__).parent
EVENT_SAMPLES: list[dict[str, Any]] = json.loads((HERE / "events.json").read_text("utf-8"))
COMMAND_SAMPLES: list[dict[str, Any]] = json.loads((HERE / "commands.json").read_text("utf-8"))
LOGGED = [sample for sample in EVENT_SAMPLES if sample["event"] != "connected"]


def test_there_is_a_sample_of_every_event_and_command() -> None:
    assert {sample["event"] for sample in EVENT_SAMPLES} == {*EVENTS, "connected"}
    assert {sample["type"] for sample in COMMAND_SAMPLES} == set(COMMANDS)


@pytest.mark.parametrize("sample", LOGGED, ids=lambda sample: sample["event"])
def test_an_event_reads_and_writes_as_the_sample(sample: dict[str, Any]) -> None:
    data = sample["data"]
    event = events.from_wire(sample["event"], data)
    assert event is not None
    assert event.name == sample["event"]
    entry = Entry(data["id"], data["session_id"], event)
    assert json.loads(entry.data) == data
    assert list(json.loads(entry.data)) == list(data)


@pytest.mark.parametrize("sample", LOGGED, ids=lambda sample: sample["event"])
def test_data_is_one_line(sample: dict[str, Any]) -> None:
    event = events.from_wire(sample["event"], sample["data"])
    assert event is not None
    line = Entry(1, "s1", event).data
    assert "\n" not in line
    assert "\r" not in line


@pytest.mark.parametrize("sample", COMMAND_SAMPLES, ids=lambda sample: sample["type"])
def test_a_command_reads_and_writes_as_the_sample(sample: dict[str, Any]) -> None:
    command = commands.from_wire(sample)
    assert command.type == sample["type"]
    assert commands.to_wire(command) == sample


def test_the_samples_fold_as_one_story() -> None:
    state = State()
    for sample in LOGGED:
        event = events.from_wire(sample["event"], sample["data"])
        assert event is not None
        if sample["event"] == "error":
            break  # the story of the answer ends with `done`
        state.fold(event, sample["data"]["id"])
    answer = state.get("a1")
    assert answer is not None
    assert answer.text == "Hello\n\u2028"
    assert answer.reasoning == "hm"
    assert (answer.status, answer.tokens) == ("done", 3)
    assert answer.tools[0]["name"] == "correlate"
    assert [message.id for message in state.path("u2")] == ["u1", "a1", "u2"]
