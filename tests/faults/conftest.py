"""What the tests of faults share: a chat whose model is pushed by hand, and its server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from kernelchat import Chat
from tools.pushed import PushedModel
from tools.reading import Server

# Machines are noisy: how long an example takes is no property.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def model() -> PushedModel:
    return PushedModel()


@pytest.fixture
def chat(static_files: object, model: PushedModel) -> Iterator[Chat]:
    chat = Chat(model)
    yield chat
    chat.close()


@pytest.fixture
def server(chat: Chat) -> Iterator[Server]:
    with Server(chat) as server:
        yield server
