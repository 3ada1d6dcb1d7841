"""What a service's refusal means, in words a user can act on."""

from __future__ import annotations

from ..errors import ChatError, ErrorKind
from .text import sentence

_QUOTA = ("insufficient_quota", "insufficient balance", "billing_hard_limit", "exceeded_quota")
_TOO_LONG = ("context_length", "maximum context", "context window", "too many tokens")


class RefusedError(ChatError):
    """A request that the service refused.

    Attributes:
        retry_after: seconds to wait before the next attempt, None if the service did not say.
    """

    retry_after: float | None = None


def refused(status: int, code: str, text: str, *, model: str, host: str) -> RefusedError:
    """The error of a request that the service refused.

    Args:
        status: the HTTP status.
        code: the service's own word for what is wrong, "" if it gave none.
        text: what else it said, without keys.
        model: the model's name.
        host: what the service is called in the message.
    """
    said = f"{code} {text}".lower()
    kind = _kind(status, said)
    return RefusedError(kind, _advice(kind, status, said, text, model, host))


def _kind(status: int, said: str) -> ErrorKind:
    if status == 402 or (status in (403, 429) and any(word in said for word in _QUOTA)):
        return "quota"
    if status in (401, 403):
        return "auth"
    if status in (404, 405, 410):
        return "not_found"
    if status == 429:
        return "rate_limit"
    if status in (408, 504):
        return "timeout"
    if status >= 500 or status in (409, 425):
        return "server"
    return "bad_request" if status >= 400 else "protocol"


def _advice(kind: ErrorKind, status: int, said: str, text: str, model: str, host: str) -> str:
    detail = f": {sentence(text)}" if text.strip() else "."
    if kind == "auth" and status == 401:
        return f"{host} did not accept the key: check api_key= or OPENAI_API_KEY."
    if kind == "auth":
        return f"{host} does not let this key use {model}{detail}"
    if kind == "quota":
        return f"The account at {host} has nothing left to spend: check its plan and billing."
    if kind == "not_found":
        return f"{host} knows no model {model}: check the model's name and base_url={detail}"
    if kind == "rate_limit":
        return f"{host} is getting too many requests: wait a little, then try again."
    if kind == "timeout":
        return f"{host} took too long to answer (HTTP {status}): try again."
    if kind == "server":
        return f"{host} has trouble of its own (HTTP {status}): try again in a moment."
    if kind == "bad_request" and any(word in said for word in _TOO_LONG):
        return f"The talk is too long for {model}: start over with chat.clear()."
    if kind == "bad_request":
        return f"{host} refused the request (HTTP {status}){detail}"
    return not_a_stream(host, f"it answered HTTP {status}")


def not_a_stream(host: str, why: str) -> str:
    """The message for an answer that is no stream of pieces."""
    return f"{host} did not send a stream ({why}): check that base_url= names an OpenAI-style API."


def unreachable(host: str, started: bool) -> ChatError:
    """The error of a connection that failed, after the answer had `started` or before."""
    if started:
        return ChatError("connection", f"The connection to {host} broke off: try again.")
    return ChatError(
        "connection", f"{host} cannot be reached: check the network and base_url=, then try again."
    )


def untrusted(host: str) -> ChatError:
    """The error of a service whose certificate is not trusted here."""
    return ChatError(
        "connection",
        f"The certificate of {host} is not trusted on this machine: set SSL_CERT_FILE to the "
        "certificates of your network.",
        retryable=False,
    )
