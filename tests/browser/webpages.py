"""Web pages that people write themselves, served from a port of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tools.pushed import PATIENCE

PAGES = Path(__file__).parent / "pages"


@contextmanager
def served(values: Mapping[str, str]) -> Iterator[str]:
    """Serves `pages/` with each `{{name}}` replaced by its value; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            found = (PAGES / name).is_file()
            text = (PAGES / name).read_text("utf-8") if found else ""
            for key, value in values.items():
                text = text.replace("{{" + key + "}}", value)
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


class TutorialPage:
    """What a visitor sees of one of the tutorial's pages, and does there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.locator("#status")
        self.answers = page.locator(".message.assistant")

    def ask(self, text: str) -> Locator:
        count = self.answers.count()
        self.page.get_by_placeholder("请输入消息…").fill(text)
        self.page.get_by_role("button", name="发送").click()
        return self.answers.nth(count)


def has_text(bubble: Locator, text: str) -> None:
    # To the letter: Playwright's own comparison joins white space.
    handle = bubble.element_handle()
    assert handle is not None
    bubble.page.wait_for_function(
        "([bubble, text]) => bubble.textContent === text",
        arg=[handle, text],
        timeout=PATIENCE * 1000,
    )


class ClientPage:
    """A page with `ChatClient`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said = page.locator("#said li")
        self.answer = page.locator("#answer")
        self.status = page.locator("#status")
        page.wait_for_function("window.client !== undefined")

    def ask(self, *texts: str) -> None:
        for text in texts:
            self.page.evaluate("(text) => void ask(text)", text)
