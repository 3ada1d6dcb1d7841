"""The runtime: what this process has one of. It outlives a reload of our modules.

It starts with the first chat, and ends with the process. A forked child gets one of its own.
"""

from __future__ import annotations

import atexit
import os
import sys
from types import ModuleType

from .comm import Pacer
from .keeper import StoreThread
from .registry import Registry
from .server.thread import ServerThread
from .store import SqliteStore, Store

_HOME = "_kernelchat_runtime"


class Runtime:
    """The registry of this process's chats and the thread that serves them.

    Attributes:
        registry: the chats.
        thread: the server's thread; its loop is where conversations are written.
        pacer: of all comm carriers.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.thread = ServerThread()
        self.pacer = Pacer(self.thread.loop)
        self._stores: dict[object, StoreThread] = {}
        self._pid = os.getpid()

    @property
    def alive(self) -> bool:
        """Whether it can be used: in the process that made it, before its end."""
        return self._pid == os.getpid() and self.thread.alive

    def store_thread(self, store: object) -> StoreThread:
        """The thread of that store: a path, or an object with `load` and `save`.

        Raises:
            TypeError: it is neither.
        """
        key: object = id(store)
        if isinstance(store, str | os.PathLike):
            made = SqliteStore(store)
            store, key = made, str(made.path)
        if not isinstance(store, Store):
            raise TypeError(
                "store must be a path such as 'chats.sqlite', or an object with load and save."
            )
        return self._stores.setdefault(key, StoreThread(store))

    def listen(self) -> int:
        """Serves HTTP, if it is not served yet; returns the port. Blocks for milliseconds.

        Raises:
            OSError, RuntimeError: as `ServerThread.listen`.
        """
        # Imported with the first chat: Starlette costs 0.2 s.
        from .server.app import create_app

        thread = self.thread
        return thread.listen(
            create_app(self.registry, port=lambda: thread.port, stopping=thread.stopping)
        )


def runtime() -> Runtime:
    """The runtime of this process, started if need be."""
    home = sys.modules.get(_HOME)
    if home is None:
        home = sys.modules[_HOME] = ModuleType(_HOME)
    found: Runtime | None = getattr(home, "runtime", None)
    if found is None or not found.alive:
        found = Runtime()
        home.runtime = found  # type: ignore[attr-defined]
        _register_ends(home)
    return found


def _register_ends(home: ModuleType) -> None:
    if hasattr(home, "ends"):
        return
    home.ends = True  # type: ignore[attr-defined]

    def end() -> None:
        found: Runtime | None = getattr(home, "runtime", None)
        if found is not None and found.alive:
            found.thread.stop()

    def forget() -> None:
        found: Runtime | None = getattr(home, "runtime", None)
        if found is not None:
            found.thread.forget()
            home.runtime = None  # type: ignore[attr-defined]

    atexit.register(end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
