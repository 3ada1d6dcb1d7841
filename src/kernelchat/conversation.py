"""A conversation: commands and what the model sends go in, events come out.

It is pure: no socket, no thread, no clock of its own. What must be done outside (start a model
call, end one) it leaves in `effects` for whoever drives it. The rules are those of DESIGN.md
section 3.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import commands as c
from .errors import ChatError
from .events import (
    Done,
    Event,
    Failed,
    Leaf,
    MessageAdded,
    Notice,
    Reasoning,
    Removed,
    Status,
    TokenAdded,
    Update,
)
from .log import EventLog
from .message import Message
from .models.base import Delta
from .state import State
from .store import Talk
from .told import Told

MAX_ANSWER_BYTES = 8 << 20
REMEMBERED_COMMANDS = 10_000


@dataclass(frozen=True, slots=True)
class StartTurn:
    """Ask the model for the answer `message_id` to the talk in `messages`."""

    message_id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The answer `message_id` wants no more: let go of the model."""

    message_id: str


Effect: TypeAlias = StartTurn | EndTurn


class Running:
    """What is known of the turn that runs and is in no event yet."""

    __slots__ = ("_bytes", "first_token_at", "message_id", "started_at")

    def __init__(self, message_id: str, started_at: float) -> None:
        self.message_id = message_id
        self.started_at = started_at
        self.first_token_at: float | None = None
        self._bytes = 0

    def fit(self, text: str) -> str:
        """What of `text` the answer still has room for."""
        room = MAX_ANSWER_BYTES - self._bytes
        data = text.encode(errors="replace")
        self._bytes += min(len(data), room)
        return text if len(data) <= room else data[:room].decode(errors="ignore")


