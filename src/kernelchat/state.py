"""The state of a conversation: the fold of its events, and nothing else.

One thread folds; any thread may read, since messages are immutable and a `Draft` is made to be read
while it grows. The browser folds the same events in `js/src/state/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .events import (
    Done,
    Event,
    Failed,
    Leaf,
    MessageAdded,
    Reasoning,
    Removed,
    Snapshot,
    Status,
    TokenAdded,
    Tool,
    Update,
)
from .message import Draft, Message, fields_of

SNAPSHOT_MESSAGES = 100


class State:
    """Messages as a tree, the path that is shown, what waits, and what goes on.

    Attributes:
        last_id: the id of the last event folded in.
    """

    def __init__(self) -> None:
        self.leaf_id: str | None = None
        self.status = "idle"
        self.last_id = 0
        self._messages: dict[str, Message | Draft] = {}
        self._drafts: dict[str, Draft] = {}
        self._children: dict[str | None, tuple[str, ...]] = {}
        self._queue: tuple[str, ...] = ()
        self._ends: dict[str, int] = {}

    def fold(self, event: Event, event_id: int) -> None:
        """Takes in the next event of the log."""
        match event:
            case TokenAdded(message_id, _, text):
                self.draft(message_id).append(text, event_id)
            case Reasoning(message_id, _, text):
                self.draft(message_id).think(text)
            case MessageAdded(message):
                self._add(message)
            case Update(message_id, changes):
                self._change(message_id, **changes)
            case Tool():
                self._tool(event)
            case Done(message_id, _, finish_reason, usage, timing):
                status = "stopped" if finish_reason == "stopped" else "done"
                self._end(message_id, event_id)
                self._change(
                    message_id,
                    status=status,
                    finish_reason=finish_reason,
                    usage=usage and dict(usage),
                    timing=timing and dict(timing),
                )
            case Failed(message_id, kind, text, retryable):
                error = {"kind": kind, "message": text, "retryable": retryable}
                self._end(message_id, event_id)
                self._change(message_id, status="failed", error=error)
            case Leaf(leaf_id):
                self.leaf_id = leaf_id
            case Removed(message_ids):
                for message_id in message_ids:
                    self._remove(message_id)
            case Status(status):
                self.status = status
            case Snapshot():
                self._restore(event)
            case _:
                pass  # a notice is for who reads it now
        # Last: a reader on another thread takes it as "all up to here is in the state".
        self.last_id = event_id

    def restore(self, messages: Iterable[Message], leaf_id: str | None) -> None:
        """Begins with what was kept, oldest first. Before the first event only."""
        for message in messages:
            self._add(message)
        self.leaf_id = leaf_id

    # what any thread may ask

    def get(self, message_id: str) -> Message | None:
        """The message as it is now, None where there is none of that id."""
        found = self._messages.get(message_id)
        return found.freeze() if isinstance(found, Draft) else found

    def draft(self, message_id: str) -> Draft:
        """The answer that is being written.

        Raises:
            KeyError: that message is not being written.
        """
        return self._drafts[message_id]

    def drafts(self) -> list[tuple[str, Draft]]:
        """The answers that are being written, by id."""
        return list(self._drafts.items())

    def text_after(self, message_id: str, characters: int) -> tuple[str, int]:
        """What comes after so many characters, and how many tokens there are in all.

        Raises:
            KeyError: there is no message of that id.
        """
        found = self._messages[message_id]
        text, count = found.read() if isinstance(found, Draft) else (found.text, found.tokens)
        return text[characters:], count

    def offset(self, message_id: str, index: int) -> int | None:
        """Where token `index` begins, in characters; None once the answer is complete."""
        found = self._messages.get(message_id)
        return found.offset(index) if isinstance(found, Draft) else None

    def ended(self, message_id: str) -> int | None:
        """The id of the event that ended the turn of that answer, None while it goes on."""
        return self._ends.get(message_id)

    def ids(self) -> tuple[str, ...]:
        """All messages, oldest first, branches and what waits included."""
        return tuple(self._messages)

    @property
    def queue(self) -> tuple[str, ...]:
        """The prompts that wait, next first."""
        return self._queue

    def path(self, leaf_id: str | None = None) -> list[Message]:
        """The messages from the top to `leaf_id`, by default the path that is shown."""
        # Walked through at each turn, however long the talk: one plain loop.
        known = self._messages
        message_id = self.leaf_id if leaf_id is None else leaf_id
        path: list[Message] = []
        while message_id is not None and (found := known.get(message_id)) is not None:
            message = found.freeze() if isinstance(found, Draft) else found
            path.append(message)
            message_id = message.parent_id
        path.reverse()
        return path

    def siblings(self, message_id: str) -> tuple[str, ...]:
        """The branches that begin where this message does, itself included."""
        if message_id not in self._messages:
            return ()
        return self._children.get(self._parent(message_id), ())

    def newest_below(self, message_id: str) -> str:
        """The leaf that one gets to from `message_id` by the newest branch each time."""
        while children := self._children.get(message_id):
            message_id = children[-1]
        return message_id

    def snapshot(self, last: int = SNAPSHOT_MESSAGES) -> Snapshot:
        """The state a reader starts from. The folding thread only, so that its id is known."""
        path = list(self._up(self.leaf_id))
        shown = path[:last]
        wanted = {sibling for i in shown for sibling in self.siblings(i)}
        # Below the leaf lies what undo and clear left: the branches beside the next question.
        wanted.update(self._children.get(self.leaf_id, ()), self._queue)
        messages = tuple(
            message for i in self._messages if i in wanted and (message := self.get(i)) is not None
        )
        return Snapshot(messages, self.leaf_id, self.status, has_more=len(path) > last)

    def before(self, message_id: str, last: int = SNAPSHOT_MESSAGES) -> tuple[list[Message], bool]:
        """Up to `last` messages above that one and their siblings; whether there are more."""
        path = list(self._up(message_id))[1:]
        wanted = {sibling for i in path[:last] for sibling in self.siblings(i)}
        found = [
            message for i in self._messages if i in wanted and (message := self.get(i)) is not None
        ]
        return found, len(path) > last

    # the fold

    def _up(self, message_id: str | None) -> Iterator[str]:
        while message_id is not None and message_id in self._messages:
            yield message_id
            message_id = self._parent(message_id)

    def _parent(self, message_id: str) -> str | None:
        found = self._messages[message_id]
        return (found.message if isinstance(found, Draft) else found).parent_id

    def _add(self, message: Message) -> None:
        if message.status == "streaming":
            self._messages[message.id] = self._drafts[message.id] = Draft(message)
        else:
            self._messages[message.id] = message
        if message.status == "queued":
            self._queue += (message.id,)
        else:
            self._hang(message.id, message.parent_id)

    def _hang(self, message_id: str, parent_id: str | None) -> None:
        self._children[parent_id] = (*self._children.get(parent_id, ()), message_id)

    def _change(self, message_id: str, **changes: object) -> None:
        message = self._messages.get(message_id)
        if message is None:
            return
        known = fields_of(changes)
        if isinstance(message, Draft):
            if known.get("status", "streaming") == "streaming":
                message.message = replace(message.message, **known)
            else:
                self._messages[message_id] = message.freeze(**known)
                del self._drafts[message_id]
            return
        changed = replace(message, **known)
        self._messages[message_id] = changed
        if message.status == "queued" and changed.status != "queued":
            self._queue = tuple(i for i in self._queue if i != message_id)
            self._hang(message_id, changed.parent_id)

    def _tool(self, event: Tool) -> None:
        draft = self.draft(event.message_id)
        call = {
            "call_id": event.call_id,
            "name": event.tool,
            "arguments": event.arguments,
            "result": event.result,
            "status": event.status,
        }
        others = tuple(t for t in draft.message.tools if t["call_id"] != event.call_id)
        draft.message = replace(draft.message, tools=(*others, call))

    def _end(self, message_id: str, event_id: int) -> None:
        self._ends[message_id] = event_id

    def _remove(self, message_id: str) -> None:
        message = self.get(message_id)
        if message is None:
            return
        del self._messages[message_id]
        self._drafts.pop(message_id, None)
        self._queue = tuple(i for i in self._queue if i != message_id)
        rest = tuple(i for i in self._children.get(message.parent_id, ()) if i != message_id)
        self._children[message.parent_id] = rest

    def _restore(self, snapshot: Snapshot) -> None:
        self._messages, self._drafts, self._children, self._queue = {}, {}, {}, ()
        self.restore(snapshot.messages, snapshot.leaf_id)
        self.status = snapshot.status
