"""The event stream of conversations: what the views of a page read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from .._version import PROTOCOL
from ..log import Entry
from ..session import Session
from .sse import MAX_SEND, encode, pump


def greeting(session: Session, instance: str) -> dict[str, Any]:
    """The data of `connected`, the first event of every connection."""
    return {
        "session_id": session.session_id,
        "protocol": PROTOCOL,
        "instance": instance,
        "status": session.state.status,
        "message": "connected",
    }


async def follow(
    cursors: Mapping[Session, int | None],
    *,
    instance: str,
    with_ids: bool,
    stopping: asyncio.Event,
) -> AsyncGenerator[bytes, None]:
    """Follows conversations for one reader until it leaves or all are closed.

    Args:
        cursors: the id of the last event that the reader has of each; None for a snapshot.
        instance: the kernel's public id.
        with_ids: whether events carry `id:` lines (one conversation) or not (several).
        stopping: set when the server ends.
    """
    cursor = dict(cursors)

    def collect() -> bytes:
        parts: list[bytes] = []
        size = 0
        for session, after in cursor.items():
            entries = None if after is None else session.log.read(after)
            if entries is None:
                entries = [Entry(session.log.last_id, session.session_id, session.state.snapshot())]
            for entry in entries:
                part = encode(entry.event.name, entry.data, entry.id if with_ids else None)
                size += len(part)
                if parts and size > MAX_SEND:
                    return b"".join(parts)
                parts.append(part)
                cursor[session] = entry.id
        return b"".join(parts)

    stream = pump(
        [session.log for session in cursor],
        prelude=b"".join(encode("connected", greeting(s, instance)) for s in cursor),
        collect=collect,
        over=lambda: all(session.log.closed for session in cursor),
        stopping=stopping,
    )
    for session in cursor:
        session.attend(1)
    try:
        async for chunk in stream:
            yield chunk
    finally:
        await stream.aclose()
        for session in cursor:
            session.attend(-1)