class Conversation:
    """The messages of one `session_id`. All methods belong to the one writer's thread.

    Args:
        log: where the events go.
        now: wall clock, milliseconds since 1970.
        monotonic: a clock for durations, seconds.
        new_id: makes ids for messages that the caller named none for.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        new_id: Callable[[], str] = c.new_id,
    ) -> None:
        self.log = log
        self.state = State()
        self.effects: deque[Effect] = deque()
        self.running: Running | None = None
        self._paused = False
        self.now = now
        self._monotonic = monotonic
        self._new_id = new_id
        self._answered: OrderedDict[str, int] = OrderedDict()
        # The ids that answers to waiting prompts will have: whoever asked holds them already.
        self._replies: dict[str, str] = {}
        self._told = Told(self.state)

    # commands

    def execute(self, command: c.Command) -> int:
        """Does what `command` asks for, once; returns the id of the last event then.

        Raises:
            ChatError: kind `input` or `not_found`; nothing was changed.
        """
        answered = self._answered.get(command.command_id)
        if answered is not None:
            return answered
        if self.state.status == "closed":
            raise ChatError("cancelled", "This chat is closed: make a new one with Chat().")
        if type(command) not in c.COMMANDS.values():
            # Of a version that was loaded before: nothing below would know it.
            raise ChatError("input", "kernelchat was loaded anew meanwhile: restart the kernel.")
        match command:
            case c.Send():
                self._send(command)
            case c.Stop(message_id=message_id):
                self._stop(message_id)
            case c.Regenerate():
                self._regenerate(command)
            case c.Edit():
                self._edit(command)
            case c.Select(message_id=shown_id):
                if self._known(shown_id).status == "queued":
                    raise ChatError("input", "That prompt waits: it is shown once it is asked.")
                self._emit(Leaf(self.state.newest_below(shown_id)))
            case c.Undo():
                self._undo()
            case c.Clear():
                self._halt()
                self._emit(Leaf(None))
            case c.QueueEdit(message_id=message_id, text=text):
                self._waiting(message_id)
                self._emit(Update(message_id, {"text": c.check_text(text)}))
            case c.QueueRemove(message_id=waiting_id):
                self._waiting(waiting_id)
                self._take_back(waiting_id)
            case c.Feedback(message_id=message_id, value=value):
                self._known(message_id)
                self._emit(Update(message_id, {"feedback": value}))
        self._answered[command.command_id] = self.log.last_id
        if len(self._answered) > REMEMBERED_COMMANDS:
            self._answered.popitem(last=False)
        return self.log.last_id

    def seed(self, messages: object) -> None:
        """Puts `{"role", "content"}` dicts under the leaf, as what was said before.

        Raises:
            ChatError: kind `input`; nothing was added.
        """
        parent_id = self.state.leaf_id
        for role, text in c.check_messages(messages):
            added = Message(self._new_id(), role, text, parent_id, created_at=self.now())
            self._emit(MessageAdded(added))
            parent_id = added.id
        self._emit(Leaf(parent_id))

    def restore(self, talk: Talk) -> None:
        """Begins with a talk that was kept. What waited then waits for the next command."""
        self.state.restore(talk.messages, talk.leaf_id)
        self._paused = True

    def close(self) -> None:
        """Ends what runs, takes back what waits, and says that nothing more will come."""
        if self.state.status == "closed":
            return
        if self.state.queue:
            self._emit(Removed(self.state.queue))
        self._halt()
        self._emit(Status("closed"))
        self.log.close()

    # what the model sends

    def delta(self, message_id: str, delta: Delta) -> bool:
        """Takes in a piece of the answer; False where that turn is over."""
        running = self.running
        if running is None or running.message_id != message_id:
            return False
        draft = self.state.draft(message_id)
        reasoning, text = running.fit(delta.reasoning), running.fit(delta.text)
        if reasoning:
            self._emit(Reasoning(message_id, draft.reasonings, reasoning))
        if delta.citations:
            citations = (*draft.message.citations, *delta.citations)
            self._emit(Update(message_id, {"citations": citations}))
        if text:
            if running.first_token_at is None:
                running.first_token_at = self._monotonic()
                self._emit(Status("writing"))
            self._emit(TokenAdded(message_id, draft.tokens, text))
        if (reasoning, text) == (delta.reasoning, delta.text):
            return True
        self._emit(Notice("warning", "length", "The answer was cut at 8 MiB."))
        self.finish(message_id, "length", None)
        self.effects.append(EndTurn(message_id))
        return False

    def retrying(self, message_id: str, retry_at: int) -> None:
        """The model is asked again at `retry_at`, milliseconds since 1970."""
        if self._runs(message_id):
            self._emit(Status("retrying", retry_at=retry_at))

    def thinking(self, message_id: str) -> None:
        """The model is being asked again."""
        if self._runs(message_id):
            self._emit(Status("thinking"))

    def finish(self, message_id: str, finish_reason: str, usage: Mapping[str, Any] | None) -> None:
        """The turn ended well. The next prompt that waits goes out."""
        if self._runs(message_id):
            self._done(finish_reason, usage)
            self._next()

    def fail(self, message_id: str, error: ChatError) -> None:
        """The turn failed. What waits goes on waiting, for the next command."""
        if not self._runs(message_id):
            return
        self.running = None
        self._paused = True
        self._emit(Failed(message_id, error.kind, _sayable(error.message), error.retryable))
        self._emit(Status("idle"))

    def notice(self, level: str, kind: str, text: str) -> None:
        """Says something to whoever looks."""
        if not self.log.closed:
            self._emit(Notice(level, kind, _sayable(text)))

    # how

    def _emit(self, event: Event) -> None:
        # Folded first: who is woken by the append finds it in the state, on any thread.
        self.state.fold(event, self.log.next_id)
        self.log.append(event)

    def _runs(self, message_id: str) -> bool:
        return self.running is not None and self.running.message_id == message_id

    def _known(self, message_id: str) -> Message:
        message = self.state.get(message_id)
        if message is None:
            raise ChatError("not_found", "There is no such message in this conversation.")
        return message

    def _waiting(self, message_id: str) -> None:
        if message_id not in self.state.queue:
            raise ChatError("not_found", "That prompt does not wait any more.")

    def _send(self, command: c.Send) -> None:
        text = c.check_text(command.text)
        message_id = command.message_id or self._new_id()
        reply_id = command.reply_id or self._new_id()
        if self.running is None and not self.state.queue:
            parent_id = self.state.leaf_id
            self._emit(self._question(message_id, text, parent_id, command.attachments))
            self._begin(message_id, reply_id)
            return
        self._replies[message_id] = reply_id
        question = self._question(message_id, text, None, command.attachments, "queued")
        self._emit(question)
        self._paused = False
        if self.running is None:
            self._next()

    def _question(
        self,
        message_id: str,
        text: str,
        parent_id: str | None,
        attachments: tuple[dict[str, Any], ...] = (),
        status: Any = "done",
    ) -> MessageAdded:
        return MessageAdded(
            Message(
                message_id,
                "user",
                text,
                parent_id,
                status,
                attachments=attachments,
                created_at=self.now(),
            )
        )

    def _begin(self, question_id: str, reply_id: str) -> None:
        self._paused = False
        answer = Message(reply_id, "assistant", "", question_id, "streaming", created_at=self.now())
        talk = self._told.up_to(question_id)
        self._emit(MessageAdded(answer))
        self._emit(Leaf(reply_id))
        self._emit(Status("thinking"))
        self.running = Running(reply_id, self._monotonic())
        self.effects.append(StartTurn(reply_id, talk))

    def _next(self) -> None:
        if self._paused or self.running is not None or not self.state.queue:
            return
        question_id = self.state.queue[0]
        changes = {"status": "done", "parent_id": self.state.leaf_id}
        self._emit(Update(question_id, changes))
        self._begin(question_id, self._replies.pop(question_id, "") or self._new_id())

    def _done(self, finish_reason: str, usage: Mapping[str, Any] | None = None) -> None:
        running = self.running
        if running is None:
            return
        self.running = None
        text, tokens = self.state.draft(running.message_id).read()
        timing = _timing(running, self._monotonic(), tokens)
        self._emit(Done(running.message_id, text, finish_reason, usage, timing))
        self._emit(Status("idle"))

    def _stop(self, message_id: str | None) -> None:
        for waiting_id, reply_id in self._replies.items():
            if message_id == reply_id:
                # Whoever stops an answer that did not begin yet does not want it asked for.
                self._take_back(waiting_id)
                return
        if self.running is None or (message_id and not self._runs(message_id)):
            return
        self.effects.append(EndTurn(self.running.message_id))
        self._done("stopped")
        self._next()

    def _take_back(self, waiting_id: str) -> None:
        self._replies.pop(waiting_id, None)
        self._emit(Removed((waiting_id,)))

    def _halt(self) -> None:
        # As a stop, but what waits must not rush into a conversation that was just changed.
        self._paused = True
        self._stop(None)

    def _regenerate(self, command: c.Regenerate) -> None:
        message = self._last_answer(command.message_id)
        question_id = message.id if message.role == "user" else message.parent_id
        question = self._known(question_id) if question_id else None
        if question is None or question.status == "queued":
            raise ChatError("input", "There is no question to answer again.")
        self._halt()
        self._begin(question.id, command.reply_id or self._new_id())

    def _last_answer(self, message_id: str | None) -> Message:
        if message_id:
            return self._known(message_id)
        if self.state.leaf_id is None:
            raise ChatError("input", "There is nothing to regenerate yet: ask something first.")
        return self._known(self.state.leaf_id)

    def _edit(self, command: c.Edit) -> None:
        text = c.check_text(command.text)
        message = self._known(command.message_id)
        if message.role != "user" or message.status == "queued":
            raise ChatError("input", "Only a question that was asked can be edited.")
        self._halt()
        question_id = self._new_id()
        self._emit(self._question(question_id, text, message.parent_id, message.attachments))
        self._begin(question_id, command.reply_id or self._new_id())

    def _undo(self) -> None:
        asked = [message for message in self.state.path() if message.role == "user"]
        if not asked:
            raise ChatError("input", "There is nothing to undo.")
        self._halt()
        self._emit(Leaf(asked[-1].parent_id))


def _sayable(text: str) -> str:
    # Names of files come with lone surrogates, which no reader could be sent.
    return text.encode(errors="replace").decode()


def _timing(running: Running, now: float, tokens: int) -> dict[str, Any]:
    first = running.first_token_at
    writing = now - first if first is not None else 0.0
    return {
        "first_token_ms": None if first is None else round((first - running.started_at) * 1000),
        "total_ms": round((now - running.started_at) * 1000),
        "tokens_per_second": round((tokens - 1) / writing, 1) if tokens > 1 and writing else None,
    }
