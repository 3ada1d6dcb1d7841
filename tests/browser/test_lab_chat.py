"""The chat in a JupyterLab cell, on the road it takes by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.chatview import LONG, SHORT, WORDS, assert_grew, chat_cell, open_chat, shown
from browser.lab import LabPage

pytestmark = pytest.mark.usefixtures("static_files")


def test_an_answer_appears_letter_by_letter_and_is_that_of_the_kernel(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell(SHORT))
    view.watch()

    view.ask("count")

    view.wait_for_answer(0, SHORT)
    assert_grew(view.seen_texts(), SHORT)
    assert lab.evaluate_in_kernel("chat.messages[-1].text") == SHORT
    expect(view.questions).to_have_text(["count"])
    lab.screenshot("chat-in-a-cell")


def test_stop_ends_a_long_answer_and_keeps_its_text(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell(LONG, SHORT))
    view.ask("count far")
    view.wait_for_growth(0)

    view.stop_button.click()

    view.wait_for_status(0, "stopped")
    expect(view.answers.nth(0)).to_contain_text("Stopped")
    expect(view.stop_button).to_have_count(0)
    kept = lab.evaluate_in_kernel("[chat.messages[-1].status, chat.messages[-1].text]")
    assert kept == ["stopped", view.answer_text(0)]
    assert LONG.startswith(kept[1])

    view.ask("count again")
    view.wait_for_answer(1, SHORT)


def test_a_question_from_another_cell_appears_in_the_view(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell("first", SHORT), "print(chat.ask('from a cell').result())")
    view.ask("from the view")
    view.wait_for_answer(0, "first")
    view.watch()

    lab.run_cell(1)

    view.wait_for_answer(1, SHORT)
    assert_grew(view.seen_texts(), SHORT)
    expect(view.questions).to_have_text(["from the view", "from a cell"])
    assert lab.output_text(1) == f"{SHORT}\n"


def test_two_displays_of_one_chat_agree(lab: LabPage) -> None:
    first = open_chat(lab, chat_cell(SHORT, LONG), "chat")
    first.ask("before the second is there")
    lab.run_cell(1)
    second = shown(lab, 1)
    second.wait_for_answer(0, SHORT)

    second.ask("from the second")
    first.wait_for_growth(1)
    first.stop_button.click()

    for view in (first, second):
        view.wait_for_status(1, "stopped")
        expect(view.questions).to_have_text(["before the second is there", "from the second"])
    assert first.answer_text(1) == second.answer_text(1)


def test_two_chats_share_the_server_and_stay_apart(lab: LabPage) -> None:
    other = chat_cell("B " * 60).replace("chat =", "other =").removesuffix("chat") + "other"
    left = open_chat(lab, chat_cell("A " * 60), other)
    lab.run_cell(1)
    right = shown(lab, 1)
    right.wait_for_transport("direct")

    left.ask("to the left")
    right.ask("to the right")

    left.wait_for_answer(0, ("A " * 60).strip())
    right.wait_for_answer(0, ("B " * 60).strip())
    expect(left.questions).to_have_text(["to the left"])
    expect(right.questions).to_have_text(["to the right"])
    assert lab.evaluate_in_kernel("chat.endpoint.url == other.endpoint.url")


def test_a_page_reloaded_in_an_answer_shows_all_of_it(lab: LabPage) -> None:
    long = " ".join(WORDS * 60)
    view = open_chat(lab, chat_cell(long))
    view.ask("count")
    before = view.wait_for_growth(0)

    lab.reload()

    again = view.wait_for_growth(0, steps=1)
    assert again.startswith(before)
    assert len(again) < len(long)
    view.wait_for_answer(0, long)
    view.wait_for_transport("direct")


FLAKY = """
from kernelchat import Chat
calls = []

def flaky(messages):
    calls.append(messages[-1]["content"])
    yield "So far. "
    if len(calls) == 1:
        raise OSError("the disk is full")
    yield "Done."

chat = Chat(flaky)
chat
"""


def test_a_failed_answer_says_why_and_can_be_tried_again(lab: LabPage) -> None:
    view = open_chat(lab, FLAKY)
    view.ask("try")

    view.wait_for_status(0, "failed")
    failed = view.answers.nth(0)
    expect(failed).to_contain_text("So far.")
    expect(failed).to_contain_text("the disk is full")
    expect(view.root).to_have_attribute("data-phase", "failed")

    failed.get_by_role("button", name="Retry").click()
    view.wait_for_answer(0, "So far. Done.")
    assert lab.evaluate_in_kernel("calls") == ["try", "try"]
    expect(view.questions).to_have_text(["try"])


def test_what_is_typed_reaches_no_shortcut_of_the_notebook(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell("fine"), "1 + 1")
    cells = lab.page.locator(".jp-Notebook .jp-Cell")
    expect(cells).to_have_count(2)

    view.box.click()
    lab.page.keyboard.type("ddaabb")
    lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.type("xx")

    expect(view.box).to_have_value("ddaabb\nxx")
    expect(cells).to_have_count(2)
    assert lab.outputs(1) == []
    lab.page.keyboard.press("Enter")
    view.wait_for_answer(0, "fine")
    assert lab.evaluate_in_kernel("chat.messages[0].text") == "ddaabb\nxx"


def test_a_view_whose_kernel_was_restarted_keeps_the_talk_and_says_so(lab: LabPage) -> None:
    view = open_chat(lab, chat_cell("kept"))
    view.ask("hello")
    view.wait_for_answer(0, "kept")

    lab.restart_kernel()

    expect(view.root).to_contain_text("Re-run the cell", timeout=60_000)
    expect(view.box).to_be_disabled()
    expect(view.answers.nth(0)).to_contain_text("kept")
    lab.run_cell(0)
    view.wait_for_transport("direct")
    view.ask("hello")
    view.wait_for_answer(0, "kept")
