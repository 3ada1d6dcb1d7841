"""A session: one conversation as it lives in this process, with its model and its running turn."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from .commands import Command
from .conversation import Conversation, EndTurn, StartTurn
from .keeper import Keeper, StoreThread
from .log import EventLog, MemoryLog
from .message import Draft, Message
from .models.base import Model, ModelMessage
from .state import State
from .store import Talk, interrupted
from .turn import Limits, run_turn

KEEP_ENDED_TURNS = 60.0


class Session:
    """One live conversation.

    It is made on any thread and lives on the server's loop: `execute` and `close` must be called
    there. `log` and `state` may be read from any thread.

    Attributes:
        system: the system prompt of the next turn, "" for none.
        http_readers: how many HTTP streams follow this conversation now.
        used_at: when it last did something, seconds of `time.monotonic`.
    """

    def __init__(
        self,
        session_id: str,
        model: Model,
        *,
        system: str = "",
        limits: Limits | None = None,
        created_at: int | None = None,
    ) -> None:
        wall = _now() if created_at is None else created_at
        self.session_id = session_id
        self.model = model
        self.system = system
        self.limits = limits or Limits()
        self.log: EventLog = MemoryLog(session_id, wall * 1000)
        self.conversation = Conversation(self.log, now=_now, monotonic=time.monotonic)
        self.http_readers = 0
        self.used_at = time.monotonic()
        self._readers_changed: list[Callable[[], None]] = []
        self._keeper: Keeper | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._prompted: tuple[tuple[Message, ...], tuple[ModelMessage, ...]] = ((), ())
        self._drafts: OrderedDict[str, tuple[Draft, float | None]] = OrderedDict()

    @property
    def state(self) -> State:
        """The fold of the log's events."""
        return self.conversation.state

    @property
    def idle(self) -> bool:
        """Whether no turn runs."""
        return self.conversation.running is None

    def begin(self, talk: Talk | None, thread: StoreThread | None, kept: bool) -> None:
        """Goes on with a talk, and keeps what comes. On the loop, before all else.

        Args:
            talk: what was said, None for nothing.
            thread: the store's, None to keep nothing.
            kept: whether the store has `talk` already.
        """
        conversation = self.conversation
        if talk is not None:
            messages = tuple(map(interrupted, talk.messages))
            conversation.restore(Talk(messages, talk.leaf_id))
        if thread is not None:
            loop = asyncio.get_running_loop()
            self._keeper = Keeper(self.log, self.state, thread, loop, conversation.notice)
            if talk is not None and not kept:
                self._keeper.save_all()

    @property
    def keeps(self) -> bool:
        """Whether the conversation has a store."""
        return self._keeper is not None

    @property
    def all_kept(self) -> bool:
        """Whether a store has all that was said."""
        return self._keeper is not None and self._keeper.done

    async def saved(self, event_id: int) -> None:
        """Returns once all up to that event is kept, or cannot be; at once without a store."""
        if self._keeper is not None:
            await self._keeper.saved(event_id)

    def execute(self, command: Command) -> int:
        """Does what `command` asks for; returns the id of the last event then. Never blocks.

        Raises:
            ChatError: the command is refused; the conversation goes on as it was.
        """
        self.used_at = time.monotonic()
        event_id = self.conversation.execute(command)
        self._drive()
        return event_id

    def draft(self, message_id: str) -> Draft | None:
        """The answer while it is written and for a minute after, for who resumes its stream."""
        self._forget()
        found = self._drafts.get(message_id)
        return found[0] if found else None

    def kept(self, message_id: str) -> bool:
        """Whether the turn of that answer waits, goes on, or ended less than a minute ago."""
        return self.state.ended(message_id) is None or self.draft(message_id) is not None

    def attend(self, change: int) -> None:
        """Counts an HTTP reader that came (1) or left (-1)."""
        self.http_readers += change
        self.used_at = time.monotonic()
        for changed in tuple(self._readers_changed):
            changed()

    def on_readers_changed(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` when HTTP readers come or go; returns what ends it."""
        self._readers_changed.append(changed)
        return lambda: self._readers_changed.remove(changed)

    async def settled(self) -> None:
        """Returns once the turns that run now have let go of their model."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    async def close(self) -> None:
        """Ends what runs and says so to all readers. Twice is fine."""
        self.conversation.close()
        tasks = tuple(self._tasks.values())
        self._drive()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        if self._keeper is not None:
            await self._keeper.close()

    def _drive(self) -> None:
        effects = self.conversation.effects
        while effects:
            match effects.popleft():
                case StartTurn(message_id, messages):
                    # It may have been stopped before it could begin.
                    if self.state.ended(message_id) is None:
                        self._start(message_id, messages)
                case EndTurn(message_id):
                    task = self._tasks.get(message_id)
                    if task is not None:
                        task.cancel()

    def _start(self, message_id: str, messages: tuple[Message, ...]) -> None:
        self._forget()
        self._drafts[message_id] = (self.state.draft(message_id), None)
        turn = run_turn(
            self.conversation, self.model, message_id, self._prompt(messages), self.limits
        )
        task = asyncio.get_running_loop().create_task(turn, name=f"kernelchat-turn-{message_id}")
        self._tasks[message_id] = task
        task.add_done_callback(lambda _: self._ended(message_id))

    def _prompt(self, messages: tuple[Message, ...]) -> list[ModelMessage]:
        # Of a long talk only what is new is made: as a rule it begins as the last one did.
        last, prompt = self._prompted
        if messages[: len(last)] != last:
            last, prompt = (), ()
        prompt = (*prompt, *(message.to_openai() for message in messages[len(last) :]))
        self._prompted = messages, prompt
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *prompt]

    def _ended(self, message_id: str) -> None:
        task = self._tasks.pop(message_id)
        draft, _ = self._drafts[message_id]
        self._drafts[message_id] = (draft, time.monotonic() + KEEP_ENDED_TURNS)
        self._drafts.move_to_end(message_id)
        if not task.cancelled():
            task.result()
        self.used_at = time.monotonic()
        self._drive()

    def _forget(self) -> None:
        now = time.monotonic()
        over = [i for i, (_, until) in self._drafts.items() if until is not None and until < now]
        for message_id in over:
            del self._drafts[message_id]


def _now() -> int:
    return time.time_ns() // 1_000_000
