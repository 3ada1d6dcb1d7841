"""What a cell does to a conversation: ask, stop, go back, look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ChatError

if TYPE_CHECKING:
    from .message import Message
    from .reply import Reply
    from .session import Session


class Controls:
    """The verbs of DESIGN.md section 3, as methods of a chat.

    They may be called from any thread. `ask` returns at once; the others return once the
    conversation has changed, which takes a hop to the server's thread and back (milliseconds).
    """

    _session: Session
    _runtime: Any
    _closed: bool
    _commands: Any
    _replies: Any

    def _bind(self) -> None:
        # Imported with the first chat, since importing the package must not cost it; and held on
        # to, since after a reload of our modules an import would give words of another version.
        from . import commands, reply

        self._commands, self._replies = commands, reply

    def ask(self, text: str) -> Reply:
        """Asks; the question and the answer appear in every view. Returns at once.

        While another answer runs, the question waits for its end.

        Raises:
            ChatError: kind `input`, the text is empty, too long or no text; kind `cancelled`, the
                chat is closed.
        """
        c = self._commands
        self._check_open()
        c.check_text(text)
        question_id, reply_id = c.new_id(), c.new_id()
        send = c.Send(c.new_id(), text, message_id=question_id, reply_id=reply_id)
        session = self._session
        after = session.log.last_id
        self._runtime.thread.call(session.execute, send)
        return self._reply(session, question_id, reply_id, after)

    def stop(self, message_id: str | None = None) -> None:
        """Ends the answer that runs, or only that of `message_id`; its text so far is kept.

        Prompts that wait go on. Does nothing where nothing runs.
        """
        self._execute("stop", message_id=message_id)

    def regenerate(self, message_id: str | None = None) -> Reply:
        """Asks for another answer beside `message_id`, by default the last one shown.

        Raises:
            ChatError: kind `input`, nothing was asked yet; kind `not_found`, no such message.
        """
        return self._answer("regenerate", message_id=message_id)

    def edit(self, message_id: str, text: str) -> Reply:
        """Asks `text` in the place of question `message_id`; both stay, as branches.

        Raises:
            ChatError: kind `input`, no such text or no question; kind `not_found`, no such message.
        """
        return self._answer("edit", message_id=message_id, text=text)

    def select(self, message_id: str) -> None:
        """Shows the branch that holds `message_id`; also takes back `undo` and `clear`.

        Raises:
            ChatError: kind `not_found`, no such message.
        """
        self._execute("select", message_id=message_id)

    def undo(self) -> None:
        """Shows the talk as it was before the last question. Nothing is deleted: see `select`.

        Raises:
            ChatError: kind `input`, there is nothing to undo.
        """
        self._execute("undo")

    def clear(self) -> None:
        """Shows an empty chat; stops a running answer first. Nothing is deleted: see `select`."""
        self._execute("clear")

    @property
    def messages(self) -> list[Message]:
        """The messages shown, oldest first, as they are now."""
        return self._session.state.path()

    @property
    def queue(self) -> list[Message]:
        """The prompts that wait for the running answer to end, next first."""
        state = self._session.state
        return [message for i in state.queue if (message := state.get(i)) is not None]

    def queue_edit(self, message_id: str, text: str) -> None:
        """Changes a prompt that waits.

        Raises:
            ChatError: kind `input`, no such text; kind `not_found`, it does not wait any more.
        """
        self._execute("queue_edit", message_id=message_id, text=text)

    def queue_remove(self, message_id: str) -> None:
        """Takes back a prompt that waits.

        Raises:
            ChatError: kind `not_found`, it does not wait any more.
        """
        self._execute("queue_remove", message_id=message_id)

    def feedback(self, message_id: str, value: str | None) -> None:
        """Notes what was thought of an answer: "up", "down", or None to take it back.

        Raises:
            ChatError: kind `input`, another value; kind `not_found`, no such message.
        """
        if value not in ("up", "down", None):
            raise ChatError("input", 'Feedback is "up", "down" or None.')
        self._execute("feedback", message_id=message_id, value=value)

    def _answer(self, kind: str, **fields: Any) -> Reply:
        session = self._session
        after = session.log.last_id
        reply_id = self._commands.new_id()
        self._execute(kind, session, reply_id=reply_id, **fields)
        message = session.state.get(reply_id)
        question_id = (message.parent_id if message else None) or ""
        return self._reply(session, question_id, reply_id, after)

    def _reply(self, session: Session, question_id: str, reply_id: str, after: int) -> Reply:
        def stop(message_id: str) -> None:
            # The chat may show another conversation by then.
            self._execute("stop", session, message_id=message_id)

        reply: Reply = self._replies.Reply(session, question_id, reply_id, after, stop)
        return reply

    def _execute(self, kind: str, session: Session | None = None, **fields: Any) -> None:
        c = self._commands
        self._check_open()
        if "text" in fields:
            c.check_text(fields["text"])
        command = c.COMMANDS[kind](c.new_id(), **fields)
        self._runtime.thread.run((session or self._session).execute, command)

    def _check_open(self) -> None:
        if self._closed or not self._runtime.alive:
            raise ChatError("cancelled", "This chat is closed: make a new one with Chat().")
