"""How long a token takes from the model to the screen, beside the barest page that streams.

Both pages are served from this process, get the same tokens from the same kind of model, and are
timed by the same script: from when the model hands out its first token to the animation frame
after its text came into the page.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

from kernelchat import Chat
from tools.chromium import ARGUMENTS

ROUNDS = 8
TOKENS = [f"word{number} " for number in range(12)]
PAUSE = 0.02
TARGET = 50.0
"""Milliseconds, the median."""

YARDSTICK_PAGE = """<!doctype html><title>yardstick</title><body><script>
function ask() {
  const answer = document.createElement("p");
  answer.className = "answer";
  document.body.append(answer);
  const source = new EventSource("events");
  source.addEventListener("token", ({ data }) => answer.append(JSON.parse(data).text));
  source.addEventListener("done", () => source.close());
}
</script>"""

# Watches the n-th answer of the page: when its first text was there, painted, and every text of it.
WATCH = """([selector, index, whole]) => {
  globalThis.round = new Promise((resolve) => {
    const round = { painted: 0, texts: [] };
    const look = () => {
      const answer = document.querySelectorAll(selector)[index];
      if (!answer) return;
      const copy = answer.cloneNode(true);
      for (const own of copy.querySelectorAll("[data-kernelchat-own]")) own.remove();
      const text = copy.textContent.trim();
      if (text === "" || text === round.texts.at(-1)) return;
      round.texts.push(text);
      if (round.texts.length === 1) {
        requestAnimationFrame(() => {
          round.painted = performance.timeOrigin + performance.now();
        });
      }
      if (text === whole) {
        observer.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(round)));
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    look();
  });
}"""


class Clock:
    """A model that notes when it handed out the first token of each answer."""

    def __init__(self) -> None:
        self.first_token_at: list[float] = []

    async def stream(self, messages: object) -> AsyncIterator[str]:
        await asyncio.sleep(0.1)
        self.first_token_at.append(time.time() * 1000)
        for token in TOKENS:
            yield token
            await asyncio.sleep(PAUSE)


@contextmanager
def yardstick_server(model: Clock) -> Iterator[str]:
    """Serves the yardstick; its address."""

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(YARDSTICK_PAGE)

    async def events(request: Request) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async for text in model.stream([]):
                yield f"event: token\ndata: {json.dumps({'text': text})}\n\n"
            yield "event: done\ndata: {}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/", page), Route("/events", events)])
    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="warning")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def pages(chromium: str) -> Iterator[tuple[Page, Page]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser.new_page(), browser.new_page()
        browser.close()


def watched(page: Page, selector: str, index: int, ask: Callable[[], object]) -> dict[str, Any]:
    """Asks, and what the page saw of the answer."""
    page.bring_to_front()
    page.evaluate(WATCH, [selector, index, "".join(TOKENS).strip()])
    ask()
    seen: dict[str, Any] = page.evaluate("() => globalThis.round")
    return seen


@pytest.mark.usefixtures("static_files")
def test_first_token(pages: tuple[Page, Page], print_figure: Callable[[str], None]) -> None:
    ours, yardstick = pages
    model, bare_model = Clock(), Clock()
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    chat = Chat(model)
    with yardstick_server(bare_model) as address:
        yardstick.goto(address)
        ours.goto(chat.link())
        ours.wait_for_selector("textarea")
        for index in range(ROUNDS):
            selector = '[data-role="assistant"] .kernelchat-content'
            seen = watched(ours, selector, index, lambda: chat.ask("When?"))
            bare = watched(yardstick, ".answer", index, lambda: yardstick.evaluate("ask()"))
            rounds.append((seen, bare))
    chat.close()

    whole = "".join(TOKENS).strip()
    for seen, _ in rounds:
        assert seen["texts"][-1] == whole
        assert [text for text in seen["texts"] if not whole.startswith(text)] == []
    delays = [
        seen["painted"] - at for (seen, _), at in zip(rounds, model.first_token_at, strict=True)
    ]
    bare_delays = [
        bare["painted"] - at
        for (_, bare), at in zip(rounds, bare_model.first_token_at, strict=True)
    ]
    print_figure(
        f"first token painted: {median(delays):.0f} ms after the model's; a bare page over SSE: "
        f"{median(bare_delays):.0f} ms (target {TARGET:.0f})"
    )
    assert median(delays) <= 2 * TARGET
