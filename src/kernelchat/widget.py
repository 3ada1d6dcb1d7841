"""The widget's side of a chat: the traits that its views read.

All go from the kernel to the browser. What changes often is no trait: the talk itself travels by
the carriers, and no secret is ever in a trait, since traits end up in saved notebooks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from ._version import PROTOCOL
from .look import LOOK, check_look

STATIC = Path(__file__).parent / "static"


def _bundle() -> Path:
    path = STATIC / "widget.js"
    if not path.is_file():
        raise ImportError(
            "kernelchat's browser half is not built; in a checkout run: pip install -e ."
        )
    return path


class ChatWidget(anywidget.AnyWidget):
    """What of a chat is a widget. `Chat` is the class to use."""

    _esm = _bundle()

    _v = t.Int(PROTOCOL).tag(sync=True)
    # How a view finds its kernel.
    port = t.Int(0, read_only=True).tag(sync=True)
    instance = t.Unicode("", read_only=True).tag(sync=True)
    widget_id = t.Unicode("", read_only=True).tag(sync=True)
    start = t.Int(0, read_only=True).tag(sync=True)
    transport_choice = t.Unicode("auto", read_only=True).tag(sync=True)
    # For `observe` and `jslink`.
    session_id = t.Unicode("", read_only=True).tag(sync=True)
    # The class of the outputs that show the talk where no view does.
    transcript = t.Unicode("", read_only=True).tag(sync=True)
    status = t.Unicode("idle", read_only=True).tag(sync=True)
    transport = t.Unicode("", read_only=True).tag(sync=True)
    # The look. Their values are checked by `check_look`, whose sentences say more than traitlets'.
    title = t.Any("").tag(sync=True)
    avatar = t.Any("").tag(sync=True)
    user_avatar = t.Any("").tag(sync=True)
    greeting = t.Any("").tag(sync=True)
    prompts = t.Any(()).tag(sync=True)
    lang = t.Any("auto").tag(sync=True)
    theme = t.Any("auto").tag(sync=True)
    height = t.Any(480).tag(sync=True)
    speed = t.Any(0.0).tag(sync=True)
    cursor = t.Any("").tag(sync=True)
    input = t.Any(True).tag(sync=True)
    model_label = t.Unicode("", read_only=True).tag(sync=True)
    model_connected = t.Bool(True, read_only=True).tag(sync=True)

    @t.validate(*LOOK)
    def _check_look(self, proposal: Any) -> Any:
        return check_look(proposal["trait"].name, proposal["value"])

    def send(self, content: Any, buffers: Any = None) -> None:
        """Ipywidgets' own: sends a custom message to the views. To ask, use `ask`.

        Raises:
            TypeError: `content` is a string, so a question was meant.
        """
        if isinstance(content, str):
            raise TypeError("To ask something, use chat.ask(...): send is ipywidgets' own.")
        super().send(content, buffers)
