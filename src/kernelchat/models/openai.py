"""OpenAI and everything that speaks its API. The only module that knows the SDK.

The SDK takes about a second to import, so that happens where it is first needed, never on top.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ChatError
from .base import BuiltinModel, Delta, ModelMessage
from .bridge import on_thread
from .chunks import ChunkReader, parsed, said
from .failures import not_a_stream, refused, unreachable, untrusted
from .keys import Access, access, host_of
from .text import describe, redact, sentence

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

MINIMUM = (3, 54)
RESERVED = frozenset({"messages", "model", "stream"})
USAGE_TIMEOUT = 2.0
"""Seconds to wait, once the answer is complete, for the token counts and the stream's end."""
_MAX_BODY = 64 * 1024

log = logging.getLogger(__name__)


def load_sdk() -> Any:
    """The `openai` module.

    Raises:
        ImportError: it is missing, broken or too old; the sentence says what to do.
    """
    wanted = "openai>=" + ".".join(map(str, MINIMUM))
    advice = f'run  %pip install "{wanted}"  and restart the kernel.'
    try:
        import openai
    except ImportError as error:
        if error.name == "openai":
            raise ImportError(f"This model needs the openai package: {advice}") from None
        why = describe(error)[:-1]
        raise ImportError(f"The openai package is broken ({why}): {advice}") from error
    version = str(getattr(openai, "__version__", "0"))
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < MINIMUM:
        raise ImportError(f"openai {version} is too old: {advice}")
    return openai


def option_names() -> frozenset[str]:
    """The keywords that the SDK's call takes, but for those that the chat sets itself.

    Raises:
        ImportError: as `load_sdk`.
    """
    load_sdk()
    from openai.resources.chat.completions import AsyncCompletions

    parameters = inspect.signature(AsyncCompletions.create).parameters
    return frozenset(parameters) - RESERVED - {"self"}


