"""kernelchat: an AI chat that lives in a Jupyter kernel.

Importing it loads anywidget and little else; making a `Chat` loads the rest.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__
from .chat import Chat
from .endpoint import Endpoint
from .errors import ChatError
from .message import Message, Token
from .models.base import Delta, Model

if TYPE_CHECKING:
    from .reply import Reply
    from .store import Change, SessionInfo, Store, Talk

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "Change",
    "Chat",
    "ChatError",
    "Delta",
    "Endpoint",
    "Message",
    "Model",
    "Reply",
    "SessionInfo",
    "Store",
    "Talk",
    "Token",
    "__version__",
]

_LATER = {
    "Change": ".store",
    "Reply": ".reply",
    "SessionInfo": ".store",
    "Store": ".store",
    "Talk": ".store",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
