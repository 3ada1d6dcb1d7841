"""The keeper: follows a conversation's log and has its store save what changed.

It runs on the server's loop and never waits; the store works on a thread of its own. One save is
under way at a time, and what changed meanwhile goes into the next.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .events import (
    Done,
    Event,
    Failed,
    Leaf,
    MessageAdded,
    Reasoning,
    Removed,
    TokenAdded,
    Tool,
    Update,
)
from .log import EventLog
from .state import State
from .store import Change, Store

T = TypeVar("T")

NAME = "kernelchat-store"
TOKENS_EVERY = 1.0
FIRST_RETRY = 1.0
LONGEST_RETRY = 30.0


class StoreThread:
    """The one thread on which a store is used; a daemon, started with the first job."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(
        self, job: Callable[[], T], done: Callable[[T | None, Exception | None], None]
    ) -> None:
        """Runs `job`, then `done` with its result or its exception, both on the store's thread."""

        def work() -> None:
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - handed to who asked
                done(None, error)
            else:
                done(result, None)

        self._jobs.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread.start()

    def run(self, job: Callable[[], T]) -> T:
        """Runs `job` and returns its result. Blocks the caller, in slices, so that Ctrl-C works."""
        answer: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()
        self.submit(job, lambda result, error: answer.put((result, error)))
        while True:
            try:
                result, error = answer.get(timeout=0.1)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return result  # type: ignore[no-any-return]

    async def ask(self, job: Callable[[], T]) -> T:
        """Runs `job` and returns its result; the loop that awaits it goes on meanwhile."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if answer.done():
                return  # nobody waits any more
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def tell(*outcome: Any) -> None:
            # At the end of the process the loop may be gone.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, *outcome)

        self.submit(job, tell)
        return await answer

    def _run(self) -> None:
        while True:
            self._jobs.get()()


class Keeper:
    """Saves one conversation. All methods belong to the server's loop.

    Args:
        log: the conversation's events.
        state: the fold of that log.
        thread: where the store works.
        loop: the server's loop.
        notice: says something in the chat: level, kind, text.
    """

    def __init__(
        self,
        log: EventLog,
        state: State,
        thread: StoreThread,
        loop: asyncio.AbstractEventLoop,
        notice: Callable[[str, str, str], None],
    ) -> None:
        self._log = log
        self._state = state
        self._thread = thread
        self._loop = loop
        self._notice = notice
        self._cursor = log.last_id
        self._saved = log.last_id
        self._leaf_id = state.leaf_id
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}
        self._saving = False
        self._failed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._undo = log.subscribe(self._on_event)

    async def saved(self, event_id: int) -> None:
        """Returns once all up to that event is kept, or the store has said that it cannot."""
        if self._saved >= event_id or self._failed:
            return
        waiter = self._loop.create_future()
        self._waiters.append((event_id, waiter))
        self._flush()
        await waiter

    @property
    def done(self) -> bool:
        """Whether all that was said is kept."""
        return self._saved >= self._log.last_id and not self._failed

    def save_all(self) -> None:
        """Saves also what was there before the keeper came."""
        self._changed |= dict.fromkeys(self._state.ids())
        self._later(0.0)

    async def close(self) -> None:
        """Saves what is left, if the store still works."""
        self._undo()
        await self.saved(self._log.last_id)

    def _on_event(self) -> None:
        if self._failed or self._saving:
            return
        # Tokens are many and can be had again; what people did cannot.
        urgent = any(not isinstance(event, TokenAdded | Reasoning) for event in self._collect())
        if urgent:
            # At the end of this step: what one command does is saved in one go.
            self._later(0.0)
        elif self._timer is None:
            self._later(TOKENS_EVERY)

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._flush)

    def _collect(self) -> list[Event]:
        entries = self._log.read(self._cursor)
        self._cursor = self._log.last_id
        if entries is None:
            # It fell behind: everything may have changed.
            self._changed |= dict.fromkeys(self._state.ids())
            return [Leaf(None)]
        for entry in entries:
            self._note(entry.event)
        return [entry.event for entry in entries]

    def _note(self, event: Event) -> None:
        match event:
            case MessageAdded(message):
                self._changed[message.id] = None
            case Removed(message_ids):
                for message_id in message_ids:
                    self._changed.pop(message_id, None)
                    self._removed[message_id] = None
            case (
                TokenAdded(message_id)
                | Reasoning(message_id)
                | Update(message_id)
                | Tool(message_id)
                | Done(message_id)
                | Failed(message_id)
            ):
                self._changed[message_id] = None
            case _:
                pass  # a leaf or a status is in no message

    def _flush(self) -> None:
        self._timer = None
        if self._saving:
            return
        self._collect()
        leaf_id = self._state.leaf_id
        if not self._changed and not self._removed and leaf_id == self._leaf_id:
            self._saved = self._cursor
            self._release()
            return
        messages = [m for i in self._changed if (m := self._state.get(i)) is not None]
        change = Change(tuple(messages), tuple(self._removed), leaf_id)
        pending, upto = (self._changed, self._removed), self._cursor
        self._changed, self._removed = {}, {}
        self._saving = True
        session_id, store = self._log.session_id, self._thread.store
        self._thread.submit(
            lambda: store.save(session_id, change),
            lambda _, error: self._tell(upto, leaf_id, pending, error),
        )

    def _tell(self, *outcome: Any) -> None:
        # On the store's thread; at the end of the process the loop may be gone.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._done, *outcome)

    def _done(
        self,
        upto: int,
        leaf_id: str | None,
        pending: tuple[dict[str, None], dict[str, None]],
        error: Exception | None,
    ) -> None:
        self._saving = False
        said = getattr(self._thread.store, "notice", None)
        if said:
            self._thread.store.notice = None  # type: ignore[attr-defined]
            self._notice("warning", "store", said)
        if error is None:
            self._saved = max(self._saved, upto)
            self._leaf_id = leaf_id
            if self._failed:
                self._failed = 0
                self._notice("info", "store", "The conversation is being saved again.")
        else:
            changed, removed = pending
            self._changed = changed | self._changed
            self._removed = removed | self._removed
            if not self._failed:
                self._notice("warning", "store", f"Not saved: {error}")
            self._failed += 1
            wait = min(FIRST_RETRY * 2 ** (self._failed - 1), LONGEST_RETRY)
            self._later(wait)
        self._release()
        if error is None and not self._saving and self._cursor < self._log.last_id:
            self._on_event()

    def _release(self) -> None:
        rest: list[tuple[int, asyncio.Future[None]]] = []
        again = False
        for event_id, waiter in self._waiters:
            if waiter.done():
                continue
            if event_id <= self._saved or self._failed:
                waiter.set_result(None)
            else:
                rest.append((event_id, waiter))
                again = True
        self._waiters = rest
        if again:
            self._flush()