class OpenAIModel(BuiltinModel):
    """A model behind an API that speaks OpenAI's chat completions.

    Args:
        model: its name at the service.
        base_url: the service's address; the environment's, or OpenAI's own, if left out.
        api_key: the key for it; a key from the environment goes to the environment's address only.
        client: an `AsyncOpenAI` to use as it is, which the caller closes. Its connections then
            belong to the server's loop.
        http_client: what the SDK sends with, an `httpx2.AsyncClient`.
        options: whatever else the SDK's call takes.

    Raises:
        ImportError: the SDK is missing or too old.
        ValueError: an address, key or client that cannot be one.
        ChatError: kind `auth`; there is no key.
    """

    needs_finish = True

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        client: Any = None,
        http_client: Any = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        sdk = load_sdk()
        self.label = model
        self._options = dict(options or {})
        self._count_usage = "stream_options" not in self._options
        self._http_client = http_client
        self._client: AsyncOpenAI | None = None
        self._given = client
        self._access: Access | None = None
        self._lock = asyncio.Lock()
        if client is None:
            self._access = access(base_url, api_key, os.environ)
            self._host = self._access.host
            self._secret = self._access.secret
        else:
            if isinstance(client, sdk.OpenAI) or not hasattr(client, "chat"):
                raise ValueError(
                    "client must be an openai.AsyncOpenAI, "
                    f"not {type(client).__module__}.{type(client).__name__}."
                )
            self._host = host_of(str(getattr(client, "base_url", ""))) or "The service"
            key = getattr(client, "api_key", "")
            self._secret = key if isinstance(key, str) else ""

    async def warm(self) -> None:
        """Builds the client, on a thread: certificates and lazy imports take a while.

        Raises:
            ChatError: kind `bad_request`; the client cannot be built.
        """
        failure: ChatError | None = None
        try:
            await self._ready()
        except Exception as error:  # noqa: BLE001  # raised below, as a ChatError
            failure = self._failure(error, opened=False)
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        """Closes the connections. A later `stream` opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._given is None:
            await client.close()

    async def stream(self, messages: Sequence[ModelMessage]) -> AsyncIterator[Delta]:
        """The answer to `messages`, piece by piece.

        Raises:
            ChatError: of any kind but `truncated` and `model`.
        """
        # Converted here and raised outside the handlers: an SDK exception holds the request with
        # its key, and must not hang on what a cell prints.
        failure: ChatError | None = None
        reader = ChunkReader(self._host)
        stream: AsyncStream[Any] | None = None
        try:
            stream = await self._open(messages)
            await _check(stream, self._host, self._clean)
            while not reader.finished and (chunk := await anext(stream, None)) is not None:
                if (delta := reader.read(chunk)) is not None:
                    yield delta
            if reader.finished:
                await self._rest(stream, reader)
            elif not reader.started and not _is_event_stream(stream):
                raise ChatError("protocol", not_a_stream(self._host, "it sent something else"))
        except ChatError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  # raised below, as a ChatError
            failure = self._failure(error, opened=stream is not None)
        finally:
            if stream is not None:
                await stream.close()
        if failure is not None:
            raise failure
        if (last := reader.last()) is not None:
            yield last

    async def _ready(self) -> AsyncOpenAI:
        async with self._lock:
            if self._client is None:
                self._client = await on_thread(self._build)
            return self._client

    def _build(self) -> AsyncOpenAI:
        client: AsyncOpenAI
        if self._given is not None:
            with_options = getattr(self._given, "with_options", None)
            client = with_options(max_retries=0) if with_options else self._given
        else:
            client = self._new_client()
        _ = client.chat.completions  # imported by the SDK when first used
        return client

    def _new_client(self) -> AsyncOpenAI:
        assert self._access is not None
        sdk = load_sdk()
        headers: dict[str, Any] = {}
        if not self._access.ambient:
            headers["Authorization"] = f"Bearer {self._access.api_key}"
            for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"):
                name = line.partition(":")[0].strip()
                if name and name.lower() != "authorization":
                    headers[name] = sdk.Omit()
        client: AsyncOpenAI = sdk.AsyncOpenAI(
            api_key=self._access.api_key,
            base_url=self._access.base_url,
            max_retries=0,
            default_headers=headers,
            http_client=self._http_client,
        )
        if not self._access.ambient:
            client.organization = client.project = client.admin_api_key = None
        return client

    async def _open(self, messages: Sequence[ModelMessage]) -> AsyncStream[Any]:
        client = await self._ready()
        create: Any = client.chat.completions.create  # its overloads know no mapping of options
        call = {
            **self._options,
            "model": self.label,
            "messages": [dict(message) for message in messages],
            "stream": True,
        }
        stream: AsyncStream[Any]
        if self._count_usage:
            try:
                stream = await create(**call, stream_options={"include_usage": True})
            except load_sdk().APIStatusError as error:
                if error.status_code not in (400, 422) or not _names(error, "stream_options"):
                    raise
                self._count_usage = False
            else:
                return stream
        stream = await create(**call)
        return stream

    async def _rest(self, stream: AsyncStream[Any], reader: ChunkReader) -> None:
        """Reads on for the usage, which comes after the finish; the answer itself is complete."""
        try:
            async with asyncio.timeout(USAGE_TIMEOUT):
                while (chunk := await anext(stream, None)) is not None:
                    reader.read_usage(chunk)
        except Exception as error:  # noqa: BLE001  # the answer is there, only its counts are not
            log.debug("no token counts from %s: %s", self._host, type(error).__name__)

    def _failure(self, error: Exception, *, opened: bool) -> ChatError:
        sdk = load_sdk()
        host = self._host
        if isinstance(error, sdk.APIStatusError):
            code, text = said(error.body)
            text = self._clean(text)
            refusal = refused(error.status_code, code, text, model=self.label, host=host)
            refusal.retry_after = _seconds(error.response.headers.get("retry-after", ""))
            return refusal
        if isinstance(error, sdk.APITimeoutError) and not _while_connecting(error):
            return ChatError("timeout", f"{host} took too long to answer: try again.")
        if isinstance(error, sdk.APIConnectionError):
            return untrusted(host) if _bad_certificate(error) else unreachable(host, opened)
        if isinstance(error, sdk.APIError):
            return self._error_in_stream(error)
        text = self._clean(describe(error))[:-1]
        if opened:
            return ChatError("protocol", not_a_stream(host, text))
        return ChatError("bad_request", f"The request to {host} could not be made: {text}.")

    def _error_in_stream(self, error: Any) -> ChatError:
        code, text = said(error.body)
        number = re.search(r"\b[45]\d\d\b", code)
        words = f"{code} {text}".lower()
        if number is not None:
            status = int(number.group())
        elif "rate_limit" in words or "insufficient_quota" in words:
            status = 429
        elif "invalid_request" in words or "context_length" in words:
            status = 400
        else:
            return ChatError(
                "server",
                f"{self._host} broke off the answer: {sentence(self._clean(text or code))}",
            )
        return refused(status, code, self._clean(text), model=self.label, host=self._host)

    def _clean(self, text: str) -> str:
        return redact(text, self._secret)


def _is_event_stream(stream: AsyncStream[Any]) -> bool:
    return "text/event-stream" in stream.response.headers.get("content-type", "").lower()


async def _check(stream: AsyncStream[Any], host: str, clean: Callable[[str], str]) -> None:
    """Raises ChatError where the answer is plainly a page or one JSON value."""
    kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "json" not in kind and "html" not in kind:
        return
    body = b""
    async for part in stream.response.aiter_bytes():
        body += part
        if len(body) > _MAX_BODY:
            break
    data = parsed(body) if "json" in kind else None
    error = data.get("error") if isinstance(data, dict) else None
    if error:
        raise ChatError(
            "server", f"{host} refused: {sentence(clean(said(error)[1] or 'no reason'))}"
        )
    raise ChatError("protocol", not_a_stream(host, f"it sent {kind}"))


def _seconds(header: str) -> float | None:
    return float(header) if re.fullmatch(r"\d{1,6}(\.\d+)?", header.strip()) else None


def _names(error: Any, field: str) -> bool:
    return field in f"{error.message} {error.body}"


def _while_connecting(error: BaseException) -> bool:
    return type(error.__cause__).__name__ in ("ConnectTimeout", "PoolTimeout")


def _bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
