"""What the unit tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from kernelchat import Chat

# Machines are noisy: how long an example takes is no property.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def make_chat() -> Iterator[Callable[..., Chat]]:
    """Makes chats, and closes them after the test. Over comm, where nothing else is asked for."""
    chats: list[Chat] = []

    def make(*args: Any, **keywords: Any) -> Chat:
        chat = Chat(*args, **{"transport": "comm", **keywords})
        chats.append(chat)
        return chat

    yield make
    for chat in chats:
        chat.close()
