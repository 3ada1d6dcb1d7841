"""kernelchat: an AI chat that lives in a Jupyter kernel."""

import logging

from ._version import __version__
from .callbacks import Token
from .chat import Chat
from .endpoint import Endpoint
from .errors import ChatError
from .message import Message
from .models.base import Delta, Model
from .reply import Reply

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "Chat",
    "ChatError",
    "Delta",
    "Endpoint",
    "Message",
    "Model",
    "Reply",
    "Token",
    "__version__",
]
