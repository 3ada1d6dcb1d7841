from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from kernelchat.errors import ChatError
from kernelchat.models.base import Delta
from kernelchat.models.failures import RefusedError
from kernelchat.models.openai import OpenAIModel
from tools.models import QUESTION, chunk, collect, openai_model, sse, streamed, text_of

KEY = "sk-test-1234567890abcdef"


async def test_an_answer_comes_piece_by_piece_with_its_finish_and_usage_last() -> None:
    requests: list[dict[str, Any]] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        requests.append(json.loads(request.content))
        usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
        return streamed(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"), usage))

    model = openai_model(serve, temperature=0.5, max_tokens=9)
    deltas = await collect(model)
    assert [delta.text for delta in deltas] == ["Hel", "lo", ""]
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage["completion_tokens"] == 2
    assert requests == [
        {
            "model": "fake-1",
            "messages": QUESTION,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.5,
            "max_tokens": 9,
        }
    ]
    await model.aclose()


async def test_a_service_without_usage_is_asked_again_without_it_and_only_once() -> None:
    bodies: list[dict[str, Any]] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        if "stream_options" in bodies[-1]:
            error = {"message": "Unknown parameter: stream_options", "code": "unknown_parameter"}
            return httpx2.Response(400, json={"error": error})
        return streamed(sse(chunk("ok"), chunk(finish="stop")))

    model = openai_model(serve)
    assert text_of(await collect(model)) == "ok"
    assert text_of(await collect(model)) == "ok"
    assert ["stream_options" in body for body in bodies] == [True, False, False]
    await model.aclose()


async def test_odd_chunks_are_borne() -> None:
    events = [
        {"choices": []},
        {"choices": None},
        {"id": "x"},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0}]},
        chunk(None),
        chunk(""),
        chunk("a", reasoning_content="why"),
        chunk(None, reasoning="and how"),
        {"choices": [{"index": 1, "delta": {"content": "another choice"}}]},
        ": a comment",
        chunk("\ud83d"),
        chunk("\ude00", finish="length"),
    ]
    body = sse(*(event for event in events if event != ": a comment"))
    deltas = await collect(openai_model(lambda _: streamed(b": ping\n\n" + body)))
    assert text_of(deltas) == "a\N{GRINNING FACE}"
    assert "".join(delta.reasoning for delta in deltas) == "whyand how"
    assert deltas[-1].finish_reason == "length"


async def test_an_answer_that_ends_without_a_finish_says_none() -> None:
    model = openai_model(lambda _: streamed(sse(chunk("half"), done=False)))
    assert await collect(model) == [Delta("half")]
    assert model.needs_finish


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}, "auth", "key"),
        (403, {"error": {"message": "Country not supported"}}, "auth", "Country not supported"),
        (404, {"error": {"message": "No such model"}}, "not_found", "fake-1"),
        (404, "<html>Not here</html>", "not_found", "base_url"),
        (429, {"error": {"message": "Slow down", "code": "rate_limit"}}, "rate_limit", "wait"),
        (429, {"error": {"message": "m", "code": "insufficient_quota"}}, "quota", "billing"),
        (402, {"error": {"message": "Insufficient Balance"}}, "quota", "billing"),
        (400, {"error": {"message": "temperature is too hot"}}, "bad_request", "too hot"),
        (400, {"error": {"message": "m", "code": "context_length_exceeded"}}, "bad_request", "cle"),
        (422, {"detail": [{"loc": ["body", "seed"]}]}, "bad_request", "seed"),
        (500, {"error": "boom"}, "server", "500"),
        (503, "<html>Bad gateway</html>", "server", "503"),
        (504, "", "timeout", "again"),
        (418, {"error": f"Bearer {KEY}"}, "bad_request", "418"),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, body: object, kind: str, words: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    model = openai_model(lambda _: httpx2.Response(status, content=content.encode()))
    with pytest.raises(ChatError) as caught:
        await collect(model)
    error = caught.value
    assert error.kind == kind
    assert words in error.message
    assert "service.test" in error.message or "fake-1" in error.message
    assert KEY not in error.message
    assert "\n" not in error.message
    assert error.message.endswith(".")
    assert error.__cause__ is None, "an SDK exception holds the key"
    assert error.__context__ is None, "an SDK exception holds the key"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
async def test_a_service_may_say_when_to_ask_again(header: str, seconds: float | None) -> None:
    response = httpx2.Response(429, headers={"retry-after": header}, json={"error": "slow down"})
    with pytest.raises(RefusedError) as caught:
        await collect(openai_model(lambda _: response))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>Please log in</html>"),
        ("application/json", b'{"choices": [{"message": {"content": "whole"}}]}'),
        ("text/plain", b"hello"),
        ("text/event-stream", b"data: {broken\n\n"),
        ("text/event-stream", b"data: \xff\xfe\n\n"),
    ],
)
async def test_what_is_no_stream_is_a_protocol_error(kind: str, body: bytes) -> None:
    response = httpx2.Response(200, headers={"content-type": kind}, content=body)
    with pytest.raises(ChatError) as caught:
        await collect(openai_model(lambda _: response))
    assert caught.value.kind == "protocol"
    assert "did not send a stream" in caught.value.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "The server had an error", "type": "server_error"}, "server"),
        ({"message": "Slow down", "code": "rate_limit_exceeded"}, "rate_limit"),
        ({"message": "No credit", "code": "insufficient_quota"}, "quota"),
        ({"message": "Upstream", "code": 502}, "server"),
        ({"message": f"Bad key {KEY}", "code": 401}, "auth"),
    ],
)
async def test_an_error_inside_the_stream_ends_it(error: dict[str, Any], kind: str) -> None:
    model = openai_model(lambda _: streamed(sse(chunk("Well"), {"error": error})))
    answer = model.stream(QUESTION)
    assert await anext(answer) == Delta("Well")
    with pytest.raises(ChatError) as caught:
        await anext(answer)
    assert caught.value.kind == kind
    assert KEY not in caught.value.message


