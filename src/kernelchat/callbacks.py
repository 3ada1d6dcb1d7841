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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .errors import ChatError
from .events import Done, Event, Failed, Status, TokenAdded
from .message import Message, Token
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


class Callbacks:
    """Calls the functions that a chat's user registered.

    `add`, `remove`, `follow` and `post` may be called from any thread. The thread is a daemon; it
    starts with the first thing to do.

    Args:
        report: told of a callback that failed, in one sentence.
        on_status: told of each new status, on the callbacks' thread.
    """

    def __init__(self, report: Callable[[str], None], on_status: Callable[[str], None]) -> None:
        self._report = report
        self._on_status = on_status
        self._registered: tuple[_Registered, ...] = ()
        self._readers: dict[str, tuple[Session, TextReader]] = {}
        self._undo: dict[str, Callable[[], None]] = {}
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = False
        self._closed = False

    def add(self, kind: Kind, callback: Callback) -> None:
        """Registers; the same module and qualified name again replaces, as cells are run twice.

        Raises:
            TypeError: it cannot be called with one argument.
        """
        _check(callback)
        new = _Registered(kind, callback, _name(callback), _parent())
        others = [r for r in self._registered if (r.kind, r.name) != (kind, new.name)]
        self._registered = (*others, new)

    def remove(self, callback: Callback) -> bool:
        """Forgets the callback, also one of the same name; whether there was one."""
        name = _name(callback)
        rest = tuple(r for r in self._registered if r.callback is not callback and r.name != name)
        found = len(rest) < len(self._registered)
        self._registered = rest
        return found

    def follow(self, session: Session) -> None:
        """Calls back for what happens in this conversation from now on."""
        reader = TextReader(session.log, session.state, session.log.last_id)
        self._readers = {**self._readers, session.session_id: (session, reader)}
        self._undo[session.session_id] = session.log.subscribe(self._wake)

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
        for undo in self._undo.values():
            undo()
        self._jobs.put(self._read)
        self._jobs.put(None)
        self._closed = True

    def _wake(self) -> None:
        # At most one wake lies in the queue, however slow a callback is.
        if not self._woken:
            self._woken = True
            self.post(self._read)

    def _start(self) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                job()
        finally:
            if self._loop is not None:
                self._loop.close()

    def _read(self) -> None:
        self._woken = False
        for session_id, (session, reader) in tuple(self._readers.items()):
            for _, event in reader.take():
                self._dispatch(session, event)
            if session.log.closed and reader.cursor >= session.log.last_id:
                self._readers.pop(session_id, None)

    def _dispatch(self, session: Session, event: Event) -> None:
        match event:
            case TokenAdded(message_id, index, text):
                self._call("token", Token(text, index, message_id, session.session_id))
            case Done(message_id):
                message = session.state.get(message_id)
                if isinstance(message, Message):
                    self._call("done", message)
            case Failed(message_id, kind, text, retryable):
                message = session.state.get(message_id)
                so_far = message.text if message else ""
                error: Any = kind
                self._call("error", ChatError(error, text, retryable=retryable, text=so_far))
            case Status(status):
                self._on_status(status)

    def _call(self, kind: Kind, argument: object) -> None:
        for registered in self._registered:
            if registered.kind != kind:
                continue
            if registered.parent is not None:
                _set_parent(registered.parent)
            try:
                result = registered.callback(argument)
                if inspect.isawaitable(result):
                    self._await(result)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001
                traceback.print_exception(error, file=sys.stderr)
                name = ".".join(registered.name[1:])
                self._report(f"The callback {name} failed: {type(error).__name__}: {error}")

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


def _parent() -> Any:
    """What the running cell's output belongs to, None outside of a kernel."""
    shell = _shell()
    return shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else None


def _set_parent(parent: Any) -> None:
    shell = _shell()
    if shell is not None and hasattr(shell, "set_parent"):
        shell.set_parent(parent)


def _shell() -> Any:
    # Asked of who is loaded already: a script without IPython must not import it.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
