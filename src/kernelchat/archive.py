"""What of a chat outlives it: kept conversations, files to take away, what a notebook saves."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import ChatError

if TYPE_CHECKING:
    from typing import Self

    from .display import Shown
    from .session import Session
    from .store import SessionInfo, SqliteStore

T = TypeVar("T")


class Archive:
    """The kept conversations of a chat's store, exports, and the transcript in the notebook.

    The methods of the chat that are written here block the caller while the disk works.
    """

    _session: Session
    _runtime: Any
    _store: Any
    _callbacks: Any
    _shown: Shown | None = None
    title: Any
    lang: Any
    widget_id: Any

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Writes the talk to a file and returns its path.

        `.md` and `.html` hold the messages shown; `.json` holds all branches, for `Chat.load`. The
        HTML is one file without scripts that loads nothing. A file that is there is replaced.

        Raises:
            ChatError: kind `input`; another suffix, or a place where no file can be written.
        """
        target = Path(path).expanduser()
        write = {".md": self._markdown, ".json": self._json, ".html": self._html}
        if target.suffix.lower() not in write:
            raise ChatError("input", 'Name a file that ends in .md, .json or .html: "talk.md".')
        text = write[target.suffix.lower()]()
        try:
            _replace(target, text.encode())
        except OSError as error:
            reason = error.strerror or error
            raise ChatError("input", f"{target} cannot be written: {reason}.") from error
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: object = None, **keywords: Any) -> Self:
        """A new chat with the talk of a `.json` file that `export` wrote.

        Args:
            path: the file.
            model: as in `Chat`.
            keywords: as in `Chat`, but for `messages`. The conversation gets an id of its own; a
                `session_id` under which something was said already keeps what it has.

        Raises:
            ChatError: kind `input`; the file cannot be read or holds no talk.
        """
        from .talkfile import from_json

        source = Path(path).expanduser()
        try:
            talk, title = from_json(source.read_bytes().decode())
        except OSError as error:
            reason = error.strerror or error
            raise ChatError("input", f"{source} cannot be read: {reason}.") from error
        except UnicodeDecodeError as error:
            raise ChatError("input", f"{source} holds no text: name a .json file.") from error
        except ValueError as error:
            raise ChatError("input", f"{source} {error}.") from error
        if title:
            keywords.setdefault("title", title)
        make: Any = cls
        chat: Self = make(model, messages=talk, **keywords)
        return chat

    def _markdown(self) -> str:
        from .transcript import title_of, to_markdown

        path = self._session.state.path()
        return to_markdown(path, title_of(path, self.title, self.lang), self.lang)

    def _html(self) -> str:
        from .transcript import title_of, to_page

        session = self._session
        path = session.state.path()
        title = title_of(path, self.title, self.lang)
        return to_page(path, session.session_id, title, self.lang)

    def _json(self) -> str:
        from .talkfile import to_json

        state = self._session.state
        # First the leaf: what it names is then among the messages.
        leaf_id = state.leaf_id
        messages = [message for i in state.ids() if (message := state.get(i)) is not None]
        return to_json(self._session.session_id, self.title, leaf_id, messages)

    def _ipython_display_(self) -> None:
        """Shows the chat in a cell, and under it what the notebook keeps of it."""
        from .display import Shown
        from .shell import kernel_shell, shell

        bundle: Any = getattr(self, "_repr_mimebundle_", None)
        if kernel_shell() is None or bundle is None:
            # In a terminal, or closed.
            shell().display_pub.publish({"text/plain": repr(self)})
            return

        if self._shown is None:
            display_id = f"kernelchat-{self.widget_id}"
            self._shown = Shown(
                self._session, display_id, lambda: str(self.lang), self._callbacks.post
            )
        self._shown.show(*bundle())

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


def _replace(path: Path, data: bytes) -> None:
    """Writes the file all at once: whoever looks sees the old one or the new one."""
    # Through a link, not over it.
    target = path.resolve()
    fresh = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with fresh.open("xb") as file:
            file.write(data)
        if target.exists():
            fresh.chmod(target.stat().st_mode & 0o777)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
