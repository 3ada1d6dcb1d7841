"""Where a client of one's own finds a chat."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a chat's server, the chat's own token, and its conversation's id.

    The token opens this chat and the talks that its clients start, nothing else. It is not in the
    repr, so that it does not end up in a saved notebook.
    """

    url: str
    token: str = field(repr=False)
    session_id: str
