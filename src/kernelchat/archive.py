"""What of a chat outlives it: kept conversations, and files to take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import ChatError

if TYPE_CHECKING:
    from .session import Session
    from .store import SessionInfo, SqliteStore

T = TypeVar("T")


class Archive:
    """The kept conversations of a chat's store, as methods of the chat.

    They block the caller while the store works.
    """

    _session: Session
    _runtime: Any
    _store: Any

    def sessions(self) -> list[SessionInfo]:
        """The conversations that the chat's store keeps, the newest first.

        Open one with `Chat(session_id=..., store=...)`.

        Raises:
            ChatError: kind `input`; the chat has no store, or one that cannot list.
        """
        return self._ask_store(lambda store: store.sessions())

    def rename(self, title: str, session_id: str | None = None) -> None:
        """Gives a kept conversation a title, by default this chat's.

        Raises:
            ChatError: kind `input`; no such conversation, or no store that can do it.
        """
        if not title.strip():
            raise ChatError("input", "A title is a text that is not empty.")
        wanted = session_id or self._session.session_id
        self._ask_store(lambda store: store.rename(wanted, title.strip()))

    def delete(self, session_id: str) -> None:
        """Deletes a kept conversation for good.

        Raises:
            ChatError: kind `input`; some chat shows it (close that first), or no store can do it.
        """
        if self._runtime.registry.shared(session_id) is not None:
            raise ChatError("input", "A chat shows this conversation: close() it first.")
        self._ask_store(lambda store: store.delete(session_id))

    def _ask_store(self, job: Callable[[SqliteStore], T]) -> T:
        from .store import SqliteStore, StoreError

        if self._store is None:
            raise ChatError(
                "input", 'This chat keeps nothing: make it with Chat(store="chats.sqlite").'
            )
        store = self._store.store
        if not isinstance(store, SqliteStore):
            raise ChatError("input", "Only a store in a file can list, rename and delete.")
        try:
            return self._store.run(lambda: job(store))  # type: ignore[no-any-return]
        except StoreError as error:
            raise ChatError("input", str(error)) from error
