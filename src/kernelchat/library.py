"""Which conversation a chat shows, and what else its store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import ChatError

if TYPE_CHECKING:
    from .display import Shown
    from .registry import Registration
    from .session import Session
    from .store import SessionInfo


class Library:
    """The conversations that a chat can show, as methods of the chat.

    They may be called from any thread, and block the caller while the store works.
    """

    _session: Session
    _registration: Registration
    _runtime: Any
    _callbacks: Any
    _carrier: Any
    _model: Any
    _system: Any
    _limits: Any
    _shown: Shown | None
    _check_open: Any
    _post: Any
    comm: Any
    set_trait: Any

    def sessions(self) -> list[SessionInfo]:
        """The conversations that the chat's store keeps, the newest first; `show` shows one.

        Raises:
            ChatError: kind `input`; the chat has no store, or one that cannot list.
        """
        found: list[SessionInfo] = self._runtime.thread.wait(self._registration.shelf.sessions())
        return found

    def show(self, session_id: str | None = None) -> None:
        """Shows another conversation of the store in this chat, in all its views.

        An answer that runs goes on, out of sight. Callbacks hear of both conversations; `messages`,
        `ask` and the other methods are about the one that is shown.

        Args:
            session_id: as `sessions` lists it; None begins a new conversation.

        Raises:
            ChatError: kind `not_found`, there is none of that id; kind `input`, the chat has no
                store, or one that cannot be read; kind `cancelled`, the chat is closed.
        """
        self._check_open()
        self._runtime.thread.wait(self._registration.shelf.show(session_id))
        self._name()

    def rename(self, title: str, session_id: str | None = None) -> None:
        """Gives a kept conversation a title, by default the one shown.

        Raises:
            ChatError: kind `input`; no such conversation, or no store that can do it.
        """
        wanted = session_id or self._session.session_id
        self._runtime.thread.wait(self._registration.shelf.rename(wanted, title))

    def delete(self, session_id: str) -> None:
        """Deletes a kept conversation for good. A chat that shows it begins a new one first.

        Raises:
            ChatError: kind `input`; another chat shows it (close that first), or no store can do
                it.
        """
        self._runtime.thread.wait(self._registration.shelf.delete(session_id))
        self._name()

    def _new_session(self, session_id: str) -> Session:
        # Its class is not imported: a reload of our modules may have made another one.
        make = type(self._session)
        return make(session_id, self._model, system=self._system, limits=self._limits)

    def _turn_to(self, session: Session) -> None:
        # On the server's loop, in one step: whatever comes next meets the new conversation.
        session.model, session.system, session.limits = self._model, self._system, self._limits
        self._registration.turn_to(session)
        self._session = session
        self._carrier.close()
        # Views are told at once. The traits' observers are the user's, run elsewhere, and may take
        # their time.
        if self.comm is not None:
            self.comm.send({"method": "update", "state": self._names(), "buffer_paths": []})
        self._carrier = self._carrier.turned_to(session)
        self._callbacks.follow(session)
        if self._shown is not None:
            self._shown.follow(session)
        self._callbacks.post(self._name)

    def _name(self) -> None:
        for name, value in self._names().items():
            self.set_trait(name, value)

    def _names(self) -> dict[str, Any]:
        """The traits that say which conversation is shown. `session_id` is the last to be set."""
        from .transcript import transcript_class

        session = self._session
        return {
            "status": session.state.status,
            # A view may begin empty at this event; where there was a talk before, at none.
            "start": 0 if session.state.ids() else session.log.last_id,
            "transcript": transcript_class(session.session_id),
            "session_id": session.session_id,
        }

    def _receive(self, content: object) -> None:
        """Takes a message from a view. Any thread, never blocks."""
        if isinstance(content, Mapping) and content.get("type") == "kept":
            self._runtime.thread.submit(self._answer_view(content))
        else:
            self._carrier.receive(content)

    async def _answer_view(self, content: Mapping[str, Any]) -> None:
        answer: Mapping[str, Any]
        try:
            answer = await self._registration.shelf.answer(content)
        except ChatError as error:
            answer = {"error": {"kind": error.kind, "message": error.message}}
        self._post({"type": "kept", "request_id": content.get("request_id"), **answer})
