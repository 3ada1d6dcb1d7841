"""Many chats and many tabs: all stream, over as few connections as a browser has."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from browser.chatview import SECONDS, SHORT, ChatView
from browser.lab import LabPage

pytestmark = pytest.mark.usefixtures("static_files")

CHATS = 10
TABS = 7
MANY = f"""
from IPython.display import display
from kernelchat import Chat

chats = [Chat(script=[{SHORT!r}]) for _ in range({CHATS})]
for chat in chats:
    display(chat)
"""
ASK_ALL = "replies = [chat.ask('go') for chat in chats]\n[reply.result() for reply in replies];"
ONE = f"from kernelchat import Chat\nchat = Chat(script=[{SHORT!r}])\nchat"


class Streams:
    """How many event streams of a page are open at a time."""

    def __init__(self, page: Page) -> None:
        self.open: set[Request] = set()
        self.most = 0
        self._page = page
        page.on("request", self._opened)
        page.on("requestfinished", self._closed)
        page.on("requestfailed", self._closed)

    def _opened(self, request: Request) -> None:
        if request.url.endswith("/api/events"):
            self.open.add(request)
            self.most = max(self.most, len(self.open))

    def _closed(self, request: Request) -> None:
        self.open.discard(request)

    def wait_for_at_most(self, count: int) -> None:
        while len(self.open) > count:
            self._page.wait_for_event("requestfailed", timeout=SECONDS)


def views(page: Page) -> list[ChatView]:
    roots = page.locator(".kernelchat")
    return [ChatView(roots.nth(index)) for index in range(roots.count())]


def test_ten_chats_share_one_stream_and_none_is_left_while_nothing_goes_on(lab: LabPage) -> None:
    lab.open([MANY, ASK_ALL])
    streams = Streams(lab.page)
    lab.run_cell(0)
    expect(lab.page.locator(".kernelchat textarea")).to_have_count(CHATS, timeout=SECONDS)
    shown = views(lab.page)
    for view in shown:
        view.wait_for_transport("direct")

    # It is opened anew as each chat joins, and the browser tells of the old one's end later.
    streams.wait_for_at_most(1)
    streams.most = 0

    lab.run_cell(1)

    for view in shown:
        view.wait_for_answer(0, SHORT)
    assert streams.most <= 1
    streams.wait_for_at_most(0)


def test_seven_tabs_of_one_notebook_all_show_the_answer(lab: LabPage) -> None:
    lab.open([ONE])
    lab.run_cell(0)
    views(lab.page)[0].wait_for_transport("direct")
    lab.save()
    tabs = [lab.page]
    for number in range(TABS - 1):
        tab = lab.page.context.new_page()
        # A workspace of its own: Lab closes a notebook that another tab of the same one shows.
        tab.goto(lab.address(f"tab-{number}"))
        tab.wait_for_selector(".kernelchat textarea", timeout=SECONDS)
        tabs.append(tab)

    views(lab.page)[0].ask("go")

    # A browser opens six connections to the kernel's server: at least one tab goes by comm.
    for tab in tabs:
        views(tab)[0].wait_for_answer(0, SHORT)
