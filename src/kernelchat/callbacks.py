"""User callbacks: one thread a chat, everything in order, no stream ever waits for them.

What a callback prints goes under the cell that registered it; what it raises goes there and into
the chat's log. A callback may block for ever, call back into the chat, or stop it.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from . import shell
from .errors import ChatError
from .events import Done, Event, Failed, Status, TokenAdded
from .message import Token
from .models.text import describe
from .reader import TextReader
from .session import Session

Kind: TypeAlias = Literal["token", "done", "error"]
Callback: TypeAlias = Callable[[Any], object]

NAME = "kernelchat-callbacks"


@dataclass(frozen=True, slots=True)
class _Registered:
    kind: Kind
    callback: Callback
    name: tuple[str, str]
    parent: Any
    # By conversation, the last event before it was registered.
    since: Mapping[str, int]


class _Followed:
    """One conversation that the callbacks' thread reads."""

    __slots__ = ("reader", "session", "status", "undo", "waiting")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reader = TextReader(session.log, session.state, session.log.last_id)
        self.status = session.state.status
        self.waiting = False
        self.undo: Callable[[], None] = lambda: None


class Callbacks:
    """Calls the functions that a chat's user registered.

    `add`, `remove`, `follow` and `post` may be called from any thread. The thread is a daemon; it
    starts with the first thing to do.

    Args:
        report: told of a callback that failed, in one sentence.
        on_status: told of each new status of a conversation, on the callbacks' thread.
    """

    def __init__(
        self, report: Callable[[str], None], on_status: Callable[[Session, str], None]
    ) -> None:
        self._report = report
        self._on_status = on_status
        self._registered: tuple[_Registered, ...] = ()
        self._followed: dict[str, _Followed] = {}
        self._wants_tokens = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def add(self, kind: Kind, callback: Callback) -> None:
        """Registers; the same module and qualified name again replaces, as cells are run twice.

        Raises:
            TypeError: it cannot be called with one argument.
        """
        _check(callback)
        since = {i: f.session.log.last_id for i, f in tuple(self._followed.items())}
        new = _Registered(kind, callback, _name(callback), shell.parent(), since)
        others = [r for r in self._registered if (r.kind, r.name) != (kind, new.name)]
        self._set((*others, new))

    def remove(self, callback: Callback) -> bool:
        """Forgets the callback, also one of the same name; whether there was one."""
        name = _name(callback)
        rest = tuple(r for r in self._registered if r.callback is not callback and r.name != name)
        found = len(rest) < len(self._registered)
        self._set(rest)
        return found

    def _set(self, registered: tuple[_Registered, ...]) -> None:
        self._registered = registered
        self._wants_tokens = any(r.kind == "token" for r in registered)

    def follow(self, session: Session) -> None:
        """Calls back for what happens in this conversation from now on. Twice is fine."""
        before = self._followed.get(session.session_id)
        if before is not None and before.session is session:
            return
        followed = _Followed(session)
        self._followed[session.session_id] = followed
        followed.undo = session.log.subscribe(lambda: self._wake(followed))

    def post(self, job: Callable[[], None]) -> None:
        """Runs `job` on the callbacks' thread, after what waits there."""
        if self._closed:
            return
        self._jobs.put(job)
        self._start()

    def close(self) -> None:
        """Lets the thread end once what waits was called. Does not block; twice is fine."""
        if self._closed:
            return
        for followed in tuple(self._followed.values()):
            followed.undo()
            self._jobs.put(partial(self._read, followed))
        self._jobs.put(None)
        self._closed = True

    def _wake(self, followed: _Followed) -> None:
        # On the server's thread, at each event. Waking a thread costs more than the event itself,
        # so it is done only where somebody wants tokens, or the status changed: at a turn's start
        # and end. At most one wake of a conversation waits, however slow a callback is.
        before, followed.status = followed.status, followed.session.state.status
        if followed.waiting or not (self._wants_tokens or followed.status != before):
            return
        followed.waiting = True
        self.post(partial(self._read, followed))

    def _start(self) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            # Observers of traits run here, too.
            self._guard("An observer", job)
        if self._loop is not None:
            self._loop.close()

    def _read(self, followed: _Followed) -> None:
        followed.waiting = False
        session = followed.session
        for event_id, event in followed.reader.take():
            self._dispatch(session, event_id, event)
        if session.log.closed and followed.reader.cursor >= session.log.last_id:
            followed.undo()
            # By now another conversation may have the id.
            if self._followed.get(session.session_id) is followed:
                del self._followed[session.session_id]

    def _dispatch(self, session: Session, event_id: int, event: Event) -> None:
        argument: object
        match event:
            case TokenAdded(message_id, index, text):
                kind: Kind = "token"
                argument = Token(text, index, message_id, session.session_id)
            case Done(message_id):
                kind, argument = "done", session.state.get(message_id)
            case Failed(message_id, error_kind, text, retryable):
                message = session.state.get(message_id)
                so_far = message.text if message else ""
                known: Any = error_kind
                kind = "error"
                argument = ChatError(known, text, retryable=retryable, text=so_far)
            case Status(status):
                self._guard("An observer", partial(self._on_status, session, status))
                return
            case _:
                return
        for registered in self._registered:
            if registered.kind == kind and event_id > registered.since.get(session.session_id, 0):
                self._call(registered, argument)

    def _call(self, registered: _Registered, argument: object) -> None:
        if registered.parent is not None:
            shell.set_parent(registered.parent)
        name = f"The callback {registered.name[1]}"
        self._guard(name, partial(self._run_one, registered.callback, argument))

    def _run_one(self, callback: Callback, argument: object) -> None:
        result = callback(argument)
        if inspect.isawaitable(result):
            self._await(result)

    def _guard(self, name: str, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - sys.exit() and cancellation end no thread
            traceback.print_exception(error, file=sys.stderr)
            self._report(f"{name} failed: {describe(error)}")

    def _await(self, awaitable: Awaitable[object]) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()

        async def run() -> None:
            await awaitable

        self._loop.run_until_complete(run())


def _check(callback: object) -> None:
    if not callable(callback):
        raise TypeError(
            f"A callback must be a function of one argument, not {type(callback).__name__}."
        )
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):
        return  # some builtins have none: the call itself will tell
    try:
        signature.bind(None)
    except TypeError:
        raise TypeError(
            f"A callback takes one argument (a token, a message or an error); "
            f"{_name(callback)[1]}{signature} does not."
        ) from None


def _name(callback: object) -> tuple[str, str]:
    module = getattr(callback, "__module__", None) or type(callback).__module__
    name = getattr(callback, "__qualname__", None)
    # An object, or a method of one, is known by who it is, not by what its class is called.
    owner = getattr(callback, "__self__", None) if name else callback
    if owner is not None and not inspect.ismodule(owner):
        name = f"{name or type(callback).__qualname__}#{id(owner):x}"
    return str(module), str(name)
