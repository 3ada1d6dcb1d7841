"""Which chats this process has, and what each token opens.

Chats register from the main thread; everything else happens on the server's loop. Each entry is put
and taken in one step, so no lock is needed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ChatError
from .session import Session

if TYPE_CHECKING:
    from .shelf import Shelf

MAX_TALKS = 1000
LINK_LIVES = 600.0
MAX_ORIGINS = 64
NO_SESSION = "There is no such conversation here."


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens: one chat's conversations, or all where `owner` is None."""

    owner: str | None = None


@dataclass(slots=True)
class Registration:
    """One chat: its conversation, its own token, and the talks that its clients started.

    Attributes:
        widget_id: the public name of the chat's widget.
        token: the chat's own token.
        new_session: makes a talk of its own on this chat's model.
        page_config: what the standalone page needs to look like the widget.
        send: posts a custom message to the widget's views; any thread.
        earlier: the conversations that it has shown, and may show again.
        shelf: what it can show.
    """

    widget_id: str
    session: Session
    new_session: Callable[[str], Session]
    page_config: Callable[[], Mapping[str, Any]]
    send: Callable[[Mapping[str, Any]], None]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    talks: dict[str, Session] = field(default_factory=dict)
    earlier: dict[str, Session] = field(default_factory=dict)
    shelf: Shelf = field(init=False, repr=False)

    def held(self, session_id: str) -> Session | None:
        """The conversation of that id that the chat shows, or has shown."""
        if session_id == self.session.session_id:
            return self.session
        return self.earlier.get(session_id)

    def turn_to(self, session: Session) -> None:
        """Shows `session`; the conversation shown so far goes on, out of sight."""
        self.earlier[self.session.session_id] = self.session
        self.earlier.pop(session.session_id, None)
        self.session = session

    def sessions(self) -> list[Session]:
        """All its conversations."""
        return [self.session, *self.earlier.values(), *self.talks.values()]

    def talk(self, session_id: str) -> Session:
        """The talk of that id, begun if need be. At most 1,000 live, the longest idle go first.

        Raises:
            ChatError: kind `rate_limit`; there is no room, since all are being answered.
        """
        own = self.held(session_id)
        if own is not None:
            return own
        if session_id not in self.talks:
            if len(self.talks) >= MAX_TALKS:
                self._end_oldest()
            self.talks[session_id] = self.new_session(session_id)
        return self.talks[session_id]

    def _end_oldest(self) -> None:
        idle = [session_id for session_id, talk in self.talks.items() if talk.idle]
        if not idle:
            raise ChatError("rate_limit", f"{MAX_TALKS} talks are being answered: try again later.")
        oldest = min(idle, key=lambda session_id: self.talks[session_id].used_at)
        self.talks.pop(oldest).conversation.close()


class Registry:
    """The chats of this process.

    Attributes:
        instance: the kernel's public id.
        token: the kernel's token, which its views get.
    """

    def __init__(self) -> None:
        self.instance = secrets.token_hex(8)
        self.token = secrets.token_urlsafe(32)
        self._chats: dict[str, Registration] = {}
        self._codes: dict[str, tuple[str, float]] = {}
        self._origins: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Registry({self.instance}, {len(self._chats)} chats)"

    def add(self, registration: Registration) -> None:
        """Takes in a chat."""
        self._chats[registration.widget_id] = registration

    def remove(self, widget_id: str) -> None:
        """Forgets a chat; its token opens nothing any more."""
        self._chats.pop(widget_id, None)

    def chats(self) -> tuple[Registration, ...]:
        """All chats."""
        return tuple(self._chats.values())

    def shared(self, session_id: str) -> Session | None:
        """The conversation of that id that some chat shows, or has shown."""
        found = (chat.held(session_id) for chat in self.chats())
        return next((session for session in found if session is not None), None)

    def sessions(self) -> tuple[Session, ...]:
        """All conversations: what chats show and have shown, and what clients started."""
        return tuple(session for chat in self.chats() for session in chat.sessions())

    def tokens(self) -> Iterator[tuple[str, Grant]]:
        """All tokens, with what they open."""
        yield self.token, Grant()
        for chat in self.chats():
            yield chat.token, Grant(chat.widget_id)

    # what a grant reaches

    def session(self, session_id: str, grant: Grant) -> Session:
        """The conversation of that id.

        Raises:
            ChatError: kind `not_found`; there is none, or it is somebody else's.
        """
        chats = self._reach(grant)
        for chat in chats:
            own = chat.held(session_id)
            if own is not None:
                return own
        # After all chats: a client may have given its talk the name that a chat got later.
        for chat in chats:
            if session_id in chat.talks:
                return chat.talks[session_id]
        raise ChatError("not_found", NO_SESSION)

    def talk(self, session_id: str | None, grant: Grant) -> Session:
        """The conversation to ask in; with a chat's own token a new id starts a talk of its own.

        Raises:
            ChatError: kind `not_found`, `input` or `rate_limit`.
        """
        if grant.owner is None:
            if session_id is None:
                raise ChatError("input", "Name the conversation: session_id is missing.")
            return self.session(session_id, grant)
        chat = self._chats.get(grant.owner)
        if chat is None:
            raise ChatError("not_found", NO_SESSION)
        if session_id is None:
            return chat.session
        foreign = chat.held(session_id) is None and self.shared(session_id) is not None
        if foreign and session_id not in chat.talks:
            raise ChatError("not_found", NO_SESSION)
        return chat.talk(session_id)

    def owner(self, session_id: str, grant: Grant, widget_id: object = None) -> Registration:
        """The chat that has the conversation; of several, that of `widget_id`, else who shows it.

        Raises:
            ChatError: kind `not_found`.
        """
        chats = [chat for chat in self._reach(grant) if chat.held(session_id) is not None]
        if not chats:
            raise ChatError("not_found", NO_SESSION)
        shows = {chat.widget_id: chat.session.session_id == session_id for chat in chats}
        return max(chats, key=lambda chat: (chat.widget_id == widget_id, shows[chat.widget_id]))

    def _reach(self, grant: Grant) -> tuple[Registration, ...]:
        if grant.owner is None:
            return self.chats()
        chat = self._chats.get(grant.owner)
        return (chat,) if chat else ()

    # how a view or a page proves itself

    def answer_probe(self, widget_id: str, challenge: str) -> None:
        """Posts the kernel's token to the views of that widget, over their kernel's own channel."""
        chat = self._chats.get(widget_id)
        if chat is not None:
            chat.send({"type": "grant", "c": challenge, "token": self.token})

    def link_code(self, widget_id: str) -> str:
        """A code, good once and for ten minutes, that `exchange` takes."""
        code = secrets.token_urlsafe(32)
        now = time.monotonic()
        self._codes = {c: v for c, v in self._codes.items() if v[1] > now}
        self._codes[code] = (widget_id, now + LINK_LIVES)
        return code

    def exchange(self, code: str) -> Registration:
        """The chat that the code opens; it opens it once.

        Raises:
            ChatError: kind `auth`.
        """
        widget_id, until = self._codes.pop(code, ("", 0.0))
        chat = self._chats.get(widget_id)
        if chat is None or time.monotonic() > until:
            raise ChatError(
                "auth", "This link was used already or is too old: make a new one, chat.link()."
            )
        return chat

    @property
    def origins(self) -> frozenset[str]:
        """Origins of pages that showed one of our views."""
        return self._origins

    def admit(self, origin: str) -> None:
        """Lets in pages of an origin that a view reported over its kernel's own channel."""
        if origin not in ("", "null") and len(self._origins) < MAX_ORIGINS:
            self._origins |= {origin}
