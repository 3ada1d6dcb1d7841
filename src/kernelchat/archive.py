"""What of a chat outlives it: files to take away, what a notebook saves."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ChatError

if TYPE_CHECKING:
    from typing import Self

    from .display import Shown
    from .session import Session


class Archive:
    """Exports, and the transcript in the notebook.

    The methods of the chat that are written here block the caller while the disk works.
    """

    _session: Session
    _runtime: Any
    _callbacks: Any
    _shown: Shown | None = None
    title: Any
    lang: Any
    widget_id: Any
    model_label: Any

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
        data, metadata = bundle()
        # For where no widget can be drawn. The repr tells what is true now, and this is kept.
        data["text/plain"] = f"Chat({self.model_label})"
        self._shown.show(data, metadata)


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
