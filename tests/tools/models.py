"""Fake services and models for the tests of models, turns and chats."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import httpx2

from kernelchat.models.base import BuiltinModel, Delta, ModelMessage
from kernelchat.models.openai import OpenAIModel

QUESTION: list[dict[str, str]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hello"},
]


async def collect(model: BuiltinModel, messages: Sequence[ModelMessage] = QUESTION) -> list[Delta]:
    """All pieces of the answer, as deltas."""
    return [
        piece if isinstance(piece, Delta) else Delta(piece)
        async for piece in model.stream(messages)
    ]


def text_of(deltas: Iterable[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def chunk(text: str | None = None, *, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk as OpenAI sends it."""
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish},
        ],
    }


def sse(*events: object, done: bool = True) -> bytes:
    """The body of a streamed answer."""
    lines = [f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events]
    return "".join([*lines, *(["data: [DONE]\n\n"] if done else [])]).encode()


class Parts(httpx2.AsyncByteStream):
    """A body that comes from an async iterator."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part


def streamed(body: bytes | AsyncIterator[bytes]) -> httpx2.Response:
    """An answer of the right type."""
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    if isinstance(body, bytes):
        return httpx2.Response(200, headers=headers, content=body)
    return httpx2.Response(200, headers=headers, stream=Parts(body))


def openai_model(
    handler: Callable[[httpx2.Request], Any],
    *,
    base_url: str = "http://service.test/v1",
    api_key: str | None = "sk-test-1234567890abcdef",
    **options: Any,
) -> OpenAIModel:
    """An OpenAI model whose service is `handler`."""
    return OpenAIModel(
        "fake-1",
        base_url=base_url,
        api_key=api_key,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(handler)),
        options=options,
    )
