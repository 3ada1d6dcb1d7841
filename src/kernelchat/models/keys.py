"""Which key goes to which address. A key must never reach an address it was not meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from ..errors import ChatError

OPENAI_URL = "https://api.openai.com/v1"
PLACEHOLDER = "no-key"
"""Sent where no key is known: servers on one's own machine want some key, but no particular one."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a service.

    Attributes:
        base_url: its address.
        api_key: the key to send, which is in no repr.
        ambient: whether what else the environment says (organisation, project, headers) is meant
            for this address too.
    """

    base_url: str
    api_key: str = field(repr=False)
    ambient: bool

    @property
    def secret(self) -> str:
        """The key if it is one, "" for the placeholder."""
        return "" if self.api_key == PLACEHOLDER else self.api_key

    @property
    def host(self) -> str:
        """The address for a message: no path, no user name."""
        return host_of(self.base_url)


def access(base_url: str | None, api_key: str | None, environ: Mapping[str, str]) -> Access:
    """How to reach `base_url`, or the address that the environment names.

    The environment's key goes to the environment's address (`OPENAI_BASE_URL`, or OpenAI's own)
    and to no other.

    Raises:
        ValueError: the address or the key cannot be one.
        ChatError: kind `auth`; OpenAI itself is asked, and there is no key for it.
    """
    named = environ.get("OPENAI_BASE_URL", "").strip()
    home = named or OPENAI_URL
    if base_url is None:
        if named:
            _split(named, "OPENAI_BASE_URL")
        url = home
    else:
        _split(base_url, "base_url")
        url = base_url.strip()
    ambient = _normal(url) == _normal(home)
    key = _checked(api_key, "api_key") if api_key is not None else ""
    if not key and ambient:
        key = _checked(environ.get("OPENAI_API_KEY", ""), "OPENAI_API_KEY")
    if not key and host_of(url) == host_of(OPENAI_URL):
        raise ChatError(
            "auth",
            "There is no key for OpenAI: set OPENAI_API_KEY before the notebook starts, or pass "
            "api_key= to Chat.",
        )
    return Access(url, key or PLACEHOLDER, ambient)


def host_of(url: str) -> str:
    """Host and port of `url`."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or ''}{port}"


def _checked(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{name} must be a string, not {type(key).__name__}.")
    key = key.strip()
    if not all("!" <= char <= "~" for char in key):
        raise ValueError(f"{name} holds a blank or a character no key has: copy the key again.")
    return key


def _split(url: object, name: str) -> SplitResult:
    advice = f"{name} must be an address like http://127.0.0.1:11434/v1"
    if not isinstance(url, str):
        raise ValueError(f"{advice}, not {type(url).__name__}.")
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        usable = False
    if not usable or any(char.isspace() for char in url.strip()):
        raise ValueError(f"{advice}, beginning with http:// or https://.")
    return parts


def _normal(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname or "", port, parts.path.rstrip("/")
