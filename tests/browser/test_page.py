"""The same chat as a page of its own, opened by a link."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from browser.chatview import SHORT, ChatView, chat_cell, open_chat
from browser.lab import LabPage

pytestmark = pytest.mark.usefixtures("static_files")


def test_a_link_opens_the_chat_and_survives_a_reload(lab: LabPage, context: BrowserContext) -> None:
    view = open_chat(lab, chat_cell("in the notebook", SHORT, "after the reload"))
    view.ask("first")
    view.wait_for_answer(0, "in the notebook")
    link = lab.evaluate_in_kernel("chat.link()")

    page = context.new_page()
    page.goto(link)
    on_page = ChatView(page.locator(".kernelchat"))
    on_page.wait_for_answer(0, "in the notebook")
    assert "code" not in page.url
    on_page.ask("second")
    on_page.wait_for_answer(1, SHORT)
    view.wait_for_answer(1, SHORT)

    page.reload()
    on_page.wait_for_answer(1, SHORT)
    on_page.ask("third")
    on_page.wait_for_answer(2, "after the reload")
    view.wait_for_answer(2, "after the reload")
    page.screenshot(path=lab.screenshot("page-notebook").with_name("page.png"))


def test_a_link_is_good_once(lab: LabPage, context: BrowserContext) -> None:
    open_chat(lab, chat_cell(SHORT))
    link = lab.evaluate_in_kernel("chat.link()")
    first = context.new_page()
    first.goto(link)
    expect(first.locator(".kernelchat textarea")).to_be_visible()

    second = context.new_page()
    second.goto(link)

    expect(second.get_by_role("alert")).to_contain_text("This link was used already")
    expect(second.locator(".kernelchat")).to_have_count(0)