async def test_a_connection_that_fails_or_breaks() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    def late(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("late", request=request)

    async def broken() -> AsyncIterator[bytes]:
        yield sse(chunk("Well"), done=False)
        raise httpx2.RemoteProtocolError("peer closed connection")

    for handler, kind, words in (
        (refuse, "connection", "cannot be reached"),
        (late, "timeout", "too long"),
        (lambda _: streamed(broken()), "connection", "broke off"),
    ):
        with pytest.raises(ChatError) as caught:
            await collect(openai_model(handler))
        assert caught.value.kind == kind
        assert words in caught.value.message
        assert caught.value.retryable


async def test_options_that_cannot_be_sent_are_a_bad_request() -> None:
    model = openai_model(lambda _: streamed(sse()), metadata={"x": object()})
    with pytest.raises(ChatError) as caught:
        await collect(model)
    assert caught.value.kind == "bad_request"


async def test_a_finished_answer_does_not_wait_for_a_stream_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kernelchat.models.openai.USAGE_TIMEOUT", 0.01)

    async def endless() -> AsyncIterator[bytes]:
        yield sse(chunk("all"), chunk(finish="stop"), done=False)
        await asyncio.Event().wait()

    deltas = await collect(openai_model(lambda _: streamed(endless())))
    assert text_of(deltas) == "all"
    assert deltas[-1].finish_reason == "stop"


async def test_the_environment_goes_to_its_own_address_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment-123456")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-123456")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: mine\nauthorization: Bearer sk-custom")
    sent: list[httpx2.Headers] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers)
        return streamed(sse(chunk("ok"), chunk(finish="stop")))

    await collect(openai_model(serve, api_key=None))
    foreign = str(sent[0].raw).lower()
    assert sent[0]["authorization"] == "Bearer no-key"
    for secret in ("environment", "admin", "org-mine", "project-mine", "x-secret", "custom"):
        assert secret not in foreign

    monkeypatch.delenv("OPENAI_CUSTOM_HEADERS")
    await collect(openai_model(serve, base_url="https://api.openai.com/v1/", api_key=None))
    assert sent[1]["authorization"] == "Bearer sk-environment-123456"
    assert sent[1]["openai-organization"] == "org-mine"


async def test_a_client_of_the_users_own_is_used_and_left_open() -> None:
    def serve(request: httpx2.Request) -> httpx2.Response:
        return streamed(sse(chunk(request.headers["authorization"]), chunk(finish="stop")))

    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(serve))
    client = AsyncOpenAI(
        api_key="sk-own-123456", base_url="http://own.test/v1", http_client=http_client
    )
    model = OpenAIModel("m", client=client)
    assert text_of(await collect(model)) == "Bearer sk-own-123456"
    await model.aclose()
    assert not client.is_closed()
    await client.close()


def test_a_client_that_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="AsyncOpenAI"):
        OpenAIModel("m", client=OpenAI(api_key="x"))
    with pytest.raises(ValueError, match="AsyncOpenAI"):
        OpenAIModel("m", client=object())


async def test_warm_builds_the_client_and_close_lets_the_model_start_again() -> None:
    model = openai_model(lambda _: streamed(sse(chunk("ok"), chunk(finish="stop"))))
    await asyncio.gather(model.warm(), model.warm())
    assert KEY not in repr(model)
    assert text_of(await collect(model)) == "ok"
    await model.aclose()
    await model.aclose()


class SilentService:
    """Over real TCP: takes a request, sends `head`, and then says nothing until the peer leaves."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __aenter__(self) -> SilentService:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.head)
        self.asked.set()
        while await reader.read(65536):
            pass
        self.left.set()
        writer.close()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        HEAD,
        HEAD + b"%x\r\n%b\r\n" % (len(sse(chunk("a"), done=False)), sse(chunk("a"), done=False)),
    ],
)
async def test_a_stop_closes_the_request_while_the_service_is_silent(first: bytes) -> None:
    async with SilentService(first) as service:
        model = OpenAIModel("m", base_url=f"http://127.0.0.1:{service.port}/v1", api_key="k")
        got = asyncio.Event()

        async def read() -> None:
            async for _ in model.stream(QUESTION):
                got.set()

        task = asyncio.create_task(read())
        await service.asked.wait()
        if b"data:" in first:
            await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await service.left.wait()
        await model.aclose()
