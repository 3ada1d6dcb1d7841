"""The shelf: the conversations that one chat can show, live here or kept in its store.

Everything here runs on the server's loop. The store works on a thread of its own and is awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from .commands import check_id, new_id
from .errors import ChatError
from .keeper import StoreThread
from .registry import NO_SESSION, Grant, Registration, Registry
from .session import Session
from .store import SessionInfo, SqliteStore
from .transcript import title_of

T = TypeVar("T")

KEEPS_NOTHING = 'This chat keeps nothing: make it with Chat(store="chats.sqlite").'
LONGEST_TITLE = 200
LIVE = 20
_ALL = Grant()


class Shelf:
    """What one chat can show.

    Args:
        registry: all chats.
        chat: the one whose shelf this is.
        thread: its store's, None where it keeps nothing.
        new_session: makes a conversation that nothing was said in.
        turn_to: has the chat show another conversation, all in one step.
    """

    def __init__(
        self,
        registry: Registry,
        chat: Registration,
        thread: StoreThread | None,
        new_session: Callable[[str], Session],
        turn_to: Callable[[Session], None],
    ) -> None:
        self._registry = registry
        self._chat = chat
        self._thread = thread
        self._new_session = new_session
        self._turn_to = turn_to

    async def answer(self, request: Mapping[str, Any], grant: Grant = _ALL) -> dict[str, Any]:
        """Does what a view asks for: `action`, and the `session_id` and `title` it is about.

        Returns:
            `sessions` for the action "list", else the `session_id` that the chat shows then.

        Raises:
            ChatError: kind `input` or `not_found`.
        """
        match request.get("action"):
            case "list":
                return {"sessions": [asdict(info) for info in await self._listed(grant)]}
            case "new":
                await self.show(None)
            case "show":
                await self.show(await self._known(request, grant))
            case "rename":
                await self.rename(await self._known(request, grant), request.get("title"))
            case "delete":
                await self.delete(await self._known(request, grant))
            case _:
                actions = '"list", "new", "show", "rename" or "delete"'
                raise ChatError("input", f"The action must be {actions}.")
        return {"session_id": self._chat.session.session_id}

    async def sessions(self) -> list[SessionInfo]:
        """The conversations that the store keeps, the newest first.

        Raises:
            ChatError: kind `input`; there is no store that can list, or it cannot be read.
        """
        return await self._ask(self._file().sessions)

    async def show(self, session_id: str | None) -> None:
        """Has the chat show that conversation; None begins a new one, unless this one is new.

        Raises:
            ChatError: kind `not_found`, the store has none of that id; kind `input`, there is no
                store or it cannot be read; kind `cancelled`, the chat was closed meanwhile.
        """
        session: Session | None
        if session_id is None:
            if not self._chat.session.state.ids():
                return
            session = self._new_session(new_id())
            session.begin(None, self._thread, kept=True)
        else:
            session = self._live(session_id) or await self._load(session_id)
        if self._chat not in self._registry.chats():
            raise ChatError("cancelled", "This chat is closed: make a new one with Chat().")
        if session is not self._chat.session:
            self._turn_to(session)
            await self._tidy()

    async def rename(self, session_id: str, title: object) -> None:
        """Gives a kept conversation another title.

        Raises:
            ChatError: kind `input`; that is no title, or no store can do it.
        """
        if not isinstance(title, str) or not title.strip():
            raise ChatError("input", "A title is a text that is not empty.")
        if len(title) > LONGEST_TITLE:
            raise ChatError("input", f"A title has at most {LONGEST_TITLE} characters.")
        line = " ".join(title.encode(errors="replace").decode().split())
        store = self._file()
        await self._ask(lambda: store.rename(session_id, line))

    async def delete(self, session_id: str) -> None:
        """Deletes a conversation for good. If the chat shows it, it begins a new one first.

        Raises:
            ChatError: kind `input`; another chat shows it, or no store can do it.
        """
        others = [chat for chat in self._registry.chats() if chat is not self._chat]
        if any(chat.session.session_id == session_id for chat in others):
            raise ChatError("input", "Another chat shows this conversation: close() it first.")
        store = self._file() if self._thread or not self._chat.held(session_id) else None
        if self._chat.session.session_id == session_id:
            await self.show(None)
        for chat in self._registry.chats():
            live = chat.earlier.pop(session_id, None)
            if live is not None:
                # Its last save must not come after.
                await live.close()
        if store is not None:
            await self._ask(lambda: store.delete(session_id))

    async def _listed(self, grant: Grant) -> list[SessionInfo]:
        if self._thread is not None and isinstance(self._thread.store, SqliteStore):
            found = await self.sessions()
        else:
            live = [self._chat.session, *self._chat.earlier.values()]
            found = [_described(session) for session in live if session.state.ids()]
            found.sort(key=lambda info: -info.updated_at)
        if grant.owner is None:
            return found
        # A chat's own token opens no conversation that another chat has.
        return [info for info in found if not self._foreign(info.session_id)]

    async def _known(self, request: Mapping[str, Any], grant: Grant) -> str:
        session_id = check_id(request.get("session_id"), "session_id")
        if all(info.session_id != session_id for info in await self._listed(grant)):
            raise ChatError("not_found", NO_SESSION)
        return session_id

    def _foreign(self, session_id: str) -> bool:
        return self._chat.held(session_id) is None and self._live(session_id) is not None

    def _live(self, session_id: str) -> Session | None:
        return self._chat.held(session_id) or self._registry.shared(session_id)

    async def _load(self, session_id: str) -> Session:
        thread = self._thread
        if thread is None:
            raise ChatError("input", KEEPS_NOTHING)
        talk = await self._ask(lambda: thread.store.load(session_id))
        # Somebody else may have been quicker.
        session = self._live(session_id)
        if session is None:
            if talk is None:
                raise ChatError("not_found", "There is no such conversation in the store.")
            session = self._new_session(session_id)
            session.begin(talk, thread, kept=True)
        return session

    async def _tidy(self) -> None:
        """Lets go of what was shown long ago and is in the store, whole, and in nobody's use."""
        earlier = self._chat.earlier
        unused = [s for s in earlier.values() if s.idle and s.all_kept and not s.http_readers]
        for session in unused[: max(0, len(earlier) - LIVE)]:
            del earlier[session.session_id]
            if session not in self._registry.sessions():
                await session.close()

    def _file(self) -> SqliteStore:
        if self._thread is None:
            raise ChatError("input", KEEPS_NOTHING)
        store = self._thread.store
        if not isinstance(store, SqliteStore):
            raise ChatError("input", "Only a store in a file can list, rename and delete.")
        return store

    async def _ask(self, job: Callable[[], T]) -> T:
        assert self._thread is not None
        try:
            return await self._thread.ask(job)
        except Exception as error:  # a store of the user's may raise anything
            raise ChatError("input", str(error)) from error


def _described(session: Session) -> SessionInfo:
    state = session.state
    messages = [message for i in state.ids() if (message := state.get(i)) is not None]
    updated_at = max(message.created_at for message in messages)
    return SessionInfo(session.session_id, title_of(messages), updated_at, len(messages))
