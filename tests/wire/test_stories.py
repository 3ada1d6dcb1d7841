"""Every story folds to the same state, here and in the browser, from wherever one begins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernelchat import events
from kernelchat.log import Entry
from kernelchat.state import State
from wire.stories import FILE, STORIES, facts, tell

TOLD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def fold(state: State, story: list[dict[str, Any]]) -> State:
    for told in story:
        event = events.from_wire(told["event"], told["data"])
        assert event is not None
        state.fold(event, told["data"]["id"])
    return state


def test_the_file_is_up_to_date() -> None:
    told = {name: tell(story) for name, story in STORIES.items()}
    assert json.loads(json.dumps(told)) == TOLD, "run: python tests/wire/stories.py"


@pytest.mark.parametrize("name", TOLD)
def test_all_events_fold_to_the_state(name: str) -> None:
    assert facts(fold(State(), TOLD[name]["events"])) == TOLD[name]["state"]


@pytest.mark.parametrize("name", TOLD)
def test_the_snapshot_is_the_state(name: str) -> None:
    folded = facts(fold(State(), [TOLD[name]["snapshot"]]))
    path = TOLD[name]["state"]["path"]
    assert {key: folded[key] for key in ("path", "queue", "leaf_id", "status")} == {
        key: TOLD[name]["state"][key] for key in ("path", "queue", "leaf_id", "status")
    }
    messages = TOLD[name]["state"]["messages"]
    assert [folded["messages"][i] for i in path] == [messages[i] for i in path]


@pytest.mark.parametrize("name", TOLD)
def test_a_snapshot_anywhere_and_the_rest_is_the_state(name: str) -> None:
    story = TOLD[name]["events"]
    for cut in range(1, len(story)):
        before = fold(State(), story[:cut])
        # With every message, as a chat of fewer than 100 has; messages on no path come too.
        whole = before.snapshot()
        known = {message.id for message in whole.messages}
        rest = tuple(m for i in before.ids() if i not in known and (m := before.get(i)) is not None)
        cut_id = story[cut - 1]["data"]["id"]
        snapshot = events.Snapshot(
            tuple(sorted((*whole.messages, *rest), key=lambda m: before.ids().index(m.id))),
            whole.leaf_id,
            whole.status,
            whole.has_more,
        )
        wire = Entry(cut_id, "s1", snapshot).wire()
        begun = fold(State(), [{"event": "snapshot", "data": wire}])
        assert facts(fold(begun, story[cut:])) == TOLD[name]["state"], cut
