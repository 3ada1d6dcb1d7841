"""Stories: whole conversations as their events, with the state that each half must fold them to.

`stories.json` is written by `python tests/wire/stories.py` and read by pytest and by vitest;
`test_stories.py` fails where it does not fit this file any more.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from kernelchat import commands as c
from kernelchat.conversation import Conversation
from kernelchat.errors import ChatError
from kernelchat.log import Entry, MemoryLog
from kernelchat.models.base import Delta
from kernelchat.state import State

FILE = Path(__file__).with_name("stories.json")
FIRST_ID = 1_764_000_000_000_000


class Teller:
    """A conversation with a clock and ids that are the same each time."""

    def __init__(self) -> None:
        ids = itertools.count(1)
        ticks = itertools.count()
        self.log = MemoryLog("s1", FIRST_ID)
        self.conversation = Conversation(
            self.log,
            now=lambda: 1_764_000_000_000,
            monotonic=lambda: next(ticks) / 8,
            new_id=lambda: f"m{next(ids)}",
        )
        self.events: list[dict[str, Any]] = []
        self._commands = itertools.count(1)
        self._seen = FIRST_ID - 1
        self.log.subscribe(self._keep)

    def _keep(self) -> None:
        for entry in self.log.read(self._seen) or ():
            self.events.append({"event": entry.event.name, "data": entry.wire()})
            self._seen = entry.id

    def do(self, command: type[Any], *args: Any) -> None:
        self.conversation.execute(command(f"c{next(self._commands)}", *args))

    def say(self, *pieces: str) -> None:
        running = self.conversation.running
        assert running is not None
        for piece in pieces:
            self.conversation.delta(running.message_id, Delta(piece))

    def think(self, text: str) -> None:
        running = self.conversation.running
        assert running is not None
        self.conversation.delta(running.message_id, Delta(reasoning=text))

    def finish(self, *pieces: str) -> None:
        self.say(*pieces)
        running = self.conversation.running
        assert running is not None
        self.conversation.finish(running.message_id, "stop", {"total_tokens": 3})

    def fail(self) -> None:
        running = self.conversation.running
        assert running is not None
        error = ChatError("connection", "The connection broke.")
        self.conversation.fail(running.message_id, error)

    def shown(self) -> list[str]:
        return [message.id for message in self.conversation.state.path()]


def one_answer(t: Teller) -> None:
    t.do(c.Send, "你好 👋🏽")
    t.think("hm")
    t.finish("Hel", "lo\n\u2028", "👩‍👩‍👧 <b>")


def stopped_and_asked_again(t: Teller) -> None:
    t.do(c.Send, "long?")
    t.say("half")
    t.do(c.Stop, None)
    t.do(c.Send, "next")
    t.finish("whole")


def failed_then_retried(t: Teller) -> None:
    t.do(c.Send, "q")
    t.say("so far")
    t.fail()
    t.do(c.Regenerate, t.shown()[-1])
    t.finish("better")


def a_queue(t: Teller) -> None:
    t.do(c.Send, "one")
    t.do(c.Send, "two")
    t.do(c.Send, "three")
    t.do(c.QueueEdit, t.conversation.state.queue[0], "two, changed")
    t.do(c.QueueRemove, t.conversation.state.queue[1])
    t.finish("1")
    t.finish("2")


def a_queue_after_a_failure(t: Teller) -> None:
    t.do(c.Send, "one")
    t.do(c.Send, "two")
    t.fail()
    t.do(c.Send, "three")
    t.finish("2")
    t.say("3")


def branches(t: Teller) -> None:
    t.do(c.Send, "first")
    t.finish("answer one")
    first, answer = t.shown()
    t.do(c.Regenerate, answer)
    t.finish("answer two")
    t.do(c.Edit, first, "first, otherwise")
    t.finish("answer three")
    t.do(c.Select, answer)
    t.do(c.Feedback, answer, "up")
    t.do(c.Feedback, answer, None)


def undone_and_cleared(t: Teller) -> None:
    t.do(c.Send, "one")
    t.finish("1")
    t.do(c.Send, "two")
    t.finish("2")
    last = t.shown()[-1]
    t.do(c.Undo)
    t.do(c.Clear)
    t.do(c.Select, last)


def in_the_middle(t: Teller) -> None:
    t.do(c.Send, "one")
    t.finish("1")
    t.do(c.Send, "two")
    t.say("not", " yet", " done")


def closed(t: Teller) -> None:
    t.do(c.Send, "one")
    t.do(c.Send, "two")
    t.say("half")
    t.conversation.close()


STORIES: Mapping[str, Callable[[Teller], None]] = {
    story.__name__: story
    for story in (
        one_answer,
        stopped_and_asked_again,
        failed_then_retried,
        a_queue,
        a_queue_after_a_failure,
        branches,
        undone_and_cleared,
        in_the_middle,
        closed,
    )
}


def facts(state: State) -> dict[str, Any]:
    """What both halves must agree on."""
    messages = (state.get(message_id) for message_id in state.ids())
    return {
        "messages": {message.id: message.to_wire() for message in messages if message},
        "path": [message.id for message in state.path()],
        "queue": list(state.queue),
        "leaf_id": state.leaf_id,
        "status": state.status,
    }


def tell(story: Callable[[Teller], None]) -> dict[str, Any]:
    """The events of a story, a snapshot of its middle and its end, and the state at the end."""
    teller = Teller()
    story(teller)
    state = teller.conversation.state
    last = Entry(teller.log.last_id, "s1", state.snapshot())
    snapshot = {"event": "snapshot", "data": last.wire()}
    return {"events": teller.events, "snapshot": snapshot, "state": facts(state)}


def main() -> None:
    told = {name: tell(story) for name, story in STORIES.items()}
    FILE.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
