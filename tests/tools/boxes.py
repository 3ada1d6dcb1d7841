"""What callbacks were called with."""

from __future__ import annotations

import queue
import threading
from typing import Any

from kernelchat import Chat
from kernelchat.events import Notice

from .pushed import PATIENCE
from .talk import wait_until


class Box:
    """What callbacks were called with, and a way to wait for it."""

    def __init__(self) -> None:
        self._things: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, thing: Any) -> None:
        self._things.put(thing)

    def next(self) -> Any:
        return self._things.get(timeout=PATIENCE)

    def take(self, count: int) -> list[Any]:
        return [self.next() for _ in range(count)]

    @property
    def empty(self) -> bool:
        return self._things.empty()


def settled(chat: Chat) -> None:
    """Returns once everything that waits for the callbacks' thread was called."""
    done = threading.Event()
    chat._callbacks.post(done.set)
    assert done.wait(PATIENCE)


def notices(chat: Chat) -> list[Notice]:
    entries = chat._session.log.read(chat.start)
    assert entries is not None
    return [entry.event for entry in entries if isinstance(entry.event, Notice)]


def wait_for_notice(chat: Chat) -> Notice:
    wait_until(chat._session.log, lambda: notices(chat))
    return notices(chat)[0]
