"""uvicorn's HTTP on one connection, kept apart from other uvicorn servers of the process.

uvicorn logs to one logger for the whole process, "uvicorn.error", and without a handler that lands
under the user's cell. Here what strangers send is worth no line, and our own faults go to a logger
of ours.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

ABORT = "kernelchat.abort"
"""In a request's `scope["state"]`: ends the connection at once, without what waits to be sent."""

# As much as Jupyter lets through, and 7,000 Chinese characters in the URL of an EventSource.
MAX_HEAD = 64 * 1024

logger = logging.getLogger(__name__)
logger.setLevel(logging.ERROR)


class Protocol(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, ABORT: self.abort}, _loop)
        self.logger = logger
        self.access_log = False

    def abort(self) -> None:
        """Ends the connection at once. `close` would wait for a reader that takes nothing."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answers broken HTTP; uvicorn raises where an answer was begun already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
