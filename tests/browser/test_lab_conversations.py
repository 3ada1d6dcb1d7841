"""Kept conversations in JupyterLab: listed, shown, renamed, deleted, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from browser.chatview import ChatView, open_chat, shown
from browser.lab import LabPage

pytestmark = pytest.mark.usefixtures("static_files")

ANSWER = "def answer(messages):\n    return f\"answer to {messages[-1]['content']}\"\n"
AXE = (Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js").as_posix()


def chat_cell(**keywords: object) -> str:
    more = "".join(f", {name}={value!r}" for name, value in keywords.items())
    made = f"chat = Chat(answer, store='chats.sqlite'{more})"
    return f"from kernelchat import Chat\n{ANSWER}{made}\nchat"


class Menu:
    """The menu in the header of a chat."""

    def __init__(self, view: ChatView) -> None:
        self._view = view
        self.button = view.root.get_by_role("button", name="Menu")
        self.panel = view.root.get_by_role("dialog")
        self.titles = self.panel.locator(".kernelchat-kept span")

    def open(self, *titles: str) -> None:
        """Opens it and waits for these conversations, the newest first."""
        self.button.click()
        expect(self.titles).to_have_text(list(titles))

    def row(self, title: str) -> Locator:
        return self.panel.locator(".kernelchat-kept", has_text=title)

    def act(self, name: str) -> None:
        self.panel.get_by_role("button", name=name).click()


def say(view: ChatView, text: str, index: int = 0) -> None:
    view.ask(text)
    view.wait_for_answer(index, f"answer to {text}")


def test_the_menu_turns_the_chat_to_other_conversations(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell(session_id="first"))
    menu = Menu(view)
    say(view, "about trains")
    menu.open("about trains")
    menu.act("New chat")
    expect(view.questions).to_have_count(0)
    expect(view.box).to_be_focused()
    expect(menu.panel).to_have_count(0)
    say(view, "about ships")
    assert lab.evaluate_in_kernel("[m.text for m in chat.messages][0]") == "about ships"
    assert lab.evaluate_in_kernel("chat.session_id") != "first"

    view.box.fill("a draft")
    menu.open("about ships", "about trains")
    lab.screenshot("conversations-menu")
    menu.row("about trains").click()
    view.wait_for_answer(0, "answer to about trains")
    expect(view.questions).to_have_text(["about trains"])
    expect(view.box).to_have_value("a draft")
    assert lab.evaluate_in_kernel("chat.session_id") == "first"
    view.box.fill("")
    say(view, "and more of them", 1)
    view.wait_for_transport("direct")

    menu.open("about trains", "about ships")
    menu.act("Rename: about ships")
    menu.panel.locator("input").fill("Ships")
    menu.panel.locator("input").press("Enter")
    expect(menu.titles).to_have_text(["about trains", "Ships"])
    menu.act("Delete: Ships")
    lab.screenshot("conversations-delete")
    menu.act("Delete for good?: Ships")
    expect(menu.titles).to_have_text(["about trains"])
    assert lab.evaluate_in_kernel("[s.title for s in chat.sessions()]") == ["about trains"]

    menu.act("Delete: about trains")
    menu.act("Delete for good?: about trains")
    expect(menu.panel).to_contain_text("Nothing was said yet.")
    expect(view.questions).to_have_count(0)
    lab.page.keyboard.press("Escape")
    expect(menu.button).to_be_focused()
    say(view, "on a clean sheet")


def test_all_views_turn_and_a_running_answer_goes_on(lab: LabPage) -> None:
    slow = (
        "import threading\ngate = threading.Event()\n"
        "def answer(messages):\n    yield 'begun '\n    gate.wait()\n    yield 'and done'\n"
    )
    view = open_chat(
        lab,
        f"from kernelchat import Chat\n{slow}"
        "chat = Chat(answer, store='chats.sqlite', session_id='first')\nchat",
        "chat",
    )
    lab.run_cell(1)
    second = shown(lab, 1)
    view.ask("long")
    view.wait_for_growth(0, 1)
    Menu(second).open("long")
    Menu(second).act("New chat")
    for each in (view, second):
        expect(each.questions).to_have_count(0)
        expect(each.root).to_have_attribute("data-phase", "ready")
    Menu(view).open("long")
    Menu(view).row("long").click()
    for each in (view, second):
        expect(each.questions).to_have_text(["long"])
        expect(each.root).to_have_attribute("data-phase", "writing")
    lab.evaluate_in_kernel("gate.set()")
    for each in (view, second):
        each.wait_for_answer(0, "begun and done")


def test_the_menu_waits_for_no_cell(lab: LabPage) -> None:
    view = open_chat(
        lab,
        chat_cell(),
        "import time\nwhile not __import__('os').path.exists('go'): time.sleep(0.05)",
    )
    say(view, "one")
    lab.start_cell(1)
    lab.wait_until_busy()
    menu = Menu(view)
    menu.open("one")
    menu.act("New chat")
    expect(view.questions).to_have_count(0)
    say(view, "two")
    menu.open("two", "one")
    menu.row("one").click()
    view.wait_for_answer(0, "answer to one")
    assert lab.server.busy()
    (lab.server.folder / "go").touch()
    lab.wait_for_cell(1)


def test_over_the_comm_a_cell_shows_another_conversation_while_it_runs(lab: LabPage) -> None:
    view = open_chat(
        lab,
        chat_cell(session_id="first", transport="comm"),
        "import os, time\nchat.show('first')\nreply = chat.ask('asked by a cell')\n"
        "while not os.path.exists('go'): time.sleep(0.05)",
        transport="comm",
    )
    say(view, "one")
    menu = Menu(view)
    menu.open("one")
    menu.act("New chat")
    expect(view.questions).to_have_count(0)
    say(view, "two")
    lab.start_cell(1)
    expect(view.questions).to_have_text(["one", "asked by a cell"])
    view.wait_for_answer(1, "answer to asked by a cell")
    assert lab.server.busy()
    menu.button.click()
    expect(view.root).to_contain_text("waits for the running cell")
    (lab.server.folder / "go").touch()
    lab.wait_for_cell(1)
    expect(menu.titles).to_have_text(["one", "two"])


def test_after_a_restart_the_cell_goes_on_where_the_talk_was(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell(session_id="travel"))
    say(view, "where to?")
    say(view, "how?", 1)
    lab.restart_kernel()
    lab.run_cell(0)
    view = shown(lab, 0)
    view.wait_for_answer(1, "answer to how?")
    expect(view.questions).to_have_text(["where to?", "how?"])
    say(view, "when?", 2)
    Menu(view).open("where to?")
    lab.screenshot("conversations-restart")


def test_a_page_of_its_own_remembers_where_it_was(lab: LabPage, context: BrowserContext) -> None:
    view = open_chat(lab, chat_cell(session_id="first"))
    say(view, "one")
    page = context.new_page()
    page.goto(lab.evaluate_in_kernel("chat.link()"))
    on_page = ChatView(page.locator(".kernelchat"))
    on_page.wait_for_answer(0, "answer to one")
    menu = Menu(on_page)
    menu.open("one")
    menu.act("New chat")
    expect(on_page.questions).to_have_count(0)
    expect(view.questions).to_have_count(0)
    say(on_page, "two")
    view.wait_for_answer(0, "answer to two")
    page.reload()
    on_page.wait_for_answer(0, "answer to two")

    # The notebook turns; the page stays with what it shows.
    lab.evaluate_in_kernel("chat.show('first')")
    view.wait_for_answer(0, "answer to one")
    say(on_page, "three", 1)
    expect(view.questions).to_have_text(["one"])
    page.reload()
    on_page.wait_for_answer(1, "answer to three")
    menu.open("two", "one")
    menu.row("one").click()
    on_page.wait_for_answer(0, "answer to one")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_open_menu_is_accessible(lab: LabPage, theme: str) -> None:
    view = open_chat(lab, chat_cell(height=360))
    for number in range(12):
        lab.evaluate_in_kernel("chat.show()")
        lab.evaluate_in_kernel(f"chat.ask('A rather long question, number {number}').result(30)")
    expect(view.questions).to_have_text(["A rather long question, number 11"])
    lab.set_theme(theme)
    menu = Menu(view)
    menu.button.press("Enter")
    expect(menu.titles).to_have_count(12)
    menu.act("Delete: A rather long question, number 10")
    menu.act("Rename: A rather long question, number 9")
    lab.screenshot(f"conversations-{theme.split()[-1].lower()}")
    lab.page.add_script_tag(path=AXE)
    root = view.root.element_handle()
    found = lab.page.evaluate("(root) => axe.run(root).then((r) => r.violations)", root)
    assert found == [], json.dumps(found, indent=1)
    # The whole menu can be reached, though the chat is low.
    panel, frame = menu.panel.bounding_box(), view.root.bounding_box()
    assert panel is not None
    assert frame is not None
    assert panel["y"] + panel["height"] <= frame["y"] + frame["height"]
