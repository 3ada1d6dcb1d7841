"""The transcript under a shown chat: what the notebook keeps when the widget is gone.

It is a second output with an id of its own. It follows the conversation from the callbacks' thread;
at the end of each cell it is brought up to date in that cell's name as well, since tools that run
notebooks take messages of the cell that runs and of no other. A live view hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .message import Message
from .session import Session
from .shell import kernel_shell
from .transcript import NOTEBOOK_LIMIT, message_html, to_html, to_markdown

_TEXT_LIMIT = NOTEBOOK_LIMIT // 8


class Shown:
    """The transcripts of one chat, all alike, under whatever cells show it.

    Args:
        session: the conversation.
        display_id: the outputs' id.
        lang: the language now, "en" or "zh".
        post: runs a job on the callbacks' thread.
    """

    def __init__(
        self,
        session: Session,
        display_id: str,
        lang: Callable[[], str],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._transient = {"display_id": display_id}
        self._lang = lang
        self._post = post
        self._written: dict[str, tuple[Message, str, str]] = {}
        self._version: object = None
        self._seen: tuple[str | None, str] = (None, "")
        self._closed = False
        self._cell_event = session.log.last_id
        self._session = session
        self._undo = session.log.subscribe(self._on_event)
        kernel_shell().events.register("post_run_cell", self._end_of_cell)

    def follow(self, session: Session) -> None:
        """Is the transcript of another conversation from now on. Any thread."""
        self._undo()
        self._session = session
        self._undo = session.log.subscribe(self._on_event)
        self._post(self._update)

    def show(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Shows the widget and, below it, the transcript. In a cell only."""
        kernel_shell().display_pub.publish(dict(data), dict(metadata))
        self._publish(update=False)

    def close(self) -> None:
        """Follows no more, but for the end of the cell that runs."""
        self._closed = True
        self._undo()

    def _on_event(self) -> None:
        # On the server's thread, at each event: only what changes the transcript goes on.
        state = self._session.state
        now = (state.leaf_id, state.status)
        if now != self._seen:
            self._seen = now
            self._post(self._update)

    def _update(self) -> None:
        if self._version != self._version_now():
            self._publish(update=True)

    def _end_of_cell(self, result: object) -> None:
        last_id = self._session.state.last_id
        if last_id != self._cell_event:
            self._cell_event = last_id
            self._publish(update=True)
        if self._closed:
            kernel_shell().events.unregister("post_run_cell", self._end_of_cell)

    def _publish(self, *, update: bool) -> None:
        # Another thread may publish as well. Whoever looks last sees what is true, since each
        # looks again after its own message.
        version: object = None
        while version != (version := self._version_now()):
            bundle = self._bundle()
            if version != self._version_now():
                # It took a while, and what is old by now must not follow what is new.
                continue
            self._version = version
            publish = kernel_shell().display_pub.publish
            publish(bundle, {}, transient=self._transient, update=update)
            update = True

    def _version_now(self) -> object:
        # Without the text of a running answer: that it changes all the time is no news.
        session = self._session
        shown = ((message.id, message.status) for message in session.state.path())
        return (session.session_id, self._lang(), *shown)

    def _bundle(self) -> dict[str, str]:
        lang = self._lang()
        session = self._session
        path = session.state.path()
        before, written = self._written, {}

        def write(message: Message) -> str:
            known = before.get(message.id)
            if known is None or known[0] is not message or known[1] != lang:
                known = (message, lang, message_html(message, lang, _TEXT_LIMIT))
            written[message.id] = known
            return known[2]

        html = to_html(path, session.session_id, lang, limit=NOTEBOOK_LIMIT, write=write)
        self._written = written
        text = to_markdown([message for message in path if message.id in written], lang=lang)
        return {"text/html": html, "text/plain": text[-NOTEBOOK_LIMIT:]}
